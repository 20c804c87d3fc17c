//! `goport`: the air-gapped side of goferry.

use std::process::ExitCode;

fn main() -> ExitCode {
    goport::command::main()
}
