//! The names and keys of databases (`golang.org/x/mod/sumdb/note`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::Sha256Digest;
use crate::crypto::{Ed25519PublicKey, WeakKey};

/// The first byte of an encoded key: Ed25519.
const ALGORITHM_ED25519: u8 = 1;

/// The name of a database, `host[/path]`, such as `sum.golang.org`. It is safe as part of a URL and of a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName(String);

/// A text that is no database name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not the name of a checksum database (`host[/path]`)", name.escape_debug())]
pub struct DatabaseNameError {
    name: String,
}

impl DatabaseName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseName {
    type Err = DatabaseNameError;

    fn from_str(name: &str) -> Result<Self, DatabaseNameError> {
        // `dbDial` in cmd/go/internal/modfetch/sumdb.go wants a URL of host and path only
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~:".contains(&c);
        let element = |text: &str| {
            !text.is_empty() && text.len() <= 255 && !matches!(text, "." | "..") && text.bytes().all(plain)
        };
        if name.len() <= 1024 && name.split('/').all(element) {
            Ok(Self(name.to_owned()))
        } else {
            Err(DatabaseNameError { name: name.chars().take(200).collect() })
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The public key of a database. As text: `name+hash+key`, with the hash as 8 hexadecimal digits and the key, after
/// one byte for its algorithm, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: DatabaseName,
    hash: [u8; 4],
    key: Ed25519PublicKey,
}

/// A text that is no verifier key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not of the form `name+hash+key`.
    #[error("`{}` is not a checksum-database key (`name+hash+key`)", text.escape_debug())]
    Malformed {
        /// The text, shortened.
        text: String,
    },
    /// The part before the first `+`.
    #[error(transparent)]
    Name(#[from] DatabaseNameError),
    /// A key for something else than Ed25519.
    #[error("the checksum-database key of `{name}` has the unknown algorithm {algorithm}")]
    Algorithm {
        /// Whose key it is.
        name: DatabaseName,
        /// The number that stands for the algorithm.
        algorithm: u8,
    },
    /// The hash in the text is not that of the name and the key.
    #[error(
        "the checksum-database key of `{name}` was mistyped: its hash is {}, not {}",
        hex(*actual),
        hex(*expected)
    )]
    Hash {
        /// Whose key it is.
        name: DatabaseName,
        /// What the text says.
        expected: [u8; 4],
        /// What name and key have.
        actual: [u8; 4],
    },
    /// A key for which anybody can make signatures, or none at all.
    #[error("the checksum-database key of `{name}` cannot be used")]
    Weak {
        /// Whose key it is.
        name: DatabaseName,
        /// What is wrong with it.
        #[source]
        source: WeakKey,
    },
}

impl VerifierKey {
    /// The key of the database `name`.
    pub fn new(name: DatabaseName, key: Ed25519PublicKey) -> Self {
        let hash = key_hash(&name, ALGORITHM_ED25519, key.as_bytes());
        Self { name, hash, key }
    }

    /// The name of the database.
    pub fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// Whether `signature` is this key's of exactly `text`.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|bytes| self.key.verifies(text.as_bytes(), bytes))
    }

    /// The first four bytes of the hash of name and key: what signature lines name the key by.
    pub fn hash(&self) -> [u8; 4] {
        self.hash
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { text: text.chars().take(200).collect() };
        let (name, rest) = text.split_once('+').ok_or_else(malformed)?;
        let (hash, key) = rest.split_once('+').ok_or_else(malformed)?; // base64 may hold further ones
        let name: DatabaseName = name.parse()?;
        if hash.len() != 8 || !hash.bytes().all(|c| c.is_ascii_hexdigit()) || key.len() > 64 {
            return Err(malformed());
        }
        let expected = u32::from_str_radix(hash, 16).map_err(|_| malformed())?.to_be_bytes();
        let decoded = STANDARD.decode(key).map_err(|_| malformed())?;
        let (&algorithm, key) = decoded.split_first().ok_or_else(malformed)?;
        let actual = key_hash(&name, algorithm, key);
        if actual != expected {
            return Err(KeyError::Hash { name, expected, actual });
        }
        if algorithm != ALGORITHM_ED25519 {
            return Err(KeyError::Algorithm { name, algorithm });
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| malformed())?;
        match Ed25519PublicKey::from_bytes(key) {
            Ok(key) => Ok(Self { name, hash: expected, key }),
            Err(source) => Err(KeyError::Weak { name, source }),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut encoded = vec![ALGORITHM_ED25519];
        encoded.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(self.hash), STANDARD.encode(encoded))
    }
}

fn key_hash(name: &DatabaseName, algorithm: u8, key: &[u8]) -> [u8; 4] {
    let mut input = format!("{name}\n").into_bytes();
    input.push(algorithm);
    input.extend_from_slice(key);
    let digest = Sha256Digest::of(&input);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

pub(super) fn hex(hash: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(hash))
}

#[cfg(test)]
mod tests {
    use super::super::SUM_GOLANG_ORG;
    use super::*;

    #[test]
    fn the_key_of_go_is_what_it_says() {
        let key: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
        assert_eq!(key.to_string(), SUM_GOLANG_ORG);
        assert_eq!(key.name().as_str(), "sum.golang.org");
    }

    #[test]
    fn keys_that_are_not_exact_are_refused() {
        let other_hash = SUM_GOLANG_ORG.replace("033de0ae", "033de0af");
        assert!(matches!(other_hash.parse::<VerifierKey>(), Err(KeyError::Hash { .. })));
        let other_name = SUM_GOLANG_ORG.replace("sum.", "sun.");
        assert!(matches!(other_name.parse::<VerifierKey>(), Err(KeyError::Hash { .. })));
        for bad in
            ["", "a", "a+b", "sum.golang.org+033de0ae+", "sum.golang.org+33de0ae+AAAA", "a+0000000+Zg=="]
        {
            assert!(matches!(bad.parse::<VerifierKey>(), Err(KeyError::Malformed { .. })), "{bad}");
        }
        let cut = &SUM_GOLANG_ORG[..SUM_GOLANG_ORG.len() - 4];
        assert!(cut.parse::<VerifierKey>().is_err());
        let encoded = |name: &str, key: &[u8]| {
            let hash = key_hash(&name.parse().unwrap(), key[0], &key[1..]);
            format!("{name}+{}+{}", hex(hash), STANDARD.encode(key))
        };
        let algorithm = encoded("a.b", &[2; 33]).parse::<VerifierKey>();
        assert!(matches!(algorithm, Err(KeyError::Algorithm { algorithm: 2, .. })));
        let mut small_order = [0; 33];
        (small_order[0], small_order[1]) = (1, 1);
        let weak = encoded("a.b", &small_order).parse::<VerifierKey>();
        assert!(matches!(weak, Err(KeyError::Weak { source: WeakKey::SmallOrder, .. })));
    }

    #[test]
    fn names_are_a_host_and_a_path() {
        for good in ["sum.golang.org", "localhost:8080", "db.example/a/b"] {
            assert!(good.parse::<DatabaseName>().is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "a/..", "../a", ".", "a b", "a\\b", "a?b", "a#b", "a%2e", "é", "a\n",
        ] {
            assert!(bad.parse::<DatabaseName>().is_err(), "{bad:?}");
        }
    }
}
