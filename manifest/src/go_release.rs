//! Releases of Go: `1.27.3`, `1.21.0`, `1.28rc1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Platform;
use crate::module::{Module, ModuleVersion};

/// A release of Go since 1.21, as `go version` prints it without the leading `go`: `1.N.P`, `1.NrcP` or `1.NbetaP`.
///
/// Ordered as Go orders releases (`internal/gover`): beta, rc, then patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoRelease {
    minor: u32,
    stage: Stage,
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    Beta,
    Candidate,
    Patch,
}

/// A text that is no release of Go.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a Go release such as `1.27.3`", text.escape_debug())]
pub struct GoReleaseError {
    text: String,
}

impl GoRelease {
    /// The language version's second number: 27 for `1.27.3`.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// The release as a module: `golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64`. The checksum database records
    /// the h1 of toolchains under this name.
    pub fn toolchain_module(&self, platform: &Platform) -> Module {
        let version: ModuleVersion = format!("v0.0.1-go{self}.{}-{}", platform.os(), platform.arch())
            .parse()
            .expect("a release and a platform make a valid pre-release version");
        let path = "golang.org/toolchain".parse().expect("a valid path");
        Module::new(path, version).expect("v0 goes with a path without major version")
    }
}

impl FromStr for GoRelease {
    type Err = GoReleaseError;

    fn from_str(text: &str) -> Result<Self, GoReleaseError> {
        let parse = || {
            let rest = text.strip_prefix("1.")?;
            let (minor, stage, number) =
                [("beta", Stage::Beta), ("rc", Stage::Candidate), (".", Stage::Patch)].into_iter().find_map(
                    |(mark, stage)| rest.split_once(mark).map(|(minor, number)| (minor, stage, number)),
                )?;
            Some(Self { minor: decimal(minor)?, stage, number: decimal(number)? })
        };
        parse().ok_or_else(|| GoReleaseError { text: text.chars().take(80).collect() })
    }
}

/// A number without sign or leading zeros.
fn decimal(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

impl TryFrom<String> for GoRelease {
    type Error = GoReleaseError;

    fn try_from(text: String) -> Result<Self, GoReleaseError> {
        text.parse()
    }
}

impl From<GoRelease> for String {
    fn from(release: GoRelease) -> Self {
        release.to_string()
    }
}

impl fmt::Display for GoRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.stage {
            Stage::Beta => "beta",
            Stage::Candidate => "rc",
            Stage::Patch => ".",
        };
        f.pad(&format!("1.{}{mark}{}", self.minor, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_parse_print_and_sort() {
        let sorted = ["1.21.0", "1.26.8", "1.27beta1", "1.27rc1", "1.27rc2", "1.27.0", "1.27.3", "1.27.10"];
        let mut releases: Vec<GoRelease> = sorted.iter().rev().map(|r| r.parse().unwrap()).collect();
        releases.sort();
        assert_eq!(releases.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "1",
            "1.27",
            "go1.27.3",
            "1.27.3 ",
            "1.027.3",
            "1.27.03",
            "1.27.3-custom",
            "2.0.0",
            "1.27rc",
            "1.+27.3",
            "1.27.3/..",
        ] {
            assert!(text.parse::<GoRelease>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_toolchain_is_a_module() {
        let release: GoRelease = "1.27.3".parse().unwrap();
        let module = release.toolchain_module(&"linux/amd64".parse().unwrap());
        assert_eq!(module.to_string(), "golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64");
    }
}
