//! `goferry`: the connected side of goferry.

use std::process::ExitCode;

fn main() -> ExitCode {
    goferry::command::main()
}
