//! Module versions: canonical semantic versions with a leading `v` (`module.CanonicalVersion`).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::escape::escape;
use crate::limits::Limits;

/// A canonical module version, such as `v1.2.3`, `v0.0.0-20240101000000-0123456789ab` or `v2.0.0+incompatible`.
///
/// Ordered as Go orders versions; versions that differ only in `+incompatible` by their text.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleVersion {
    text: String,
    parsed: semver::Version,
}

/// A text that is no canonical module version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a canonical module version", text.escape_debug())]
pub struct ModuleVersionError {
    text: String,
}

impl ModuleVersion {
    /// The version as written in go.mod.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version as spelled in proxies and caches.
    pub fn escaped(&self) -> String {
        escape(&self.text)
    }

    /// The major version.
    pub fn major(&self) -> u64 {
        self.parsed.major
    }

    /// Whether it ends in `+incompatible`.
    pub fn is_incompatible(&self) -> bool {
        !self.parsed.build.is_empty()
    }
}

impl FromStr for ModuleVersion {
    type Err = ModuleVersionError;

    fn from_str(text: &str) -> Result<Self, ModuleVersionError> {
        let error = || ModuleVersionError { text: text.chars().take(200).collect() };
        let bare = text.strip_prefix('v').ok_or_else(error)?;
        if text.len() > Limits::FORMAT_1.path_element_bytes {
            return Err(error());
        }
        let parsed = semver::Version::parse(bare).map_err(|_| error())?;
        if !matches!(parsed.build.as_str(), "" | "incompatible") {
            return Err(error());
        }
        Ok(Self { text: text.to_owned(), parsed })
    }
}

impl TryFrom<String> for ModuleVersion {
    type Error = ModuleVersionError;

    fn try_from(text: String) -> Result<Self, ModuleVersionError> {
        text.parse()
    }
}

impl From<ModuleVersion> for String {
    fn from(version: ModuleVersion) -> Self {
        version.text
    }
}

impl Ord for ModuleVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parsed.cmp_precedence(&other.parsed).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for ModuleVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_versions_parse() {
        for text in [
            "v1.2.3",
            "v0.0.0-20240101000000-0123456789ab",
            "v2.0.0+incompatible",
            "v0.0.1-go1.27.3.linux-amd64",
            "v1.0.0-RC.1",
        ] {
            assert_eq!(text.parse::<ModuleVersion>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "1.2.3",
            "v1",
            "v1.2",
            "v01.2.3",
            "v1.2.3-01",
            "v1.2.3+meta",
            "v1.2.3-",
            "v1.2.3/..",
            "latest",
            "v1.2.3-a/b",
            "V1.2.3",
            "v1.2.3 ",
        ] {
            assert!(text.parse::<ModuleVersion>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn versions_are_ordered_as_go_orders_them() {
        let sorted = [
            "v0.0.0-20240101000000-0123456789ab",
            "v0.9.10",
            "v0.10.0",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-beta.2",
            "v1.0.0-beta.11",
            "v1.0.0",
            "v2.0.0",
            "v2.0.0+incompatible",
            "v10.0.0+incompatible",
        ];
        let mut versions: Vec<ModuleVersion> = sorted.iter().rev().map(|v| v.parse().unwrap()).collect();
        versions.sort();
        assert_eq!(versions.iter().map(ModuleVersion::as_str).collect::<Vec<_>>(), sorted);
    }
}
