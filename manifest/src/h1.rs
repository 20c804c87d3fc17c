//! Go's directory hash, version 1: the `h1:` of go.sum and of the checksum database.
//!
//! The rule (`golang.org/x/mod/sumdb/dirhash`, `Hash1`): sort the file names bytewise; for each file write the line
//! `<lower-case hex SHA-256 of its content>␠␠<name>\n`; the hash is the SHA-256 of those lines, written as `h1:` and
//! standard base64 with padding. Names are `path@version/rel` with nothing escaped. A name that holds a newline has
//! no hash. Modes, times and the bytes of any archive do not enter.
//!
//! Because only *digests* of contents enter, a signed list of files is enough to recompute the hash of a module or
//! toolchain without reading a file.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Sha256Digest;
use crate::crypto::Sha256;

/// An `h1:` hash. As text `h1:` and 44 characters of canonical base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub struct DirHash([u8; 32]);

/// A text that is no `h1:` hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a Go directory hash (`h1:` and 44 characters of base64)", text.escape_debug())]
pub struct DirHashError {
    text: String,
}

impl DirHash {
    /// The hash of files given as (name, digest of content), in any order.
    ///
    /// Names must not hold a newline; all names that reach this crate's types cannot.
    pub fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, Sha256Digest)>) -> Self {
        Self::of_prefixed("", files)
    }

    /// The same for files whose names all begin with `prefix`, which the given names lack.
    pub fn of_prefixed<'a>(prefix: &str, files: impl IntoIterator<Item = (&'a str, Sha256Digest)>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_unstable();
        let mut hasher = Sha256::new();
        for (name, digest) in files {
            hasher.update(format!("{digest}  {prefix}{name}\n").as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The hash of a go.mod file (`go.sum`'s `/go.mod` lines): that of one file of this name.
    pub fn of_go_mod(content: Sha256Digest) -> Self {
        Self::of_files([("go.mod", content)])
    }
}

impl FromStr for DirHash {
    type Err = DirHashError;

    fn from_str(text: &str) -> Result<Self, DirHashError> {
        text.strip_prefix("h1:")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| DirHashError { text: text.chars().take(80).collect() })
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for DirHash {
    type Error = DirHashError;

    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, DirHashError> {
        text.parse()
    }
}

impl From<DirHash> for String {
    fn from(hash: DirHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for DirHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h1:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for DirHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_mod_has_the_hash_that_the_public_database_records() {
        // golang.org/toolchain v0.0.1-go1.27.3.linux-amd64/go.mod, record 69478030 of sum.golang.org
        let hash = DirHash::of_go_mod(Sha256Digest::of(b"module golang.org/toolchain\n"));
        assert_eq!(hash.to_string(), "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=");
    }

    #[test]
    fn the_order_of_the_files_does_not_matter_and_a_prefix_is_part_of_each_name() {
        let (a, b) = (Sha256Digest::of(b"a"), Sha256Digest::of(b"b"));
        let whole = DirHash::of_files([("m@v1.0.0/b", b), ("m@v1.0.0/a", a)]);
        assert_eq!(whole, DirHash::of_prefixed("m@v1.0.0/", [("a", a), ("b", b)]));
        assert_ne!(whole, DirHash::of_prefixed("m@v1.0.0/", [("a", b), ("b", a)]));
    }

    #[test]
    fn only_canonical_text_is_a_hash() {
        let good = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";
        assert_eq!(good.parse::<DirHash>().unwrap().to_string(), good);
        for bad in [
            "",
            "h1:",
            "8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=",
            &good[..46],
            &good.replace('0', "1"),
            &good.replace("h1:", "h2:"),
            &format!("{good}\n"),
            "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS1=",
        ] {
            assert!(bad.parse::<DirHash>().is_err(), "{bad}");
        }
    }
}
