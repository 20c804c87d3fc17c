//! Wall time, processor time and peak memory of one program.
//!
//! The kernel keeps one peak for all children that a process has waited for, so each program is started by a process
//! of its own: this program again, as `benchmark --measure PROGRAM ARGUMENT…`. It is small, which matters because a
//! child's peak is never below that of the process that started it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::failure::{Failure, Result, shown};

const HELPER: &str = "--measure";

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Time on processors, of the program and its children; unknown for what ran in this process.
    pub(crate) cpu: Option<Duration>,
    /// Bytes of the largest process among the program and its children; unknown for what ran in this process.
    pub(crate) peak: Option<u64>,
}

/// A command that [`run`] measures: give it arguments and environment as if it were the program itself.
pub(crate) fn program(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(HELPER).arg(program).stdin(Stdio::null());
    Ok(command)
}

/// Runs a command of [`program`] that is to succeed.
pub(crate) fn run(command: &mut Command) -> Result<Measured> {
    run_expecting(0, command)
}

/// Runs a command of [`program`] that is to end with this code.
pub(crate) fn run_expecting(expected: i32, command: &mut Command) -> Result<Measured> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((measured, code)) = parse(&text) else {
        let output = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        return Err(Failure::NotMeasured { command: shown(command), output }.into());
    };
    if code != Some(expected) {
        let actual = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::Exit { command: shown(command), expected, actual, stderr }.into());
    }
    Ok(measured)
}

/// Measures something that is done in this process.
pub(crate) fn in_process(work: impl FnOnce() -> Result<()>) -> Result<Measured> {
    let start = Instant::now();
    work()?;
    Ok(Measured { wall: start.elapsed(), cpu: None, peak: None })
}

/// Starts the program and says what it took, if that is what this process is for.
pub(crate) fn helper(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.nth(1)? != HELPER {
        return None;
    }
    let program = arguments.next()?;
    match measure(Command::new(program).args(arguments)) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn measure(command: &mut Command) -> io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let code = status.code().map_or_else(|| "-".to_owned(), |code| code.to_string());
    writeln!(io::stdout(), "{} {cpu} {} {code}", wall.as_micros(), usage.max_rss())
}

/// Microseconds, microseconds, KiB, exit code.
fn parse(text: &str) -> Option<(Measured, Option<i32>)> {
    let mut words = text.split_whitespace();
    let wall = Duration::from_micros(words.next()?.parse().ok()?);
    let cpu = Some(Duration::from_micros(words.next()?.parse().ok()?));
    let peak = Some(words.next()?.parse::<u64>().ok()?.checked_mul(1024)?);
    Some((Measured { wall, cpu, peak }, words.next()?.parse().ok()))
}
