//! Records: the hashes of one module, as go.sum has them.

use thiserror::Error;

use crate::{DirHash, Module};

/// A record that is proven to be in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenRecord {
    id: u64,
    tree_size: u64,
    module: Module,
    h1: DirHash,
    go_mod_h1: DirHash,
}

/// The text of a record that is in the log but does not say what is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Not the two lines that a record of a module has.
    #[error("malformed text: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The lines are of another module.
    #[error("it is about `{}`", actual.escape_debug())]
    OtherModule {
        /// Path and version in the record.
        actual: String,
    },
}

impl ProvenRecord {
    /// Reads the text of record `id`, which was found in a tree of `tree_size` records.
    pub(super) fn read(id: u64, tree_size: u64, text: &str, module: &Module) -> Result<Self, RecordError> {
        let malformed = |reason| RecordError::Malformed { reason };
        let mut lines = text.split_terminator('\n');
        let (Some(zip), Some(go_mod), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed("not two lines"));
        };
        let h1 = read_line(zip, module, "")?;
        let go_mod_h1 = read_line(go_mod, module, "/go.mod")?;
        Ok(Self { id, tree_size, module: module.clone(), h1, go_mod_h1 })
    }

    /// The record's number, counted from 0.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of records of the tree in which it was found.
    pub fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// The module that the record is about.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The hash of the module's zip, if the record is about `module`.
    pub fn h1_of(&self, module: &Module) -> Option<DirHash> {
        (self.module == *module).then_some(self.h1)
    }

    /// The hash of the module's go.mod, if the record is about `module`.
    pub fn go_mod_h1_of(&self, module: &Module) -> Option<DirHash> {
        (self.module == *module).then_some(self.go_mod_h1)
    }
}

fn read_line(line: &str, module: &Module, file: &str) -> Result<DirHash, RecordError> {
    let malformed = |reason| RecordError::Malformed { reason };
    let fields: Vec<_> = line.split(' ').collect();
    let &[path, version, hash] = fields.as_slice() else {
        return Err(malformed("a line that is not path, version and hash"));
    };
    let Some(bare) = version.strip_suffix(file).filter(|bare| !bare.ends_with("/go.mod")) else {
        return Err(malformed("not one line for the zip and one for the go.mod"));
    };
    if path != module.path().as_str() || bare != module.version().as_str() {
        return Err(RecordError::OtherModule {
            actual: format!("{path}@{bare}").chars().take(200).collect(),
        });
    }
    hash.parse().map_err(|_| malformed("a hash that is not `h1:` and base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZIP: &str = "a.b/c v1.0.0 h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=\n";
    const GO_MOD: &str = "a.b/c v1.0.0/go.mod h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=\n";

    fn module(version: &str) -> Module {
        Module::new("a.b/c".parse().unwrap(), version.parse().unwrap()).unwrap()
    }

    fn read(text: &str) -> Result<ProvenRecord, RecordError> {
        ProvenRecord::read(3, 9, text, &module("v1.0.0"))
    }

    #[test]
    fn a_record_gives_its_hashes_for_its_own_module_only() {
        let record = read(&format!("{ZIP}{GO_MOD}")).unwrap();
        assert_eq!((record.id(), record.tree_size()), (3, 9));
        assert_eq!(
            record.h1_of(&module("v1.0.0")).unwrap().to_string(),
            "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0="
        );
        assert_eq!(
            record.go_mod_h1_of(&module("v1.0.0")).unwrap().to_string(),
            "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs="
        );
        assert_eq!(record.h1_of(&module("v1.0.1")), None);
        assert_eq!(record.go_mod_h1_of(&module("v1.0.1")), None);
    }

    #[test]
    fn records_of_other_modules_are_refused() {
        for (from, to) in [("a.b/c", "a.b/d"), ("v1.0.0", "v1.0.1"), ("a.b/c", "a.b/C")] {
            for text in
                [format!("{}{GO_MOD}", ZIP.replace(from, to)), format!("{ZIP}{}", GO_MOD.replace(from, to))]
            {
                assert!(matches!(read(&text), Err(RecordError::OtherModule { .. })), "{text}");
            }
        }
    }

    #[test]
    fn other_lines_than_those_two_are_refused() {
        for text in [
            String::new(),
            ZIP.to_owned(),
            GO_MOD.to_owned(),
            format!("{GO_MOD}{ZIP}"),
            format!("{ZIP}{ZIP}"),
            format!("{GO_MOD}{GO_MOD}"),
            format!("{ZIP}{GO_MOD}{GO_MOD}"),
            format!("{ZIP}{GO_MOD}\n"),
            format!("{ZIP}{}", GO_MOD.replace("h1:", "h2:")),
            format!("{ZIP}{}", GO_MOD.replace(" h1:", "  h1:")),
            format!("{ZIP}{}", GO_MOD.replace(" h1:", "\th1:")),
            format!("{ZIP}{}", GO_MOD.replace("=\n", "= x\n")),
            format!("{ZIP}{}", GO_MOD.replace("=\n", "\n")),
        ] {
            assert!(matches!(read(&text), Err(RecordError::Malformed { .. })), "{text}");
        }
    }
}
