//! Platforms that toolchains run on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// GOOS and GOARCH, as text `linux/amd64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    arch: String,
}

/// A text that is no platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a platform such as `linux/amd64`", text.escape_debug())]
pub struct PlatformError {
    text: String,
}

impl Platform {
    /// GOOS.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// GOARCH.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// The platform that this program was compiled for, in Go's words; `None` where Go has no name for it.
    pub fn of_this_program() -> Option<Self> {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other @ ("arm" | "riscv64" | "s390x" | "loongarch64") => other,
            _ => return None,
        };
        let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
        format!("{os}/{arch}").parse().ok()
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let name = |s: &str| {
            !s.is_empty() && s.len() <= 16 && s.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        match text.split_once('/') {
            Some((os, arch)) if name(os) && name(arch) => {
                Ok(Self { os: os.to_owned(), arch: arch.to_owned() })
            }
            _ => Err(PlatformError { text: text.chars().take(80).collect() }),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.os, self.arch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_os_slash_arch() {
        assert_eq!("linux/amd64".parse::<Platform>().unwrap().to_string(), "linux/amd64");
        for text in
            ["", "linux", "linux/", "/amd64", "Linux/amd64", "linux/amd64/v3", "linux-amd64", "linux/../x"]
        {
            assert!(text.parse::<Platform>().is_err(), "{text:?}");
        }
    }
}
