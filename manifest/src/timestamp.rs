//! Moments: RFC 3339 in UTC with whole seconds, and nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A moment between the years 0 and 9999, as text `2026-11-24T08:15:00Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

/// A text that is no such moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a time such as `2026-11-24T08:15:00Z` (RFC 3339, UTC, whole seconds)", text.escape_debug())]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// The moment `seconds` after 1970; `None` outside of the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let moment = jiff::Timestamp::from_second(seconds).ok()?;
        // Only what its own text gives back is a value of this type.
        moment.to_string().parse().ok()
    }

    /// Seconds since 1970.
    pub fn as_unix(self) -> i64 {
        self.0.as_second()
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let canonical = |moment: &jiff::Timestamp| text.len() == 20 && moment.to_string() == text;
        text.parse()
            .ok()
            .filter(canonical)
            .map(Self)
            .ok_or_else(|| TimestampError { text: text.chars().take(80).collect() })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utc_with_whole_seconds_parses() {
        assert_eq!("2026-11-24T08:15:00Z".parse::<Timestamp>().unwrap().to_string(), "2026-11-24T08:15:00Z");
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T08:15:00",
            "2026-11-24T08:15:00+00:00",
            "2026-11-24T08:15:00.5Z",
            "2026-11-24t08:15:00z",
            "2026-11-24 08:15:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-24T08:15:60Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn years_that_the_text_cannot_hold_are_no_timestamps() {
        assert!(Timestamp::from_unix(0).is_some());
        assert!(Timestamp::from_unix(i64::MAX).is_none());
        assert!(Timestamp::from_unix(-70_000_000_000).is_none());
    }
}
