//! `goport env`: the lines that make a shell use the installed Go.

use clap::{Args, ValueEnum};
use goferry_terminal::{CommandError, Environment, Printer, help_end};
use serde::Serialize;

use super::error::observe_error;
use super::list::no_generation;
use super::location::LocationOptions;
use crate::observe::current_generation;
use crate::prefix::Prefix;

/// Print the lines that make a shell use the installed Go
///
/// Setting PATH is all that is needed: everything else is in the go.env of the generation.
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  eval \"$(goport env)\"             in sh, bash, zsh
  goport env --shell fish | source
  goport env --pinned               paths of this very generation, for CI"
))]
pub(super) struct Env {
    /// The shell to write for
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    shell: Shell,
    /// Name the current generation instead of `current`
    #[arg(long)]
    pinned: bool,
    #[command(flatten)]
    location: LocationOptions,
}

/// A shell, and how it is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Sh,
    Csh,
    Fish,
}

#[derive(Serialize)]
struct Report {
    action: &'static str,
    /// What to put in front of PATH.
    path: String,
    /// What to set.
    variables: Vec<(&'static str, String)>,
}

impl Env {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let location = self.location.to_read(environment)?;
        let current =
            current_generation(&location.prefix, &location.root).map_err(|error| observe_error(&error))?;
        let Some(current) = current else { return Err(no_generation(&location.prefix)) };
        let generation = self.pinned.then_some(current);
        let (path, variables) = settings(&location.prefix, generation);
        for (name, value) in &variables {
            printer.line(self.shell.set(name, value));
        }
        printer.line(self.shell.prepend_path(&path));
        printer.object(&Report { action: "env", path, variables });
        Ok(())
    }
}

/// The directory for PATH, and further variables.
fn settings(prefix: &Prefix, generation: Option<u64>) -> (String, Vec<(&'static str, String)>) {
    let Some(number) = generation else { return (prefix.join("current/bin").into_string(), Vec::new()) };
    // go.env names `current`: a pinned shell overrules those settings by its environment.
    let below = format!("generations/{number}");
    let variables = vec![
        ("GOMODCACHE", prefix.join(&format!("{below}/modcache")).into_string()),
        ("GOPROXY", prefix.file_url(&format!("{below}/modcache/cache/download"))),
    ];
    (prefix.join(&format!("{below}/bin")).into_string(), variables)
}

impl Shell {
    fn set(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}={}", self.quote(value)),
            Self::Csh => format!("setenv {name} {}", self.quote(value)),
            Self::Fish => format!("set -gx {name} {}", self.quote(value)),
        }
    }

    pub(super) fn prepend_path(self, directory: &str) -> String {
        let directory = self.quote(directory);
        match self {
            Self::Sh => format!("export PATH={directory}:\"$PATH\""),
            Self::Csh => format!("setenv PATH {directory}:\"$PATH\""),
            Self::Fish => format!("set -gx PATH {directory} $PATH"),
        }
    }

    /// The text as one word, whatever it holds. A prefix has no control characters.
    pub(super) fn quote(self, text: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
        if text.chars().all(plain) {
            return text.to_owned();
        }
        match self {
            Self::Sh => format!("'{}'", text.replace('\'', r"'\''")),
            // csh expands `!` even between single quotes.
            Self::Csh => format!("'{}'", text.replace('\'', r"'\''").replace('!', r"\!")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_shell_does_not_name_current() {
        let prefix: Prefix = "/opt/go,ferry".parse().unwrap();
        let (path, variables) = settings(&prefix, None);
        assert_eq!((path.as_str(), variables.len()), ("/opt/go,ferry/current/bin", 0));
        let (path, variables) = settings(&prefix, Some(7));
        assert_eq!(path, "/opt/go,ferry/generations/7/bin");
        assert_eq!(
            variables,
            [
                ("GOMODCACHE", "/opt/go,ferry/generations/7/modcache".to_owned()),
                ("GOPROXY", "file:///opt/go%2Cferry/generations/7/modcache/cache/download".to_owned()),
            ]
        );
    }

    #[test]
    fn every_shell_gets_one_word() {
        assert_eq!(Shell::Sh.prepend_path("/opt/goferry/bin"), "export PATH=/opt/goferry/bin:\"$PATH\"");
        assert_eq!(Shell::Sh.set("A", "/a b'c"), r"export A='/a b'\''c'");
        assert_eq!(Shell::Csh.set("A", "/a b!"), r"setenv A '/a b\!'");
        assert_eq!(Shell::Fish.set("A", r"/a b'\"), r"set -gx A '/a b\'\\'");
    }
}
