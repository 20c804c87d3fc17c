//! Names of trees.

use std::fmt;
use std::str::FromStr;

use goferry_manifest::GoRelease;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of a tree below `trees/<kind>/`: one path element of `a-z`, `0-9` and `.`, that is not hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreeName(String);

/// A text that is not the name of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not the name of a tree", .0.escape_debug())]
pub struct TreeNameError(String);

/// Bytes of the longest name.
const LONGEST: usize = 64;

impl TreeName {
    /// The name of a toolchain's tree.
    pub fn of_toolchain(release: GoRelease) -> Self {
        format!("go{release}").parse().expect("releases are made of letters, digits and dots")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TreeName {
    type Err = TreeNameError;

    fn from_str(text: &str) -> Result<Self, TreeNameError> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.';
        if text.is_empty() || text.len() > LONGEST || text.starts_with('.') || !text.bytes().all(valid) {
            return Err(TreeNameError(text.chars().take(LONGEST).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for TreeName {
    type Error = TreeNameError;

    fn try_from(text: String) -> Result<Self, TreeNameError> {
        text.parse()
    }
}

impl From<TreeName> for String {
    fn from(name: TreeName) -> Self {
        name.0
    }
}

impl fmt::Display for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_element() {
        for text in ["go1.27.3", "go1.27rc1", "0123456789abcdef"] {
            assert_eq!(text.parse::<TreeName>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", ".staging-x", "a/b", "../x", "a b", "A", "a\0", &"a".repeat(65)] {
            assert!(text.parse::<TreeName>().is_err(), "{text:?}");
        }
        assert_eq!(TreeName::of_toolchain("1.27.3".parse().unwrap()).as_str(), "go1.27.3");
        assert!(serde_json::from_str::<TreeName>("\"../../etc\"").is_err());
    }
}
