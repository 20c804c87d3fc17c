//! Channels and sequence numbers: which bundle replaces which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A bundle's `name`. Successive bundles of one channel replace each other on a host.
///
/// `[a-z0-9][a-z0-9._-]{0,63}`: it appears in file names, comments and messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Channel(String);

/// A text that is no channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a channel name: 1 to 64 characters of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit", text.escape_debug())]
pub struct ChannelError {
    text: String,
}

impl Channel {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        let first = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let ok = text.len() <= 64
            && text.as_bytes().first().is_some_and(first)
            && text.bytes().all(|c| first(&c) || b"._-".contains(&c));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(ChannelError { text: text.chars().take(80).collect() })
        }
    }
}

impl TryFrom<String> for Channel {
    type Error = ChannelError;

    fn try_from(text: String) -> Result<Self, ChannelError> {
        text.parse()
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A bundle's number within its channel, from 1 to 2^53 - 1: every JSON reader holds it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Sequence(u64);

/// A number that is no sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not a sequence number from 1 to 9007199254740991")]
pub struct SequenceError(u64);

impl Sequence {
    /// The first bundle of a channel.
    pub const FIRST: Self = Self(1);

    /// The next number; `None` after the last.
    pub fn next(self) -> Option<Self> {
        Self::try_from(self.0 + 1).ok()
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Sequence {
    type Error = SequenceError;

    fn try_from(number: u64) -> Result<Self, SequenceError> {
        if (1..1 << 53).contains(&number) { Ok(Self(number)) } else { Err(SequenceError(number)) }
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_file_names() {
        for text in ["web", "platform-7", "a.b_c", "7", &"a".repeat(64)] {
            assert_eq!(text.parse::<Channel>().unwrap().as_str(), text);
        }
        for text in ["", "-a", ".a", "A", "a b", "a/b", "a\n", "é", &"a".repeat(65)] {
            assert!(text.parse::<Channel>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn sequences_end_below_two_to_the_53() {
        // bad-inputs #18
        assert!(Sequence::try_from(0).is_err());
        assert!(Sequence::try_from(1 << 53).is_err());
        assert!(Sequence::try_from(u64::MAX).is_err());
        assert_eq!(Sequence::try_from((1 << 53) - 1).unwrap().next(), None);
        assert_eq!(Sequence::FIRST.next(), Sequence::try_from(2).ok());
    }
}
