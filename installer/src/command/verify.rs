//! `goport verify`: everything about a bundle that can be known without installing it.

use std::path::PathBuf;
use std::time::Instant;

use camino::Utf8PathBuf;
use clap::Args;
use goferry_manifest::trust::TrustPolicy;
use goferry_terminal::{CommandError, Duration, Environment, Kind, Printer, help_end};

use super::error::{install_error, public_key_error, state_error};
use super::interrupt;
use super::location::{Location, LocationOptions};
use super::progress::Bars;
use super::summary::{Detail, print_summary};
use crate::key_file::read_public_key;
use crate::summary::Summary;
use crate::{Effort, state};

/// Check a bundle: signature, tables, every pack and every file; install nothing
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goport verify web.goferry                  by the keys that the prefix trusts
  goport verify web.goferry --key ops.pub    by this key"
))]
pub(super) struct Verify {
    /// The bundle
    #[arg(value_name = "FILE")]
    bundle: Utf8PathBuf,
    #[command(flatten)]
    key: KeyOption,
    #[command(flatten)]
    location: LocationOptions,
}

/// The option that narrows the keys that count.
#[derive(Args, Clone, Debug)]
pub(super) struct KeyOption {
    /// Accept only this key's signature; for a channel that has keys already it must be one of them
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
}

impl KeyOption {
    /// Whose signatures count.
    pub(super) fn policy(&self, location: &Location) -> Result<TrustPolicy, CommandError> {
        let store = state::read_trust(&location.prefix, &location.root)
            .map_err(|error| state_error(&error, &location.prefix))?;
        let Some(path) = &self.key else {
            if store.keys().len() == 0 {
                let message = format!("no key is trusted under `{}`", location.prefix);
                return Err(CommandError::new(Kind::Refused, message)
                    .state(format!("nothing was changed under `{}`", location.prefix))
                    .hint("give the signer's public key with `--key PUB`, or trust it with `goport trust add PUB`"));
            }
            return Ok(store.policy());
        };
        let key = read_public_key(path).map_err(|error| {
            public_key_error(&error).state(format!("nothing was changed under `{}`", location.prefix))
        })?;
        Ok(store.policy_of_one(key))
    }

    /// Whether a key was named.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some()
    }
}

impl Verify {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let started = Instant::now();
        let location = self.location.to_read(environment)?;
        let trust = self.key.policy(&location)?;
        // This command changes nothing, whatever happens; saying so calms.
        let failed = |error| {
            install_error(&error, &self.bundle, None)
                .state(format!("nothing was changed under `{}`", location.prefix))
        };
        let bundle = crate::verify(&self.bundle, &trust, Effort::new(interrupt::flag()), &Bars::new(printer))
            .map_err(failed)?;
        let size = bundle.size().map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        printer.status("Verified", format_args!("{} in {}", self.bundle, Duration(started.elapsed())));
        print_summary(printer, "verify", &Summary::of(&bundle, size), Detail::Totals);
        Ok(())
    }
}
