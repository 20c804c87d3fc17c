//! GOPROXY: which proxies are asked, in which order, and when the next one is.
//!
//! The rules are those of `proxyList` and `newProxyRepo` in cmd/go's `modfetch/proxy.go`.

mod discover;
mod patterns;
mod proxy_url;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use self::discover::{DiscoverError, Origin, Settings, go_setting};
pub use self::patterns::ModulePatterns;
pub(crate) use self::proxy_url::percent_decoded;
pub use self::proxy_url::{ProxyUrl, ProxyUrlError, redacted};

/// A parsed GOPROXY: at least one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyList(Vec<Entry>);

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom to ask.
    pub source: Source,
    /// When to go on to the next entry.
    pub next: Next,
}

/// Whom an entry means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A module proxy.
    Proxy(ProxyUrl),
    /// The version control system of the module itself.
    Direct,
    /// Nobody.
    Off,
}

/// After which answers the next entry is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A comma: after "not found" (404 and 410).
    AfterNotFound,
    /// A bar: after any error.
    AfterAnyError,
}

/// A text that is no proxy list.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxyListError {
    /// Nothing but separators and spaces.
    #[error("the proxy list names no proxy")]
    Empty,
    /// An entry that go would not accept.
    #[error("the proxy list has an unusable entry")]
    Entry {
        /// What is wrong with it.
        #[source]
        source: ProxyUrlError,
    },
}

impl ProxyList {
    /// The entries, in the order in which they are asked.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Asks one entry after the other, as `modfetch.TryProxies` does.
    ///
    /// Of several failures, the last one that is not "not found" is the one to report, else the last.
    pub fn ask<T, E>(
        &self,
        mut ask: impl FnMut(&Source) -> Result<T, E>,
        is_not_found: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let [first, others @ ..] = self.0.as_slice() else {
            unreachable!("a proxy list has at least one entry");
        };
        let mut reported = match ask(&first.source) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let mut goes_on = first.next == Next::AfterAnyError || is_not_found(&reported);
        for entry in others {
            if !goes_on {
                break;
            }
            let error = match ask(&entry.source) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            goes_on = entry.next == Next::AfterAnyError || is_not_found(&error);
            if !is_not_found(&error) || is_not_found(&reported) {
                reported = error;
            }
        }
        Err(reported)
    }
}

impl FromStr for ProxyList {
    type Err = ProxyListError;

    fn from_str(text: &str) -> Result<Self, ProxyListError> {
        let mut entries = Vec::new();
        for part in text.split_inclusive([',', '|']) {
            let next = if part.ends_with('|') { Next::AfterAnyError } else { Next::AfterNotFound };
            let source = match part.trim_end_matches([',', '|']).trim() {
                "" => continue,
                "off" => Source::Off,
                "direct" => Source::Direct,
                url => Source::Proxy(url.parse().map_err(|source| ProxyListError::Entry { source })?),
            };
            let last = matches!(source, Source::Direct | Source::Off);
            entries.push(Entry { source, next });
            if last {
                break; // go ignores what follows, even if it is malformed
            }
        }
        if entries.is_empty() { Err(ProxyListError::Empty) } else { Ok(Self(entries)) }
    }
}

/// Without credentials and queries.
impl fmt::Display for ProxyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(match self.0[i - 1].next {
                    Next::AfterNotFound => ",",
                    Next::AfterAnyError => "|",
                })?;
            }
            write!(f, "{}", entry.source)?;
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proxy(url) => url.fmt(f),
            Self::Direct => f.write_str("direct"),
            Self::Off => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("https://a.b", "https://a.b/"),
            (" https://a.b , direct", "https://a.b/,direct"),
            ("https://a.b|file:///x,off", "https://a.b/|file:///x,off"),
            (",a.b/c,|,direct", "https://a.b/c,direct"),
            ("direct,https://a.b", "direct"),
            ("off,:::", "off"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/"),
            ("127.0.0.1:1", "https://127.0.0.1:1/"),
            ("FILE:///x", "file:///x"),
            ("https://user:secret@a.b/c?token=secret", "https://a.b/c"),
        ] {
            assert_eq!(
                text.parse::<ProxyList>().map(|list| list.to_string()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        assert_eq!("".parse::<ProxyList>(), Err(ProxyListError::Empty));
        assert_eq!(" ,|".parse::<ProxyList>(), Err(ProxyListError::Empty));
    }

    #[test]
    fn entries_that_go_refuses_are_refused() {
        for text in [
            "word",
            "noproxy",
            "/abs",
            "ftp://x",
            "file:/x",
            "file:x",
            "file://localhost/x",
            "file:///x?y",
            "file:///x#y",
            "file:///%zz",
            "https://a.b/\tc",
            "http://user:secret@a.b",
            "a.b,word,direct",
        ] {
            assert!(text.parse::<ProxyList>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_comma_goes_on_after_not_found_and_a_bar_after_any_error() {
        // What each entry answers, and what comes of it. `404` is not found, `500` is another error.
        for (list, answers, asked, outcome) in [
            ("a.b,c.d", &["ok"][..], 1, Ok("ok")),
            ("a.b,c.d", &["404", "ok"], 2, Ok("ok")),
            ("a.b,c.d", &["500"], 1, Err("500")),
            ("a.b|c.d", &["500", "ok"], 2, Ok("ok")),
            ("a.b|c.d", &["404", "ok"], 2, Ok("ok")),
            ("a.b|c.d,e.f", &["500", "404", "404"], 3, Err("500")),
            ("a.b|c.d|e.f", &["500", "503", "404"], 3, Err("503")),
            ("a.b,c.d|e.f", &["404", "500", "ok"], 3, Ok("ok")),
            ("a.b,c.d,e.f", &["404", "500"], 2, Err("500")),
            ("a.b,direct", &["404", "404 direct"], 2, Err("404 direct")),
            ("a.b,off", &["404", "404 off"], 2, Err("404 off")),
        ] {
            let list: ProxyList = list.parse().unwrap();
            let mut given = answers.iter();
            let result = list.ask(
                |_| match *given.next().unwrap() {
                    "ok" => Ok("ok"),
                    error => Err(error),
                },
                |error| error.starts_with("404"),
            );
            assert_eq!(result, outcome, "{list}");
            assert_eq!(answers.len() - given.len(), asked, "{list}");
        }
    }
}
