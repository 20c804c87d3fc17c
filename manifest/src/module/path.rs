//! Module paths: `module.CheckPath`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ModuleVersion;
use super::escape::escape;
use crate::file_path::is_reserved_on_windows;
use crate::limits::Limits;

/// A module path, such as `golang.org/x/text`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModulePath(String);

/// A text that is no module path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a module path: {reason}", path.escape_debug())]
pub struct ModulePathError {
    path: String,
    reason: &'static str,
}

impl ModulePath {
    /// The path as written in go.mod.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as spelled in proxies and caches.
    pub fn escaped(&self) -> String {
        escape(&self.0)
    }

    /// `CheckPathMajor`: whether `version` has the major version that the path asks for; else what it should be.
    pub(super) fn expected_major(&self, version: &ModuleVersion) -> Result<(), String> {
        let (_, major) = split_major(&self.0).unwrap_or((&self.0, ""));
        let major = major.strip_suffix("-unstable").unwrap_or(major);
        if major == ".v1" && version.as_str().starts_with("v0.0.0-") {
            return Ok(()); // an old bug of pseudo-versions that go accepts for ever
        }
        if major.is_empty() {
            let ok = version.major() <= 1 || version.is_incompatible();
            return if ok { Ok(()) } else { Err("v0 or v1".to_owned()) };
        }
        let expected = &major[1..];
        let ok = format!("v{}", version.major()) == expected && !version.is_incompatible();
        if ok { Ok(()) } else { Err(expected.to_owned()) }
    }
}

impl FromStr for ModulePath {
    type Err = ModulePathError;

    fn from_str(path: &str) -> Result<Self, ModulePathError> {
        match check(path) {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(reason) => Err(ModulePathError { path: path.chars().take(200).collect(), reason }),
        }
    }
}

impl TryFrom<String> for ModulePath {
    type Error = ModulePathError;

    fn try_from(path: String) -> Result<Self, ModulePathError> {
        path.parse()
    }
}

impl From<ModulePath> for String {
    fn from(path: ModulePath) -> Self {
        path.0
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.len() > Limits::FORMAT_1.path_bytes {
        return Err("too long");
    }
    for element in path.split('/') {
        check_element(element)?;
    }
    let first = path.split('/').next().unwrap_or_default();
    if !first.contains('.') {
        return Err("missing dot in first path element");
    }
    if first.starts_with('-') {
        return Err("leading dash in first path element");
    }
    if !first.bytes().all(|c| matches!(c, b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z')) {
        return Err("invalid character in first path element");
    }
    split_major(path).ok_or("invalid major version at its end").map(drop)
}

/// `checkElem` for module paths.
fn check_element(element: &str) -> Result<(), &'static str> {
    if element.is_empty() {
        return Err("empty path element");
    }
    if element.len() > Limits::FORMAT_1.path_element_bytes {
        return Err("path element too long");
    }
    if element.starts_with('.') {
        return Err("leading dot in path element");
    }
    if element.ends_with('.') {
        return Err("trailing dot in path element");
    }
    if !element.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c)) {
        return Err("invalid character");
    }
    if is_reserved_on_windows(element) {
        return Err("a path element that Windows reserves");
    }
    let short = element.split('.').next().unwrap_or_default();
    if let Some((_, digits)) = short.rsplit_once('~')
        && !digits.is_empty()
        && digits.bytes().all(|c| c.is_ascii_digit())
    {
        return Err("trailing tilde and digits in path element");
    }
    Ok(())
}

/// `SplitPathVersion`: the path without its major version, and the major version (`/vN`, `.vN` or nothing). `None`
/// where the end looks like a major version but is none.
fn split_major(path: &str) -> Option<(&str, &str)> {
    if path.starts_with("gopkg.in/") {
        let stem = path.strip_suffix("-unstable").unwrap_or(path);
        let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let major = stem.len().checked_sub(digits + 2)?;
        let number = &stem[stem.len() - digits..];
        let ok = stem[major..].starts_with(".v")
            && !number.is_empty()
            && (!number.starts_with('0') || number == "0");
        return ok.then(|| path.split_at(major));
    }
    let tail = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &path[tail.len()..];
    let Some(prefix) = tail.strip_suffix("/v").filter(|_| !number.is_empty()) else {
        return Some((path, ""));
    };
    let ok = !number.contains('.') && !number.starts_with('0') && number != "1";
    ok.then(|| path.split_at(prefix.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_go_accepts() {
        for path in [
            "golang.org/x/text",
            "github.com/BurntSushi/toml",
            "gopkg.in/yaml.v3",
            "gopkg.in/check.v1",
            "k8s.io/api",
            "example.com",
            "a.b/c/v2",
            "a.b/c/v10",
            "a.b/v2x",
            "gopkg.in/a.v3-unstable",
            "a.b/~user",
            "a.b/c_d",
            "go.uber.org/zap/exp/v2",
        ] {
            assert_eq!(path.parse::<ModulePath>().map(|p| p.to_string()).as_deref(), Ok(path));
        }
    }

    #[test]
    fn paths_that_go_refuses() {
        // bad-inputs #30, #31, #43
        for path in [
            "",
            "/",
            "a",
            "a.b/",
            "/a.b",
            "a.b//c",
            "-a.b",
            "A.b/c",
            "a.b/.c",
            "a.b/c.",
            "a.b/..",
            "a.b/c d",
            "a.b/c@v1",
            "a.b/é",
            "a.b/c!d",
            "a.b/con",
            "a.b/CON.txt",
            "a.b/c~1",
            "a.b/c/v1",
            "a.b/c/v0",
            "a.b/c/v02",
            "a.b/c/v2.1",
            "gopkg.in/yaml",
            "gopkg.in/yaml.v03",
            "a.b/\0",
            "a.b/c\n",
            "a.b\\c",
            "a.b/c+d",
        ] {
            assert!(path.parse::<ModulePath>().is_err(), "{path:?}");
        }
    }
}
