//! `goport verify`: everything about a bundle that can be known without installing it.

use std::path::PathBuf;
use std::time::Instant;

use camino::Utf8PathBuf;
use clap::Args;
use goferry_manifest::bundle::BundleError;
use goferry_manifest::trust::TrustPolicy;
use goferry_terminal::{CommandError, Duration, Environment, Kind, Printer, help_end};

use super::error::{install_error, public_key_error, state_error};
use super::interrupt;
use super::location::{Location, LocationOptions};
use super::progress::Bars;
use super::summary::{Detail, print_summary};
use crate::key_file::{quoted, read_public_key};
use crate::summary::Summary;
use crate::{Effort, InstallError, state};

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
        let store =
            state::read_trust(&location.prefix, &location.root).map_err(|error| state_error(&error))?;
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
        let policy = store.policy_of_one(key);
        if policy.keys().next().is_none() {
            return Err(only_narrows("every channel", path)
                .state(format!("nothing was changed under `{}`", location.prefix)));
        }
        Ok(policy)
    }

    /// A bundle that was refused because `--key` names a key that does not count for its channel.
    pub(super) fn refusal(&self, error: &InstallError) -> Option<CommandError> {
        match (&self.key, error) {
            (Some(path), InstallError::Bundle(BundleError::Threshold { channel, .. })) => {
                Some(only_narrows(&format!("channel `{channel}`"), path))
            }
            _ => None,
        }
    }

    /// Whether a key was named.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some()
    }
}

fn only_narrows(channels: &str, key: &std::path::Path) -> CommandError {
    let message = format!("`--key` can only narrow: this prefix trusts other keys for {channels}");
    let add = format!("goport trust add {}", quoted(key));
    CommandError::new(Kind::Refused, message)
        .hint("`goport trust list` shows which keys are trusted for which channel")
        .hint(format!("if this key is to count too, compare its fingerprint with the signer, then `{add}`"))
}

impl Verify {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let started = Instant::now();
        let location = self.location.to_read(environment)?;
        let trust = self.key.policy(&location)?;
        // This command changes nothing, whatever happens; saying so calms.
        let failed = |error| {
            let refusal = self.key.refusal(&error);
            refusal
                .unwrap_or_else(|| install_error(&error, &self.bundle, None))
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

#[cfg(test)]
mod tests {
    use goferry_manifest::minisign::{KeyId, PublicKey, SecretKey};

    use super::*;
    use crate::prefix::Root;

    fn key(seed: u8) -> PublicKey {
        SecretKey::generate(&[seed; 32].into(), KeyId::from_bytes([seed; 8])).public_key()
    }

    #[test]
    fn another_key_than_the_trusted_ones_is_said_to_narrow_only() {
        let place = tempfile::tempdir().unwrap();
        let prefix = place.path().join("there").to_str().unwrap().parse().unwrap();
        let location = Location { prefix, root: Root::host() };
        let file = place.path().join("other.pub");
        std::fs::write(&file, key(2).to_file_text()).unwrap();
        let option = KeyOption { key: Some(file) };
        let trust = |channel: Option<&str>| {
            let channel = channel.map(|name| name.parse().unwrap());
            state::change_trust(&location.prefix, &location.root, |store| store.add(key(1), channel)).unwrap()
        };
        trust(Some("web"));
        option.policy(&location).unwrap();
        let threshold = BundleError::Threshold { channel: "web".parse().unwrap(), needed: 1, actual: 0 };
        let error = option.refusal(&InstallError::Bundle(threshold)).unwrap();
        let message = |error: &CommandError| error.to_json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(
            message(&error),
            "`--key` can only narrow: this prefix trusts other keys for channel `web`"
        );
        trust(None);
        let error = option.policy(&location).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(
            message(&error),
            "`--key` can only narrow: this prefix trusts other keys for every channel"
        );
    }
}
