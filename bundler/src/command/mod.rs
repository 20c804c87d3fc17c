//! The command line of `goferry`: one file a verb, each parses, calls the library, prints.

mod build;
mod error;
mod inspect;
mod interrupt;
mod keygen;
mod output;
mod progress;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use goferry_terminal::{Completions, Environment, Man, OutputOptions};

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed, and nothing changed unless it says so
  2    the command line is wrong
  3    refused: signature, digest, proof or policy
  130  interrupted

Examples:
  goferry keygen -o ops
  goferry build ./svc --key ops.key -o svc.goferry
  goferry inspect svc.goferry --key ops.pub";

/// Bundles Go toolchains and everything that Go projects need, to cross an air gap
#[derive(Parser, Debug)]
#[command(name = "goferry", version = concat!(env!("CARGO_PKG_VERSION"), " (bundle format 1)"), after_help = AFTER_HELP)]
#[command(max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    output: OutputOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Keygen(keygen::Keygen),
    Build(build::Build),
    Inspect(inspect::Inspect),
    Completions(Completions),
    Man(Man),
}

/// Runs the program on the arguments and environment of this process.
pub fn main() -> ExitCode {
    let Cli { output, command } = match goferry_terminal::parse_arguments() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    goferry_terminal::run(output, |printer| match command {
        Command::Keygen(command) => command.run(printer),
        Command::Build(command) => command.run(printer, &Environment::of_process()),
        Command::Inspect(command) => command.run(printer),
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
