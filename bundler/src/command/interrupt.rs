//! Ctrl-C and SIGTERM: running requests and packs come to an end, and no file has its final name yet.

use crate::parallel::Stop;

static STOP: Stop = Stop::new();

/// Is asked to stop when the user asks.
///
/// Where no handler can be set, a signal ends the process as usual: that too leaves no half-written bundle.
pub(super) fn stop() -> &'static Stop {
    let _ = ctrlc::set_handler(|| STOP.stop());
    &STOP
}
