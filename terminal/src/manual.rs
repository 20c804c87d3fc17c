//! Shell completions and man pages, made from the command line's own definition.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{CommandError, Kind, Printer};

/// Print the completions of a shell
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  source <(PROGRAM completions bash)")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions of `program`.
    pub fn run(&self, printer: &Printer, mut program: Command) {
        let name = program.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, name, &mut script);
        printer.text(&String::from_utf8_lossy(&script));
    }
}

/// Print a man page
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  PROGRAM man install | man -l -")]
pub struct Man {
    /// The command; without it the page of the program
    command: Option<String>,
}

impl Man {
    /// Prints a page of `program`.
    pub fn run(&self, printer: &Printer, program: Command) -> Result<(), CommandError> {
        let page = match &self.command {
            None => clap_mangen::Man::new(program),
            Some(name) => {
                let title = format!("{}-{name}", program.get_name());
                let found = program.find_subcommand(name).cloned();
                let unknown = || CommandError::new(Kind::Usage, format!("there is no command `{name}`"));
                clap_mangen::Man::new(found.ok_or_else(unknown)?).title(title)
            }
        };
        let mut text = Vec::new();
        let failed = |error: std::io::Error| CommandError::from_error(Kind::Failed, &error);
        page.render(&mut text).map_err(failed)?;
        printer.text(&String::from_utf8_lossy(&text));
        Ok(())
    }
}
