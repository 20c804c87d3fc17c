//! `cargo benchmark`: one table of goferry and goport against the tools that people use today.
//!
//! See `docs/benchmark.md` for what each row means. It is no test: nothing fails because a number is bad.

mod archive;
mod failure;
mod interleave;
mod measure;
mod options;
mod probe;
mod rows;
mod scratch;
mod subset;
mod table;
mod world;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;

use self::failure::Result;
use self::options::Options;
use self::world::World;

fn main() -> ExitCode {
    // Before anything else: this process is then a small one that starts the program to be measured.
    if let Some(code) = measure::helper(std::env::args_os()) {
        return code;
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let chosen = rows::chosen(&options.only)?;
    let world = World::new(options)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", world.describe()?)?;
    writeln!(out, "two threads did {:.2} times the work of one, before", probe::speed_up())?;
    let mut table = Vec::new();
    for (name, measure) in chosen {
        world.say(format_args!("measuring {name}"));
        table.extend(measure(&world)?);
    }
    writeln!(out, "two threads did {:.2} times the work of one, after\n", probe::speed_up())?;
    write!(out, "{}", table::Table(&table))?;
    if options.quick {
        writeln!(
            out,
            "\n--quick: packs at level 3 instead of 19, fewer rounds and modules. Sizes are not the real ones."
        )?;
    }
    Ok(())
}
