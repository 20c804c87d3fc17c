//! `GOSUMDB`: which checksum database is asked, and by which key it is recognised.
//!
//! The rules are those of `dbDial` in cmd/go's `modfetch/sumdb.go`.

use std::str::FromStr;

use goferry_manifest::checksum_database::{KeyError, SUM_GOLANG_ORG, VerifierKey};
use thiserror::Error;

use crate::proxy_list::{ProxyUrl, ProxyUrlError};

/// The name by which users call Go's own database, without its key.
const GO: &str = "sum.golang.org";
/// The name of a mirror of the same database, with the same key.
const GO_ALIAS: &str = "sum.golang.google.cn";

/// A parsed `GOSUMDB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoSumDb {
    /// `off`: the user wants no database. Toolchains cannot be proven without one.
    Off,
    /// The database to ask.
    Database {
        /// The key that signs its heads. It holds the database's name.
        key: Box<VerifierKey>,
        /// Where it is reached, past all proxies; else through the proxies, and then at `https://<name>`.
        url: Option<ProxyUrl>,
    },
}

/// A text that go would not accept as `GOSUMDB`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GoSumDbError {
    /// More than a key and a URL.
    #[error("GOSUMDB has {count} fields: a name or key and a URL are allowed")]
    TooManyFields {
        /// How many it has.
        count: usize,
    },
    /// The name is not known, or the key is malformed.
    #[error("GOSUMDB names neither a known database nor the key of one")]
    Key {
        /// What is wrong with it as a key.
        #[source]
        source: KeyError,
    },
    /// The second field.
    #[error("GOSUMDB has an unusable URL")]
    Url {
        /// What is wrong with it.
        #[source]
        source: ProxyUrlError,
    },
}

impl FromStr for GoSumDb {
    type Err = GoSumDbError;

    fn from_str(text: &str) -> Result<Self, GoSumDbError> {
        let mirror = format!("https://{GO_ALIAS}");
        let fields: Vec<&str> = match text {
            "off" => return Ok(Self::Off),
            GO_ALIAS => vec![GO, &mirror],
            _ => text.split_whitespace().collect(),
        };
        let (name, url) = match fields.as_slice() {
            [] => (GO, None), // an empty variable counts as unset
            [name] => (*name, None),
            [name, url] => (*name, Some(*url)),
            more => return Err(GoSumDbError::TooManyFields { count: more.len() }),
        };
        let key = if name == GO { SUM_GOLANG_ORG } else { name };
        let key: VerifierKey = key.parse().map_err(|source| GoSumDbError::Key { source })?;
        let url = url.map(str::parse).transpose().map_err(|source| GoSumDbError::Url { source })?;
        Ok(Self::Database { key: Box::new(key), url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> (String, Option<String>) {
        match text.parse().unwrap() {
            GoSumDb::Database { key, url } => (key.to_string(), url.map(|url| url.to_string())),
            GoSumDb::Off => panic!("{text} is off"),
        }
    }

    #[test]
    fn go_s_own_database_needs_no_key() {
        for text in ["", " ", "sum.golang.org", " sum.golang.org ", SUM_GOLANG_ORG] {
            assert_eq!(database(text), (SUM_GOLANG_ORG.to_owned(), None));
        }
    }

    #[test]
    fn a_url_is_asked_instead_of_the_proxies() {
        let expected = |url: &str| (SUM_GOLANG_ORG.to_owned(), Some(url.to_owned()));
        assert_eq!(database("sum.golang.org https://db.example/x"), expected("https://db.example/x"));
        assert_eq!(database("sum.golang.org file:///srv/sumdb"), expected("file:///srv/sumdb"));
        assert_eq!(database("sum.golang.google.cn"), expected("https://sum.golang.google.cn/"));
    }

    #[test]
    fn off_is_off() {
        assert_eq!("off".parse(), Ok(GoSumDb::Off));
    }

    #[test]
    fn an_organisation_s_database_comes_with_its_key() {
        let key = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
        assert_eq!(database(key), (key.to_owned(), None)); // the key of x/mod's own tests
    }

    #[test]
    fn other_texts_are_refused() {
        let refused = |text: &str| text.parse::<GoSumDb>().unwrap_err();
        assert!(matches!(refused("sum.golang.org a b"), GoSumDbError::TooManyFields { count: 3 }));
        for text in
            ["on", "OFF", "off https://db.example", "sum.example.com", "sum.golang.google.cn file:///x"]
        {
            assert!(matches!(refused(text), GoSumDbError::Key { .. }), "{text}");
        }
        for text in ["sum.golang.org nonsense", "sum.golang.org ftp://db.example"] {
            assert!(matches!(refused(text), GoSumDbError::Url { .. }), "{text}");
        }
    }
}
