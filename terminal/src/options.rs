//! The options that every command has, and the frame around every command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser};

use crate::{CommandError, Kind, Printer};

/// How the program speaks.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Print one JSON object on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more about what is done (can be repeated)
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Runs a command and turns its error into text and exit code.
pub fn run(options: OutputOptions, command: impl FnOnce(&Printer) -> Result<(), CommandError>) -> ExitCode {
    let printer = Printer::new(options);
    let code = match command(&printer) {
        Ok(()) => 0,
        Err(error) => {
            printer.error(&error);
            error.kind().exit_code()
        }
    };
    let is_cut_off = printer.report_stdout_error();
    ExitCode::from(if code == 0 && is_cut_off { Kind::Failed.exit_code() } else { code })
}

/// The command line of this process. Where it is wrong, or asks for help, that is said, and the exit code is left.
pub fn parse_arguments<C: Parser>() -> Result<C, ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let json = asks_for_json(&arguments);
    C::try_parse_from(arguments).map_err(|error| {
        if !(json && error.use_stderr()) {
            // Where nobody listens there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Kind::Usage.exit_code() } else { 0 });
        }
        run(OutputOptions { json, quiet: false, verbose: 0 }, |_| Err(usage_error(&error)))
    })
}

/// Whether the caller reads JSON, although the rest of the command line cannot be understood.
fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// The first paragraph is the message; how the command is used follows it.
fn usage_error(error: &clap::Error) -> CommandError {
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message).trim_end();
    CommandError::new(Kind::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        output: OutputOptions,
    }

    #[test]
    fn a_wrong_command_line_is_an_object_too() {
        let error = Cli::try_parse_from(["program", "--json", "--nonsense"]).unwrap_err();
        let json = usage_error(&error).to_json();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["error"]["kind"], "usage");
        assert_eq!(json["error"]["message"], "unexpected argument '--nonsense' found");
        assert!(Cli::try_parse_from(["program", "--json"]).unwrap().output.json);
    }

    #[test]
    fn json_is_asked_for_before_the_end_of_options_only() {
        let asks =
            |arguments: &[&str]| asks_for_json(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asks(&["program", "install", "--nonsense", "--json"]));
        assert!(!asks(&["program", "install", "--", "--json"]));
    }
}
