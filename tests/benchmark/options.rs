//! The command line of the benchmark.

use std::path::PathBuf;

use clap::Parser;

/// zstd's level for packs with `--quick`.
const QUICK_LEVEL: i32 = 3;
/// zstd's level for packs, the one that `goferry build` uses.
const LEVEL: i32 = 19;

/// Measure goferry and goport against tar, gzip, zstd, sha256sum and go
#[derive(Parser, Debug)]
#[command(
    name = "benchmark",
    after_help = "\
Examples:
  cargo benchmark                          everything; ten minutes on two cores
  cargo benchmark --quick                  level 3, one round: to see that it works
  cargo benchmark --only install --only refusal --rounds 9"
)]
pub(crate) struct Options {
    /// Rounds of each row; the least time of each side counts [default: 5, with --quick 1]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Only this row (can be repeated)
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Pack at level 3, and measure one round on less
    #[arg(long)]
    pub(crate) quick: bool,
    /// Where everything that is measured lies: a tmpfs with 3 GiB free
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub(crate) dir: PathBuf,
    /// This goferry instead of one built for the purpose
    #[arg(long, value_name = "PROGRAM", requires = "goport")]
    pub(crate) goferry: Option<PathBuf>,
    /// This goport instead of one built for the purpose
    #[arg(long, value_name = "PROGRAM", requires = "goferry")]
    pub(crate) goport: Option<PathBuf>,
}

impl Options {
    /// How often each side of a row is measured.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1)
    }

    /// zstd's level for packs.
    pub(crate) fn level(&self) -> i32 {
        if self.quick { QUICK_LEVEL } else { LEVEL }
    }
}
