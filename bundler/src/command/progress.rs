//! The stages of a build as bars.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use goferry_manifest::bundle::Manifest;
use goferry_terminal::{Bar, Printer};

use crate::build::{Progress, Stage};
use crate::fetch::closure::{Job, Observer};
use crate::http;

/// One bar that shows what is fetched: bytes, speed, how many of how many, and what.
pub(super) struct BuildBars<'p> {
    printer: &'p Printer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bar: Option<Bar>,
    done: usize,
    planned: usize,
    under_way: BTreeSet<String>,
}

impl<'p> BuildBars<'p> {
    pub(super) fn new(printer: &'p Printer) -> Self {
        Self { printer, state: Mutex::new(State::default()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `12/120 golang.org/x/text@v0.3.0`: the first of those under way, so that the line does not flicker.
    fn show(&self) {
        if let (Some(bar), Some(what)) = (&self.bar, self.under_way.first()) {
            bar.set_message(format!("{}/{} {what}", self.done, self.planned));
        }
    }
}

impl Progress for BuildBars<'_> {
    fn stage(&self, stage: Stage) {
        let (verb, what) = match stage {
            Stage::Prove => ("Proving", "by the checksum database"),
            Stage::Fetch => ("Fetching", ""),
            Stage::List => ("Listing", "the modules of the projects, with the bundled go"),
        };
        let mut shown = self.state();
        // The old one goes first, so that there are never two.
        shown.bar = None;
        let bar = self.printer.bar(verb, 0);
        bar.set_message(what);
        *shown = State { bar: Some(bar), ..State::default() };
    }

    fn planned(&self, jobs: usize) {
        self.state().planned += jobs;
    }

    fn warn(&self, warning: &str) {
        self.printer.warning(warning);
    }
}

impl Observer for BuildBars<'_> {
    fn started(&self, job: &Job) {
        let mut state = self.state();
        state.under_way.insert(job.name());
        state.show();
    }

    fn finished(&self, job: &Job) {
        let mut state = self.state();
        state.under_way.remove(&job.name());
        state.done += 1;
        state.show();
    }
}

impl http::Progress for BuildBars<'_> {
    fn received(&self, bytes: u64) {
        if let Some(bar) = &self.state().bar {
            bar.advance(bytes);
        }
    }

    fn dropped(&self, bytes: u64) {
        if let Some(bar) = &self.state().bar {
            bar.retreat(bytes);
        }
    }
}

/// A bar over the bytes that are compressed.
pub(super) fn pack_bar(printer: &Printer, manifest: &Manifest) -> Bar {
    printer.bar("Packing", manifest.blobs().iter().map(|blob| blob.size).sum())
}
