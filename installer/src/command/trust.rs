//! `goport trust`: the keys that a prefix trusts.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use goferry_manifest::Channel;
use goferry_manifest::minisign::PublicKey;
use goferry_terminal::{CommandError, Environment, Kind, Printer, help_end};
use serde::Serialize;

use super::error::{public_key_error, state_error};
use super::location::{Location, LocationOptions};
use crate::key_file::read_public_key;
use crate::state;
use crate::trust_store::{TrustStore, TrustedFor};

/// Manage the keys whose bundles this prefix accepts
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goport trust add ops.pub
  goport trust add team.pub --channel web
  goport trust list
  goport trust remove ops.pub

Compare the fingerprint with the signer over a second channel before you trust a key."
))]
pub(super) struct Trust {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Trust a key
    Add {
        /// The public key file
        #[arg(value_name = "PUB")]
        key: PathBuf,
        /// For bundles of this channel only (can be repeated)
        #[arg(long, value_name = "NAME")]
        channel: Vec<Channel>,
        #[command(flatten)]
        location: LocationOptions,
    },
    /// Show the trusted keys
    List {
        #[command(flatten)]
        location: LocationOptions,
    },
    /// Trust a key no more
    Remove {
        /// The public key file, or the key's id or fingerprint as `list` shows them
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        location: LocationOptions,
    },
}

#[derive(Serialize)]
struct Report {
    action: &'static str,
    changed: bool,
    prefix: String,
    keys: Vec<KeyReport>,
}

#[derive(Serialize)]
struct KeyReport {
    key_id: String,
    fingerprint: String,
    /// Absent: every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<Channel>>,
}

impl Trust {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        match self.verb {
            Verb::Add { key, channel, location } => {
                add(printer, &location.to_write(environment)?, &key, channel)
            }
            Verb::List { location } => list(printer, &location.to_read(environment)?),
            Verb::Remove { key, location } => remove(printer, &location.to_write(environment)?, &key),
        }
    }
}

fn add(
    printer: &Printer,
    location: &Location,
    path: &Path,
    channels: Vec<Channel>,
) -> Result<(), CommandError> {
    let key = read_public_key(path).map_err(|error| public_key_error(&error))?;
    let change = |store: &mut TrustStore| {
        if channels.is_empty() {
            return store.add(key, None);
        }
        channels.into_iter().fold(false, |changed, channel| store.add(key, Some(channel)) | changed)
    };
    let (store, changed) =
        state::change_trust(&location.prefix, &location.root, change).map_err(|error| state_error(&error))?;
    let scope = store.keys().find(|(other, _)| **other == key).map(|(_, scope)| scope.to_string());
    let scope = scope.unwrap_or_default();
    let verb = if changed { "trusted" } else { "trusted already" };
    printer.summary(format_args!("{verb} for {scope}: key {}", key.key_id()));
    printer.summary(format_args!("fingerprint {}", key.fingerprint()));
    printer.object(&report("trust-add", changed, location, &store));
    Ok(())
}

fn list(printer: &Printer, location: &Location) -> Result<(), CommandError> {
    let store = state::read_trust(&location.prefix, &location.root).map_err(|error| state_error(&error))?;
    if store.keys().len() == 0 {
        printer.line(format_args!("no key is trusted under `{}`", location.prefix));
    }
    for (key, scope) in store.keys() {
        printer.line(format_args!("{}  for {scope}", key.key_id()));
        printer.line(format_args!("  fingerprint {}", key.fingerprint()));
    }
    printer.object(&report("trust-list", false, location, &store));
    Ok(())
}

fn remove(printer: &Printer, location: &Location, text: &str) -> Result<(), CommandError> {
    let store = state::read_trust(&location.prefix, &location.root).map_err(|error| state_error(&error))?;
    let key = find(&store, text)?;
    let change = |store: &mut TrustStore| store.remove(&key);
    let (store, changed) =
        state::change_trust(&location.prefix, &location.root, change).map_err(|error| state_error(&error))?;
    printer.summary(format_args!("trusted no more: key {}", key.key_id()));
    printer.object(&report("trust-remove", changed, location, &store));
    Ok(())
}

/// The trusted key that the text names: by id, by fingerprint, or by file.
fn find(store: &TrustStore, text: &str) -> Result<PublicKey, CommandError> {
    let named: Vec<_> = store
        .keys()
        .map(|(key, _)| *key)
        .filter(|key| {
            let names = [key.key_id().to_string(), key.fingerprint().to_string()];
            names.iter().any(|name| name.eq_ignore_ascii_case(text))
        })
        .collect();
    match named[..] {
        [key] => return Ok(key),
        // Digits of an id or a fingerprint, unless it is a file's name.
        [] if matches!(text.len(), 16 | 64)
            && text.chars().all(|c| c.is_ascii_hexdigit())
            && !Path::new(text).exists() =>
        {
            return Err(not_trusted(text));
        }
        [] => {}
        _ => {
            let message = format!("several trusted keys have the id {text}");
            return Err(CommandError::new(Kind::Usage, message).hint("name the key by its fingerprint"));
        }
    }
    let key = read_public_key(text.as_ref()).map_err(|error| {
        public_key_error(&error).hint("`goport trust list` shows ids and fingerprints of the trusted keys")
    })?;
    if store.keys().any(|(other, _)| *other == key) {
        Ok(key)
    } else {
        Err(not_trusted(&key.key_id().to_string()))
    }
}

fn not_trusted(name: &str) -> CommandError {
    CommandError::new(Kind::Failed, format!("key {name} is not trusted here"))
        .hint("`goport trust list` shows ids and fingerprints of the trusted keys")
}

fn report(action: &'static str, changed: bool, location: &Location, store: &TrustStore) -> Report {
    let key = |(key, scope): (&PublicKey, &TrustedFor)| KeyReport {
        key_id: key.key_id().to_string(),
        fingerprint: key.fingerprint().to_string(),
        channels: match scope {
            TrustedFor::EveryChannel => None,
            TrustedFor::Channels(channels) => Some(channels.iter().cloned().collect()),
        },
    };
    Report { action, changed, prefix: location.prefix.to_string(), keys: store.keys().map(key).collect() }
}

#[cfg(test)]
mod tests {
    use goferry_manifest::minisign::{KeyId, SecretKey};

    use super::*;

    #[test]
    fn a_key_is_found_by_id_and_fingerprint_and_an_unknown_id_is_not_taken_for_a_file() {
        let key = SecretKey::generate(&[1; 32].into(), KeyId::from_bytes([0xbb; 8])).public_key();
        let mut store = TrustStore::default();
        store.add(key, None);
        let (id, fingerprint) = (key.key_id().to_string(), key.fingerprint().to_string());
        for name in [&id, &id.to_lowercase(), &fingerprint] {
            assert_eq!(find(&store, name).unwrap(), key, "{name}");
        }
        let message = |text: &str| {
            let error = find(&store, text).unwrap_err().to_json();
            error["error"]["message"].as_str().unwrap().to_owned()
        };
        assert_eq!(message("BB63000000000000"), "key BB63000000000000 is not trusted here");
        assert!(message(&"0".repeat(64)).ends_with(" is not trusted here"));
        assert_eq!(message("no.pub"), "cannot read the key file `no.pub`");
    }
}
