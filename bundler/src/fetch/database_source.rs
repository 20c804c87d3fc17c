//! Requests to a checksum database, through the proxy that offers it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;
use url::Url;

use super::{FetchError, Fetcher};
use crate::http::Watch;
use crate::proxy_list::{ProxyUrl, Source};

/// Bytes of the answer to `supported` at most; go ignores its content.
const SUPPORTED_BYTES: u64 = 64 << 10;

/// The name of a checksum database: a host, maybe with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseName {
    name: String,
    direct: Url,
}

/// A text that is no name of a checksum database.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not the name of a checksum database: it must be a host, or a host and a path", name.escape_debug())]
pub struct DatabaseNameError {
    name: String,
}

/// A checksum database, reached as `dbClient.initBase` does: through the first proxy of the list that supports it,
/// and directly if none does. Once one answered, all requests go there.
#[derive(Debug)]
pub struct DatabaseSource<'a> {
    fetcher: &'a Fetcher,
    name: DatabaseName,
    base: Mutex<Option<Base>>,
}

#[derive(Clone, Debug)]
struct Base {
    url: ProxyUrl,
    /// In front of each path: `sumdb/NAME/` at a proxy.
    prefix: String,
}

impl DatabaseName {
    /// The name as in GOSUMDB.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl FromStr for DatabaseName {
    type Err = DatabaseNameError;

    fn from_str(name: &str) -> Result<Self, DatabaseNameError> {
        let characters = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
        let elements = name.split('/').all(|element| !matches!(element, "" | "." | ".."));
        let direct = Url::parse(&format!("https://{name}")).ok();
        match direct.filter(|url| url.has_host() && elements && name.chars().all(characters)) {
            Some(direct) => Ok(Self { name: name.to_owned(), direct }),
            None => Err(DatabaseNameError { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl<'a> DatabaseSource<'a> {
    pub(super) fn new(fetcher: &'a Fetcher, name: DatabaseName) -> Self {
        Self { fetcher, name, base: Mutex::new(None) }
    }

    /// The database at the address that GOSUMDB gives for it: no proxy is asked.
    pub(super) fn at(fetcher: &'a Fetcher, name: DatabaseName, url: ProxyUrl) -> Self {
        Self { fetcher, name, base: Mutex::new(Some(Base { url, prefix: String::new() })) }
    }

    /// The answer to `lookup/…`, `tile/…` or `latest`, of at most `cap` bytes.
    pub fn read(&self, path: &str, cap: u64, watch: Watch<'_>) -> Result<Vec<u8>, FetchError> {
        let base = self.base(watch)?;
        let name = format!("{}{}", base.prefix, path.trim_start_matches('/'));
        self.fetcher.read_from(&base.url, &name, cap, watch)
    }

    /// Found out once; the first request of several at once does it, and the others wait.
    fn base(&self, watch: Watch<'_>) -> Result<Base, FetchError> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = &*base {
            return Ok(base.clone());
        }
        Ok(base.insert(self.find_base(watch)?).clone())
    }

    fn find_base(&self, watch: Watch<'_>) -> Result<Base, FetchError> {
        let direct = Base { url: ProxyUrl::Web(self.name.direct.clone()), prefix: String::new() };
        let prefix = format!("sumdb/{}/", self.name);
        let found = self.fetcher.settings().proxies.ask(
            |source| match source {
                Source::Proxy(url) => {
                    let supported = format!("{prefix}supported");
                    self.fetcher.read_from(url, &supported, SUPPORTED_BYTES, watch)?;
                    Ok(Base { url: url.clone(), prefix: prefix.clone() })
                }
                Source::Direct | Source::Off => Ok(direct.clone()), // go asks the database itself even after `off`
            },
            FetchError::is_not_found,
        );
        match found {
            Err(error) if error.is_not_found() => Ok(direct),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_with_or_without_a_path() {
        for good in ["sum.golang.org", "localhost:8080", "corp.example/sumdb"] {
            assert_eq!(good.parse::<DatabaseName>().map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in
            ["", "/", "a.b/", "/a.b", "a.b/../c", "a.b?x", "u@a.b", "a.b#x", "https://a.b", "a b", "a.b/%2e"]
        {
            assert!(bad.parse::<DatabaseName>().is_err(), "{bad}");
        }
    }
}
