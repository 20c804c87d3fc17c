//! Headers that decide how a transfer goes on.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_LENGTH, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use serde::{Deserialize, Serialize};

/// What a server said of a body that began to come: by it the rest can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continuation {
    /// Bytes of the whole body.
    pub length: u64,
    /// A strong validator for If-Range (RFC 9110 §13.1.5). Many proxies send none; then only the length connects the
    /// parts, and the proof of the whole decides.
    pub validator: Option<String>,
}

impl Continuation {
    /// What the headers of a complete response (200) allow.
    pub fn of_response(headers: &HeaderMap) -> Option<Self> {
        Some(Self { length: content_length(headers)?, validator: strong_validator(headers) })
    }

    /// Checks the headers of a partial response (206) to a request for the bytes from `start`.
    pub fn check_partial(&self, headers: &HeaderMap, start: u64) -> Result<(), &'static str> {
        let range = text(headers, &reqwest::header::CONTENT_RANGE).and_then(content_range);
        let (first, last, length) = range.ok_or("its Content-Range is missing or malformed")?;
        if first != start {
            return Err("it begins at another byte than asked for");
        }
        if length != self.length || last.checked_add(1) != Some(length) {
            return Err("its length is another one now");
        }
        match (&self.validator, text(headers, &ETAG)) {
            (Some(validator), Some(etag)) if validator.starts_with('"') && validator != etag => {
                Err("it is another one now")
            }
            _ => Ok(()),
        }
    }
}

/// Content-Length, unless it is malformed.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

/// Retry-After, as seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = date(value)?.as_second().checked_sub(now.as_second())?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// A strong ETag; else Last-Modified if it is older than the response itself (RFC 9110 §8.8.2.2).
fn strong_validator(headers: &HeaderMap) -> Option<String> {
    if let Some(etag) = text(headers, &ETAG).filter(|etag| etag.starts_with('"')) {
        return Some(etag.to_owned());
    }
    let modified = text(headers, &LAST_MODIFIED)?;
    let answered = date(text(headers, &DATE)?)?;
    (date(modified)?.as_second() < answered.as_second()).then(|| modified.to_owned())
}

/// `bytes FIRST-LAST/LENGTH`.
fn content_range(value: &str) -> Option<(u64, u64, u64)> {
    let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, length.parse().ok()?))
}

fn date(value: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(value).ok()
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_RANGE, HeaderValue};

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        for (value, expected) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let found = retry_after(&headers(&[(RETRY_AFTER, value)]), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn only_strong_validators_connect_two_parts() {
        let day = "Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Sun, 06 Nov 1994 08:49:39 GMT";
        for (pairs, expected) in [
            (&[(ETAG, "\"a\"")][..], Some("\"a\"")),
            (&[(ETAG, "W/\"a\"")], None),
            (&[(LAST_MODIFIED, day), (DATE, later)], Some(day)),
            (&[(LAST_MODIFIED, day), (DATE, day)], None),
            (&[(LAST_MODIFIED, day)], None),
            (&[], None),
        ] {
            assert_eq!(strong_validator(&headers(pairs)).as_deref(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_partial_response_must_be_exactly_the_rest_of_the_same_body() {
        let continuation = Continuation { length: 10, validator: Some("\"a\"".to_owned()) };
        let check = |range, etag| {
            continuation.check_partial(&headers(&[(CONTENT_RANGE, range), (ETAG, etag)]), 4).is_ok()
        };
        assert!(check("bytes 4-9/10", "\"a\""));
        for (range, etag) in [
            ("bytes 4-9/10", "\"b\""),
            ("bytes 3-9/10", "\"a\""),
            ("bytes 4-8/10", "\"a\""),
            ("bytes 4-10/11", "\"a\""),
            ("bytes 4-9/*", "\"a\""),
            ("4-9/10", "\"a\""),
            ("bytes 4-18446744073709551615/10", "\"a\""),
        ] {
            assert!(!check(range, etag), "{range} {etag}");
        }
    }
}
