//! What both programs say, and how: errors with their hint and exit code, progress, JSON on request.
//!
//! stdout carries data, stderr everything else. No meaning is carried by colour alone; bars appear on terminals only.
//! This is the one crate that prints.

mod command_error;
mod environment;
mod manual;
mod options;
mod printer;
mod progress;
mod quantity;

pub use self::command_error::{CommandError, Kind};
pub use self::environment::Environment;
pub use self::manual::{Completions, Man};
pub use self::options::{OutputOptions, parse_arguments, run};
pub use self::printer::Printer;
pub use self::progress::Bar;
pub use self::quantity::{Bytes, Count, Duration};

/// What the help of a command ends with: its examples, and the exit codes that all commands share.
#[macro_export]
macro_rules! help_end {
    ($examples:literal) => {
        concat!(
            "Examples:\n  ",
            $examples,
            "\n\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 refused, 130 interrupted"
        )
    };
}
