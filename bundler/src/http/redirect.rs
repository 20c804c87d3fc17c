//! Which redirects are followed.

use reqwest::redirect::Policy;
use thiserror::Error;
use url::{Host, Url};

use crate::proxy_list::redacted;

/// As many as `http.Client` of Go follows.
const REDIRECTS: usize = 10;

/// A redirect that is not followed.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum RedirectError {
    /// `securityPreservingHTTPClient`.
    #[error("redirected from https to the unencrypted `{to}`")]
    Insecure { to: String },
    #[error("more than {REDIRECTS} redirects")]
    TooMany,
}

pub(super) fn policy() -> Policy {
    Policy::custom(|attempt| match check(attempt.previous(), attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(error) => attempt.error(error),
    })
}

fn check(previous: &[Url], to: &Url) -> Result<(), RedirectError> {
    let Some(first) = previous.first() else {
        return Ok(());
    };
    if first.scheme() == "https" && to.scheme() != "https" {
        return Err(RedirectError::Insecure { to: redacted(to) });
    }
    if previous.len() > REDIRECTS {
        return Err(RedirectError::TooMany);
    }
    Ok(())
}

/// Whether requests to the URL stay on this machine, so that no HTTP proxy can help (`http.ProxyFromEnvironment`).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_from_https_to_http_are_refused() {
        // bad-inputs #107
        let check = |from: &str, to: &str| check(&[from.parse().unwrap()], &to.parse().unwrap());
        assert_eq!(check("https://a.b/x", "https://c.d/y"), Ok(()));
        assert_eq!(check("http://a.b/x", "http://c.d/y"), Ok(()));
        assert_eq!(check("http://127.0.0.1:1/x", "http://127.0.0.1:2/y"), Ok(()));
        assert_eq!(check("http://10.0.0.1/x", "http://10.0.0.2/y"), Ok(()));
        assert_eq!(
            check("https://a.b/x", "http://u:p@c.d/y?z"),
            Err(RedirectError::Insecure { to: "http://c.d/y".into() })
        );
        // A company's proxy has a private address, and is followed there.
        assert_eq!(check("https://a.b/x", "https://10.0.0.1/y"), Ok(()));
    }

    #[test]
    fn ten_redirects_are_followed() {
        let url: Url = "https://a.b/".parse().unwrap();
        assert_eq!(check(&vec![url.clone(); 10], &url), Ok(()));
        assert_eq!(check(&vec![url.clone(); 11], &url), Err(RedirectError::TooMany));
    }
}
