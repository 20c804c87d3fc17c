//! Where everything lies: the prefix as the host sees it, and the root that it may be reached through.

use std::fmt;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The one directory under which everything lies, as the host will see it. Settings and links name it so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(Utf8PathBuf);

/// A text that cannot be a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` cannot be the prefix: {reason}", path.escape_debug())]
pub struct PrefixError {
    path: String,
    reason: &'static str,
}

impl Prefix {
    /// The path.
    pub fn as_path(&self) -> &Utf8Path {
        &self.0
    }

    /// A path below it.
    pub fn join(&self, below: &str) -> Utf8PathBuf {
        self.0.join(below)
    }

    /// A `file://` URL of a path below it. Everything but unreserved characters (RFC 3986 §2.3) and `/` is encoded:
    /// in GOPROXY a raw comma or bar would end the entry.
    pub fn file_url(&self, below: &str) -> String {
        use fmt::Write as _;
        let mut url = String::from("file://");
        for byte in self.join(below).as_str().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                url.push(char::from(byte));
            } else {
                write!(url, "%{byte:02X}").expect("writing to a String does not fail");
            }
        }
        url
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(path: &str) -> Result<Self, PrefixError> {
        match check(path) {
            Ok(path) => Ok(Self(path)),
            Err(reason) => Err(PrefixError { path: path.chars().take(200).collect(), reason }),
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(path: String) -> Result<Self, PrefixError> {
        path.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0.into_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

fn check(path: &str) -> Result<Utf8PathBuf, &'static str> {
    if !path.starts_with('/') {
        return Err("it is not an absolute path");
    }
    if path.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    if path.contains(':') {
        return Err("a directory with `:` in its name cannot stand in PATH or GOPATH");
    }
    let mut clean = String::new();
    for element in path.split('/').filter(|element| !matches!(*element, "" | ".")) {
        if element == ".." {
            return Err("it holds `..`");
        }
        clean.push('/');
        clean.push_str(element);
    }
    if clean.is_empty() {
        return Err("it is the root directory");
    }
    // The longest path below it must still be a path.
    if clean.len() > 1024 {
        return Err("it is longer than 1024 bytes");
    }
    Ok(clean.into())
}

/// Where the host's file system begins: `/`, or another directory while an image is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(Utf8PathBuf);

impl Root {
    /// The host itself.
    pub fn host() -> Self {
        Self("/".into())
    }

    /// The host's file system as seen below `directory`, an absolute path.
    pub fn at(directory: &Utf8Path) -> Result<Self, PrefixError> {
        if !directory.is_absolute() {
            let path = directory.to_string();
            return Err(PrefixError { path, reason: "the root is not an absolute path" });
        }
        Ok(Self(directory.to_owned()))
    }

    /// Where the prefix is to be found now.
    pub fn locate(&self, prefix: &Prefix) -> Utf8PathBuf {
        self.0.join(prefix.0.as_str().trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_an_absolute_clean_path() {
        for (text, clean) in
            [("/opt/goferry", "/opt/goferry"), ("/a//b/./c/", "/a/b/c"), ("/with space", "/with space")]
        {
            assert_eq!(text.parse::<Prefix>().unwrap().as_path(), clean);
        }
        let long = format!("/{}", "a".repeat(1024));
        for text in ["", "opt", "/", "//.", "/a/../b", "/a\nb", "/a\u{1b}[0m", "/a:b", &long] {
            assert!(text.parse::<Prefix>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn urls_are_percent_encoded() {
        let prefix: Prefix = "/o,p|t/a b%@é~_-.".parse().unwrap();
        assert_eq!(prefix.file_url("current"), "file:///o%2Cp%7Ct/a%20b%25%40%C3%A9~_-./current");
    }

    #[test]
    fn a_root_moves_the_place_and_not_the_name() {
        let prefix: Prefix = "/opt/goferry".parse().unwrap();
        assert_eq!(Root::host().locate(&prefix), "/opt/goferry");
        assert_eq!(Root::at("/image".into()).unwrap().locate(&prefix), "/image/opt/goferry");
        assert!(Root::at("image".into()).is_err());
    }
}
