//! The `go` and `toolchain` lines of a go.mod: which release of Go a project asks for.
//!
//! Everything else of a go.mod is read by `go` itself. These two lines decide which `go` that is, so they are read
//! before there is one, by the syntax of `golang.org/x/mod/modfile`.

use std::fmt;
use std::str::FromStr;

use goferry_manifest::GoRelease;
use thiserror::Error;

/// The oldest language version whose go.mod names everything that a build needs (graph pruning). go takes 1.16 where
/// there is no `go` line.
const OLDEST_MINOR: u32 = 17;

/// Which release of Go a project asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedGo {
    /// This one: a `toolchain` line, or a `go` line with a patch number.
    Exact(GoRelease),
    /// `go 1.N`: any patch of it.
    Newest {
        /// The N.
        minor: u32,
    },
}

/// A go.mod from which no release follows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GoLineError {
    /// Twice the same directive.
    #[error("line {line}: a second `{directive}` line")]
    Repeated {
        /// Its number.
        line: usize,
        /// The directive.
        directive: &'static str,
    },
    /// Not one value behind the directive.
    #[error("line {line}: `{directive}` takes one version")]
    Arguments {
        /// Its number.
        line: usize,
        /// The directive.
        directive: &'static str,
    },
    /// No Go version.
    #[error("line {line}: `{}` is not a Go version that goferry can fetch", text.escape_debug())]
    Version {
        /// Its number.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A module without pruned graph.
    #[error("modules of Go 1.{minor} are not supported: their go.mod does not name all that a build needs")]
    TooOld {
        /// The language version, 16 where there is no `go` line.
        minor: u32,
    },
}

impl WantedGo {
    /// Whether this release does what the project asks for, as `go` decides it (`internal/gover`).
    pub fn is_met_by(&self, release: GoRelease) -> bool {
        match self {
            Self::Exact(wanted) => release >= *wanted,
            Self::Newest { minor } => release.minor() >= *minor,
        }
    }
}

impl fmt::Display for WantedGo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(release) => write!(f, "go{release}"),
            Self::Newest { minor } => write!(f, "go1.{minor}"),
        }
    }
}

impl FromStr for WantedGo {
    type Err = GoLineError;

    /// Reads the two lines of a go.mod. As in cmd/go's `toolchain/select.go` the newer of them counts.
    fn from_str(go_mod: &str) -> Result<Self, GoLineError> {
        let mut go = None;
        let mut toolchain = None;
        let mut in_block = false;
        for (index, line) in go_mod.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().trim();
            if in_block {
                in_block = line != ")";
                continue;
            }
            in_block = line.ends_with('(');
            let mut words = line.split_whitespace();
            let (slot, directive) = match words.next() {
                Some("go") => (&mut go, "go"),
                Some("toolchain") => (&mut toolchain, "toolchain"),
                _ => continue,
            };
            let line = index + 1;
            let (Some(text), None) = (words.next(), words.next()) else {
                return Err(GoLineError::Arguments { line, directive });
            };
            if slot.replace((line, unquoted(text))).is_some() {
                return Err(GoLineError::Repeated { line, directive });
            }
        }
        let go =
            go.map_or(Ok(Self::Newest { minor: OLDEST_MINOR - 1 }), |(line, text)| go_version(line, text))?;
        if go.minor() < OLDEST_MINOR {
            return Err(GoLineError::TooOld { minor: go.minor() });
        }
        match toolchain.filter(|(_, text)| *text != "default") {
            None => Ok(go),
            Some((line, text)) => toolchain_version(line, text).map(|toolchain| newer(go, toolchain)),
        }
    }
}

impl WantedGo {
    fn minor(self) -> u32 {
        match self {
            Self::Exact(release) => release.minor(),
            Self::Newest { minor } => minor,
        }
    }
}

fn newer(go: WantedGo, toolchain: GoRelease) -> WantedGo {
    if go.is_met_by(toolchain) { WantedGo::Exact(toolchain) } else { go }
}

/// `modfile.GoVersionRE`: `1.N`, `1.N.P`, `1.NrcP`.
fn go_version(line: usize, text: &str) -> Result<WantedGo, GoLineError> {
    if let Ok(release) = text.parse() {
        return Ok(WantedGo::Exact(release));
    }
    let minor = text.strip_prefix("1.").filter(|minor| !minor.starts_with(['0', '+']) || *minor == "0");
    match minor.and_then(|minor| minor.parse().ok()) {
        Some(minor) => Ok(WantedGo::Newest { minor }),
        None => Err(GoLineError::Version { line, text: text.to_owned() }),
    }
}

/// `modfile.ToolchainRE`, without custom suffixes: nobody serves such releases. `go1.N` is the release 1.N.0 here.
fn toolchain_version(line: usize, text: &str) -> Result<GoRelease, GoLineError> {
    let release = text.strip_prefix("go").and_then(|release| release.parse().ok());
    release.ok_or_else(|| GoLineError::Version { line, text: text.to_owned() })
}

/// Words of a go.mod may stand in quotes.
fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('`')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(go_mod: &str) -> Result<String, GoLineError> {
        go_mod.parse::<WantedGo>().map(|wanted| wanted.to_string())
    }

    #[test]
    fn the_newer_of_the_two_lines_counts() {
        for (go_mod, expected) in [
            ("module a.b\n\ngo 1.26.8\n", "go1.26.8"),
            ("module a.b\ngo 1.26\n", "go1.26"),
            ("go 1.26\ntoolchain go1.27.3", "go1.27.3"),
            ("go 1.26.0\r\n\r\ntoolchain go1.27.3\r\n", "go1.27.3"),
            ("toolchain go1.26.8 // why not\ngo 1.27 // comment\n", "go1.27"),
            ("go 1.27.3\ntoolchain go1.26.8\n", "go1.27.3"),
            ("go 1.26\ntoolchain default\n", "go1.26"),
            ("go 1.27rc1\n", "go1.27rc1"),
            ("go \"1.26.8\"\n", "go1.26.8"),
            ("\t go\t1.26.8 \n", "go1.26.8"),
        ] {
            assert_eq!(wanted(go_mod).as_deref(), Ok(expected), "{go_mod}");
        }
    }

    #[test]
    fn other_lines_do_not_count() {
        let go_mod = "module a.b\n// go 1.21\nrequire (\n\tgo.uber.org/zap v1.0.0\n\tgo 1.22\n)\ngo 1.26.8\n";
        assert_eq!(wanted(go_mod).as_deref(), Ok("go1.26.8"));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for go_mod in ["go\n", "go 1.26 1.27\n", "toolchain\ngo 1.26\n"] {
            assert!(matches!(wanted(go_mod), Err(GoLineError::Arguments { .. })), "{go_mod}");
        }
        for go_mod in [
            "go 1\n",
            "go 2.1\n",
            "go (\n1.26\n)\n",
            "go 1.x\n",
            "go 1.026\n",
            "go v1.26\n",
            "go 1.26\ntoolchain 1.27.3\n",
        ] {
            assert!(matches!(wanted(go_mod), Err(GoLineError::Version { .. })), "{go_mod}");
        }
        assert!(matches!(wanted("go 1.26\ntoolchain go1.27.3-corp\n"), Err(GoLineError::Version { .. })));
        assert!(matches!(wanted("go 1.26\ngo 1.27\n"), Err(GoLineError::Repeated { line: 2, .. })));
    }

    #[test]
    fn modules_before_graph_pruning_are_refused() {
        assert_eq!(wanted("module a.b\n"), Err(GoLineError::TooOld { minor: 16 }));
        assert_eq!(wanted("go 1.13\n"), Err(GoLineError::TooOld { minor: 13 }));
        assert!(wanted("go 1.17\n").is_ok());
    }

    #[test]
    fn a_newer_release_does_what_an_older_line_asks_for() {
        let met = |go_mod: &str, release: &str| {
            go_mod.parse::<WantedGo>().unwrap().is_met_by(release.parse().unwrap())
        };
        assert!(met("go 1.26", "1.26.8") && met("go 1.26", "1.27.3") && met("go 1.26.8", "1.27.3"));
        assert!(!met("go 1.27", "1.26.8") && !met("go 1.27.3", "1.27.2"));
    }
}
