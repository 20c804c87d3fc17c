//! Whose signatures count.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::Channel;
use crate::minisign::PublicKey;

/// For which bundles a key is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Bundles of every channel.
    EveryChannel,
    /// Bundles of these channels.
    Channels(BTreeSet<Channel>),
    /// Bundles of every channel but these, which have keys of their own.
    EveryChannelBut(BTreeSet<Channel>),
}

impl Scope {
    /// Whether it takes in this channel.
    pub fn contains(&self, channel: &Channel) -> bool {
        match self {
            Self::EveryChannel => true,
            Self::Channels(channels) => channels.contains(channel),
            Self::EveryChannelBut(channels) => !channels.contains(channel),
        }
    }
}

/// The keys that count, each with the channels for which it does, and how many of them must have signed.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    keys: BTreeMap<PublicKey, Scope>,
    threshold: NonZeroUsize,
}

impl TrustPolicy {
    /// One signature by any of these keys is enough.
    pub fn any_of(keys: impl IntoIterator<Item = (PublicKey, Scope)>) -> Self {
        Self { keys: keys.into_iter().collect(), threshold: NonZeroUsize::MIN }
    }

    /// The keys, whatever their channels.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.keys()
    }

    /// Whether the key counts for bundles of `channel`.
    pub(crate) fn counts_for(&self, key: &PublicKey, channel: &Channel) -> bool {
        self.keys.get(key).is_some_and(|scope| scope.contains(channel))
    }

    /// How many distinct keys must have signed.
    pub fn threshold(&self) -> NonZeroUsize {
        self.threshold
    }
}
