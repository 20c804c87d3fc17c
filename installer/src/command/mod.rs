//! The command line of `goport`: one file a verb, each parses, calls the library, prints.

mod changes;
mod env;
mod error;
mod expiry;
mod install;
pub mod interrupt;
mod list;
mod location;
mod progress;
mod summary;
mod trust;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use goferry_terminal::{Completions, Environment, Man, OutputOptions};

// `goferry inspect` shows bundles and refuses them in the same words.
pub use self::error::{bundle_error, open_error, public_key_error};
pub use self::summary::{Detail, print_summary};

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed, and nothing changed unless it says so
  2    the command line is wrong
  3    refused: signature, digest, proof, policy or sequence
  130  interrupted

Examples:
  goport verify web.goferry --key ops.pub
  goport install web.goferry --key ops.pub
  eval \"$(goport env)\"

goport never uses a network. There is no option that skips verification.";

/// Installs Go toolchains and modules from a goferry bundle, on a host without a network
#[derive(Parser, Debug)]
#[command(name = "goport", version = concat!(env!("CARGO_PKG_VERSION"), " (bundle format 1)"), after_help = AFTER_HELP)]
#[command(max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    output: OutputOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Trust(trust::Trust),
    Verify(verify::Verify),
    Install(install::Install),
    List(list::List),
    Env(env::Env),
    Completions(Completions),
    Man(Man),
}

/// Runs the program on the arguments and environment of this process.
pub fn main() -> ExitCode {
    let Cli { output, command } = match goferry_terminal::parse_arguments() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let environment = Environment::of_process();
    goferry_terminal::run(output, |printer| match command {
        Command::Trust(command) => command.run(printer, &environment),
        Command::Verify(command) => command.run(printer, &environment),
        Command::Install(command) => command.run(printer, &environment),
        Command::List(command) => command.run(printer, &environment),
        Command::Env(command) => command.run(printer, &environment),
        Command::Completions(command) => {
            command.run(printer, Cli::command());
            Ok(())
        }
        Command::Man(command) => command.run(printer, Cli::command()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
