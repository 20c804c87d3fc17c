//! The options that every command has, and the frame around every command.

use std::process::ExitCode;

use clap::{ArgAction, Args};

use crate::{CommandError, Printer};

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
    match command(&printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
