//! `state/trust.json`: the keys that this prefix trusts, and for which channels.

use std::collections::{BTreeMap, BTreeSet};

use goferry_manifest::minisign::{KeyId, PublicKey};
use goferry_manifest::trust::{Scope, TrustPolicy};
use goferry_manifest::{Channel, Sha256Digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the file's shape.
const SCHEMA: u32 = 1;

/// The trusted keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    keys: BTreeMap<PublicKey, TrustedFor>,
}

/// For which channels a key is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedFor {
    /// For all of them.
    EveryChannel,
    /// For these.
    Channels(BTreeSet<Channel>),
}

/// Why a trust store cannot be used.
#[derive(Debug, Error)]
pub enum TrustStoreError {
    /// Not the document.
    #[error("not a trust store: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a version that knows more.
    #[error("the trust store has schema {0}; this version reads schema {SCHEMA}")]
    Schema(u32),
    /// A fingerprint that is not that of its key.
    #[error("the fingerprint beside key {key} is not that key's")]
    Fingerprint {
        /// The key.
        key: KeyId,
        /// What the key's fingerprint is.
        expected: Sha256Digest,
        /// What stands beside it.
        actual: Sha256Digest,
    },
    /// One key twice.
    #[error("key {0} is listed twice")]
    Twice(KeyId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: PublicKey,
    /// For people who read the file; compared when it is read.
    fingerprint: Sha256Digest,
    /// Absent: every channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<BTreeSet<Channel>>,
}

impl TrustStore {
    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustStoreError> {
        let Document { schema, keys: entries } = serde_json::from_slice(bytes)?;
        if schema != SCHEMA {
            return Err(TrustStoreError::Schema(schema));
        }
        let mut keys = BTreeMap::new();
        for Entry { key, fingerprint, channels } in entries {
            let expected = key.fingerprint();
            if fingerprint != expected {
                return Err(TrustStoreError::Fingerprint {
                    key: key.key_id(),
                    expected,
                    actual: fingerprint,
                });
            }
            let scope = channels.map_or(TrustedFor::EveryChannel, TrustedFor::Channels);
            if keys.insert(key, scope).is_some() {
                return Err(TrustStoreError::Twice(key.key_id()));
            }
        }
        Ok(Self { keys })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entry = |(key, scope): (&PublicKey, &TrustedFor)| Entry {
            key: *key,
            fingerprint: key.fingerprint(),
            channels: match scope {
                TrustedFor::EveryChannel => None,
                TrustedFor::Channels(channels) => Some(channels.clone()),
            },
        };
        let document = Document { schema: SCHEMA, keys: self.keys.iter().map(entry).collect() };
        let mut bytes = serde_json::to_vec_pretty(&document).expect("trust stores have only string keys");
        bytes.push(b'\n');
        bytes
    }

    /// The keys, with what they are trusted for.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = (&PublicKey, &TrustedFor)> {
        self.keys.iter()
    }

    /// Trusts `key` for `channel`, or for every channel. False if it was trusted so before.
    pub fn add(&mut self, key: PublicKey, channel: Option<Channel>) -> bool {
        match (self.keys.get_mut(&key), channel) {
            (Some(TrustedFor::EveryChannel), _) => false,
            (Some(TrustedFor::Channels(channels)), Some(channel)) => channels.insert(channel),
            (_, None) => {
                self.keys.insert(key, TrustedFor::EveryChannel);
                true
            }
            (None, Some(channel)) => {
                self.keys.insert(key, TrustedFor::Channels(BTreeSet::from([channel])));
                true
            }
        }
    }

    /// Trusts `key` no more. False if it was not trusted.
    pub fn remove(&mut self, key: &PublicKey) -> bool {
        self.keys.remove(key).is_some()
    }

    /// The policy that follows from the store alone.
    pub fn policy(&self) -> TrustPolicy {
        TrustPolicy::any_of(self.keys.iter().map(|(key, scope)| (*key, scope.to_scope())))
    }

    /// The policy of a run with `--key`: that key alone. It counts for the channels for which the store trusts it, and
    /// for those that have no key yet.
    pub fn policy_of_one(&self, key: PublicKey) -> TrustPolicy {
        TrustPolicy::any_of(self.scope_of_one(&key).map(|scope| (key, scope)))
    }

    /// Whether a bundle of `channel` signed by `key` pins that key: the channel has none yet.
    pub fn pins(&self, channel: &Channel) -> bool {
        !self.keys.values().any(|scope| scope.to_scope().contains(channel))
    }

    fn scope_of_one(&self, key: &PublicKey) -> Option<Scope> {
        if let Some(TrustedFor::EveryChannel) = self.keys.get(key) {
            return Some(Scope::EveryChannel);
        }
        let mut taken = BTreeSet::new();
        for (_, scope) in self.keys.iter().filter(|(other, _)| *other != key) {
            match scope {
                // Every channel has a key: only what the store says of this one counts.
                TrustedFor::EveryChannel => return self.keys.get(key).map(TrustedFor::to_scope),
                TrustedFor::Channels(channels) => taken.extend(channels.iter().cloned()),
            }
        }
        if let Some(TrustedFor::Channels(own)) = self.keys.get(key) {
            taken.retain(|channel| !own.contains(channel));
        }
        Some(if taken.is_empty() { Scope::EveryChannel } else { Scope::EveryChannelBut(taken) })
    }
}

impl TrustedFor {
    fn to_scope(&self) -> Scope {
        match self {
            Self::EveryChannel => Scope::EveryChannel,
            Self::Channels(channels) => Scope::Channels(channels.clone()),
        }
    }
}

impl std::fmt::Display for TrustedFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EveryChannel => f.write_str("every channel"),
            Self::Channels(channels) => {
                let names: Vec<_> = channels.iter().map(Channel::as_str).collect();
                write!(f, "{}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use goferry_manifest::minisign::SecretKey;

    use super::*;

    fn key(seed: u8) -> PublicKey {
        SecretKey::generate(&[seed; 32].into(), KeyId::from_bytes([seed; 8])).public_key()
    }

    fn channel(name: &str) -> Channel {
        name.parse().unwrap()
    }

    #[test]
    fn a_store_survives_the_round_trip() {
        let mut store = TrustStore::default();
        assert!(store.add(key(1), None));
        assert!(store.add(key(2), Some(channel("web"))));
        assert!(store.add(key(2), Some(channel("cli"))));
        assert!(!store.add(key(2), Some(channel("cli"))));
        assert!(!store.add(key(1), Some(channel("cli"))));
        assert_eq!(TrustStore::parse(&store.to_bytes()).unwrap(), store);
        assert!(store.remove(&key(1)));
        assert!(!store.remove(&key(1)));
    }

    #[test]
    fn edited_stores_are_refused() {
        let mut store = TrustStore::default();
        store.add(key(1), None);
        let text = String::from_utf8(store.to_bytes()).unwrap();
        let other = key(2).fingerprint().to_string();
        let edits = [
            text.replace(&key(1).fingerprint().to_string(), &other),
            text.replace("\"schema\": 1", "\"schema\": 2"),
            text.replace("\"schema\"", "\"extra\": 1, \"schema\""),
            String::new(),
        ];
        for edit in edits {
            assert!(TrustStore::parse(edit.as_bytes()).is_err(), "{edit}");
        }
    }

    #[test]
    fn a_key_on_the_command_line_counts_only_where_no_other_key_does() {
        let (web, cli) = (channel("web"), channel("cli"));
        let mut store = TrustStore::default();
        assert_eq!(store.scope_of_one(&key(1)), Some(Scope::EveryChannel));
        assert!(store.pins(&web));
        store.add(key(2), Some(web.clone()));
        let scope = store.scope_of_one(&key(1)).unwrap();
        assert!(!scope.contains(&web) && scope.contains(&cli));
        assert!(!store.pins(&web) && store.pins(&cli));
        let own = store.scope_of_one(&key(2)).unwrap();
        assert!(own.contains(&web) && own.contains(&cli));
        store.add(key(3), None);
        assert_eq!(store.scope_of_one(&key(1)), None);
        assert_eq!(store.scope_of_one(&key(2)), Some(Scope::Channels(BTreeSet::from([web.clone()]))));
        assert_eq!(store.scope_of_one(&key(3)), Some(Scope::EveryChannel));
        assert!(!store.pins(&cli));
    }
}
