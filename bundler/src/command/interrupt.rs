//! Ctrl-C and SIGTERM: running requests and packs come to an end, and no file has its final name yet.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::parallel::Stop;

/// What running work looks at; an error stops it too.
static STOP: Stop = Stop::new();
/// Whether it was the user.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Is asked to stop when the user asks.
///
/// Where no handler can be set, a signal ends the process as usual: that too leaves no half-written bundle.
pub(super) fn stop() -> &'static Stop {
    let _ = ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::Relaxed);
        STOP.stop();
    });
    &STOP
}

/// Whether the user asked to stop.
pub(super) fn happened() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
