//! Which redirects are followed.

use std::net::{IpAddr, Ipv6Addr};

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
    /// A server outside must not make us talk to what only this machine or its network can reach.
    #[error("redirected to the private address `{to}`")]
    Private { to: String },
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
    if is_private(to) && !is_private(first) {
        return Err(RedirectError::Private { to: redacted(to) });
    }
    if previous.len() > REDIRECTS {
        return Err(RedirectError::TooMany);
    }
    Ok(())
}

/// Whether the URL itself says that its host is this machine or one of a private network.
fn is_private(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        Some(Host::Domain(name)) => return name == "localhost" || name.ends_with(".localhost"),
        None => return true,
    };
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
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
    fn redirects_to_http_and_into_private_networks_are_refused() {
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
        for private in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "[::1]",
            "[fd00::1]",
            "[::ffff:a00:1]",
            "localhost",
        ] {
            let to = format!("https://{private}/y");
            assert_eq!(check("https://a.b/x", &to), Err(RedirectError::Private { to: to.clone() }));
        }
    }

    #[test]
    fn ten_redirects_are_followed() {
        let url: Url = "https://a.b/".parse().unwrap();
        assert_eq!(check(&vec![url.clone(); 10], &url), Ok(()));
        assert_eq!(check(&vec![url.clone(); 11], &url), Err(RedirectError::TooMany));
    }
}
