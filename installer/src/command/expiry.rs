//! Bundles that have expired: warned of and not refused, as clocks lie on isolated hosts (DESIGN §7).

use std::time::{SystemTime, UNIX_EPOCH};

use goferry_manifest::Timestamp;
use goferry_terminal::{CommandError, Kind, Printer};

/// Warns of a bundle for which its signer no longer vouches.
pub(super) fn warn_if_expired(printer: &Printer, expires: Option<Timestamp>) {
    if let Ok(now) = now()
        && let Some(warning) = warning(expires, now)
    {
        printer.warning(warning);
    }
}

fn warning(expires: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let expires = expires.filter(|expires| *expires < now)?;
    Some(format!(
        "the bundle expired at {expires}, by the clock of this host: ask the signer for a newer one"
    ))
}

/// The host's clock.
pub(super) fn now() -> Result<Timestamp, CommandError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).and_then(Timestamp::from_unix).ok_or_else(
        || CommandError::new(Kind::Failed, "the host's clock is outside of the years 1970 to 9999"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_expired_is_warned_of() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-24T08:15:00Z");
        assert_eq!(warning(None, now), None);
        assert_eq!(warning(Some(now), now), None);
        let warning = warning(Some(at("2026-11-24T08:14:59Z")), now).unwrap();
        assert!(warning.starts_with("the bundle expired at 2026-11-24T08:14:59Z"), "{warning}");
    }
}
