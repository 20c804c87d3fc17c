//! Everything that reaches stdout and stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use indicatif::MultiProgress;
use serde::Serialize;

use crate::command_error::Part;
use crate::options::OutputOptions;
use crate::{Bar, CommandError};

const VERB: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Columns of the verb in front of a status line.
const VERB_WIDTH: usize = 12;

/// Speaks to the user as the output options say.
#[derive(Debug)]
pub struct Printer {
    options: OutputOptions,
    bars: MultiProgress,
    /// Why stdout takes no more.
    stdout_error: OnceLock<io::Error>,
}

impl Printer {
    /// A printer with these options. With `--verbose` it also shows what the libraries log.
    pub fn new(options: OutputOptions) -> Self {
        let level = match options.verbose {
            0 => tracing_subscriber::filter::LevelFilter::OFF,
            1 => tracing_subscriber::filter::LevelFilter::DEBUG,
            _ => tracing_subscriber::filter::LevelFilter::TRACE,
        };
        let subscriber =
            tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).without_time();
        // Fails where a test has set one already; that one serves as well.
        let _ = subscriber.with_target(false).with_ansi(io::stderr().is_terminal()).try_init();
        Self { options, bars: MultiProgress::new(), stdout_error: OnceLock::new() }
    }

    /// Whether the result is to be one JSON object.
    pub fn json(&self) -> bool {
        self.options.json
    }

    /// A line on stderr about what was done: a verb in the past or present tense, right-aligned, and its object.
    pub fn status(&self, verb: &str, object: impl std::fmt::Display) {
        if !self.options.quiet && !self.options.json {
            self.stderr(&format!("{VERB}{verb:>VERB_WIDTH$}{VERB:#} {object}\n"));
        }
    }

    /// A line on stderr about something that the user should know.
    pub fn warning(&self, message: impl std::fmt::Display) {
        if !self.options.quiet {
            self.stderr(&format!("{WARNING}warning:{WARNING:#} {message}\n"));
        }
    }

    /// A line of the result on stdout; nothing with `--json`.
    pub fn line(&self, line: impl std::fmt::Display) {
        if !self.options.json {
            self.stdout(&format!("{line}\n"));
        }
    }

    /// Text on stdout that is the whole result, whatever the options.
    pub fn text(&self, text: &str) {
        self.stdout(text);
    }

    /// A line on stdout that says how it went; nothing with `--json` or `--quiet`.
    pub fn summary(&self, line: impl std::fmt::Display) {
        if !self.options.quiet {
            self.line(line);
        }
    }

    /// The result as JSON, with `"schema": 1` first; nothing without `--json`.
    pub fn object(&self, object: &impl Serialize) {
        #[derive(Serialize)]
        struct WithSchema<'a, T> {
            schema: u32,
            #[serde(flatten)]
            object: &'a T,
        }
        if self.options.json {
            let text = serde_json::to_string_pretty(&WithSchema { schema: 1, object });
            self.stdout(&format!("{}\n", text.expect("results have only string keys and finite numbers")));
        }
    }

    /// Shows an error, on stderr as text or on stdout as JSON.
    pub fn error(&self, error: &CommandError) {
        if self.options.json {
            self.stdout(&format!("{:#}\n", error.to_json()));
        } else {
            let style = |part| match part {
                Part::Error => ERROR,
                Part::Hint => HINT,
            };
            self.stderr(&error.to_text(|part, text| format!("{}{text}{:#}", style(part), style(part))));
        }
    }

    /// A bar that grows to `total` bytes. It shows on terminals only, and is gone when dropped.
    pub fn bar(&self, verb: &str, total: u64) -> Bar {
        if self.options.quiet || self.options.json || !io::stderr().is_terminal() {
            return Bar::hidden();
        }
        Bar::new(&self.bars, verb, total)
    }

    fn stderr(&self, text: &str) {
        // Where stderr is closed there is nobody left to tell.
        self.bars.suspend(|| {
            let _ = anstream::stderr().write_all(text.as_bytes());
        });
    }

    fn stdout(&self, text: &str) {
        if self.stdout_error.get().is_some() {
            return;
        }
        let written = self.bars.suspend(|| {
            let mut stdout = anstream::stdout();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        });
        if let Err(error) = written {
            let _ = self.stdout_error.set(error);
        }
    }

    /// Says on stderr that the result could not be written, and whether that is so. A reader that closes stdout early
    /// (`| head`) is no error: what it did not want is dropped.
    pub(crate) fn report_stdout_error(&self) -> bool {
        match self.stdout_error.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.stderr(&format!("{ERROR}error:{ERROR:#} cannot write the result to stdout: {error}\n"));
                true
            }
            _ => false,
        }
    }
}
