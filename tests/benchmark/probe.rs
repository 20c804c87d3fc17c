//! Whether the machine really has two cores for us at this moment.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use goferry_manifest::Sha256Digest;

/// Bytes that each thread hashes.
const BYTES: usize = 64 << 20;
const ROUNDS: usize = 3;

/// How much more two threads do than one in the same time: 2.0 on two idle cores.
pub(crate) fn speed_up() -> f64 {
    let bytes = vec![1; BYTES];
    let hash = || {
        black_box(Sha256Digest::of(black_box(&bytes)));
    };
    let both = || {
        thread::scope(|scope| {
            scope.spawn(hash);
            hash();
        });
    };
    2.0 * least(hash).as_secs_f64() / least(both).as_secs_f64()
}

fn least(work: impl Fn()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap_or_default()
}
