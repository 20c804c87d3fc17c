//! What keeps a row from being measured.

use std::ffi::OsString;
use std::process::Command;

use thiserror::Error;

/// Errors end the benchmark and are printed; nobody looks into them.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the benchmark itself finds wrong.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A program ended otherwise than it should have.
    #[error("`{command}` ended with {actual} instead of {expected}\n{stderr}")]
    Exit {
        /// The program and its arguments.
        command: String,
        /// The exit code that it should have had.
        expected: i32,
        /// What it ended with.
        actual: String,
        /// What it said.
        stderr: String,
    },
    /// The measuring process said something else.
    #[error("no measurement of `{command}`: {output}")]
    NotMeasured {
        /// The program and its arguments.
        command: String,
        /// What came instead.
        output: String,
    },
    /// `--only` with another name.
    #[error("there is no row `{name}`; the rows are {known}")]
    NoSuchRow {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// What was measured did not do its work.
    #[error("{0}")]
    Wrong(String),
}

/// A command as a person would type it, nearly.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| OsString::from(word).to_string_lossy().into_owned()).collect();
    words.join(" ")
}
