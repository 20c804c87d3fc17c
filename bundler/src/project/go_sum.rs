//! go.sum: the hashes that a project expects.

use std::collections::BTreeMap;

use goferry_manifest::{DirHash, Module};
use thiserror::Error;

/// The hash of an empty go.mod: an early bug of go wrote it for modules without one, and `readGoSum` drops it.
const EMPTY_GO_MOD: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// The lines of a go.sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoSum {
    /// Modules by the hash of their files.
    pub zips: BTreeMap<Module, DirHash>,
    /// Modules by the hash of their go.mod.
    pub go_mods: BTreeMap<Module, DirHash>,
}

/// A line of go.sum that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {flaw}")]
pub struct GoSumError {
    line: usize,
    flaw: GoSumFlaw,
}

/// What is wrong with a line of go.sum.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GoSumFlaw {
    /// Not `path version hash`.
    #[error("expected `path version hash`, found {0} fields")]
    Fields(usize),
    /// A field that is not what it should be.
    #[error("{0}")]
    Field(String),
    /// The same module with another hash.
    #[error("`{what}` is {stated} here and {earlier} in a line above")]
    Contradiction {
        /// Module and file.
        what: String,
        /// The hash in this line.
        stated: DirHash,
        /// The hash in the other.
        earlier: DirHash,
    },
}

impl GoSum {
    /// Reads a go.sum as `readGoSum` in cmd/go's `modfetch/fetch.go` does. What cannot be a module or an h1 is refused,
    /// and so are two hashes of one thing: go would accept either.
    pub fn parse(text: &str) -> Result<Self, GoSumError> {
        let mut sums = Self::default();
        for (index, line) in text.lines().enumerate() {
            sums.add(line).map_err(|flaw| GoSumError { line: index + 1, flaw })?;
        }
        Ok(sums)
    }

    fn add(&mut self, line: &str) -> Result<(), GoSumFlaw> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [path, version, hash] = match *fields.as_slice() {
            [] => return Ok(()),
            [path, version, hash] => [path, version, hash],
            _ => return Err(GoSumFlaw::Fields(fields.len())),
        };
        if hash == EMPTY_GO_MOD {
            return Ok(());
        }
        let hash = hash.parse().map_err(field)?;
        let (sums, version, suffix) = match version.strip_suffix("/go.mod") {
            Some(version) => (&mut self.go_mods, version, "/go.mod"),
            None => (&mut self.zips, version, ""),
        };
        let module = Module::new(path.parse().map_err(field)?, version.parse().map_err(field)?);
        let module = module.map_err(field)?;
        let what = format!("{module}{suffix}");
        let earlier = *sums.entry(module).or_insert(hash);
        if earlier == hash { Ok(()) } else { Err(GoSumFlaw::Contradiction { what, stated: hash, earlier }) }
    }
}

fn field(error: impl std::error::Error) -> GoSumFlaw {
    GoSumFlaw::Field(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const H1: &str = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";
    const OTHER: &str = "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=";

    fn parse(text: &str) -> Result<GoSum, GoSumFlaw> {
        GoSum::parse(text).map_err(|error| error.flaw)
    }

    #[test]
    fn lines_are_of_zips_or_of_go_mods() {
        let text = format!(
            "a.b/c v1.0.0 {H1}\na.b/c v1.0.0/go.mod {OTHER}\n\n  a.b/d\tv2.0.0+incompatible {H1}\r\n"
        );
        let sums = parse(&text).unwrap();
        assert_eq!(sums.zips.len(), 2);
        assert_eq!(sums.go_mods.values().map(ToString::to_string).collect::<Vec<_>>(), [OTHER]);
    }

    #[test]
    fn the_hash_of_an_empty_go_mod_is_dropped_as_go_does() {
        assert_eq!(parse(&format!("a.b/c v1.0.0/go.mod {EMPTY_GO_MOD}\n")), Ok(GoSum::default()));
    }

    #[test]
    fn the_same_line_twice_is_fine_and_another_hash_is_not() {
        assert!(parse(&format!("a.b/c v1.0.0 {H1}\na.b/c v1.0.0 {H1}\n")).is_ok());
        let error = GoSum::parse(&format!("a.b/c v1.0.0 {H1}\na.b/c v1.0.0 {OTHER}\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("line 2: `a.b/c@v1.0.0` is {OTHER} here and {H1} in a line above")
        );
    }

    #[test]
    fn malformed_lines_are_refused() {
        // bad-inputs #41, #43
        for line in ["a.b/c v1.0.0", "a.b/c v1.0.0 h1:x y", "<<<<<<< HEAD"] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in [
            format!("a.b/c v1.0.0 h2:{}", &H1[3..]),
            format!("a.b/c v1 {H1}"),
            format!("a.b/c v2.0.0 {H1}"),
            format!("a.b/../c v1.0.0 {H1}"),
            format!("a.b/!c v1.0.0 {H1}"),
            format!("a.b/c v1.0.0/go.mod/go.mod {H1}"),
        ] {
            assert!(matches!(parse(&line), Err(GoSumFlaw::Field(_))), "{line}");
        }
    }
}
