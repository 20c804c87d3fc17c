//! Ctrl-C and SIGTERM: the work ends between two steps, and the host stays as it was.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Becomes true when the user asks to stop.
///
/// Where no handler can be set, a signal ends the process as usual: that too leaves the host as it was.
pub fn flag() -> &'static AtomicBool {
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    &INTERRUPTED
}
