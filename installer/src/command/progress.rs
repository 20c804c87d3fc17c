//! The library's progress as bars.

use std::sync::{Mutex, PoisonError};

use goferry_terminal::{Bar, Printer};

use crate::{Reporter, Stage};

/// One bar for each stage, which takes the place of the one before.
pub(super) struct Bars<'p> {
    printer: &'p Printer,
    bar: Mutex<Option<(Bar, u64)>>,
}

impl<'p> Bars<'p> {
    pub(super) fn new(printer: &'p Printer) -> Self {
        Self { printer, bar: Mutex::new(None) }
    }
}

impl Reporter for Bars<'_> {
    fn stage(&self, stage: Stage) {
        let verb = match stage {
            Stage::Verify => "Verifying",
            Stage::Link => "Linking",
            Stage::Unpack => "Unpacking",
            Stage::Zips => "Zipping",
            Stage::Sync => "Syncing",
            Stage::Activate => "Activating",
        };
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        // The old one goes first, so that there are never two.
        *bar = None;
        *bar = Some((self.printer.bar(verb, 0), 0));
    }

    fn progress(&self, done: u64, total: u64) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, known)) = bar.as_mut() {
            if *known != total {
                bar.set_total(total);
                *known = total;
            }
            bar.set_position(done);
        }
    }
}
