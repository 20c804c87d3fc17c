//! The place of the bundle, checked before the work begins.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use goferry_terminal::{CommandError, Environment, Kind};
use tempfile::NamedTempFile;

use crate::fs;
use crate::lock::Lock;

/// How a bundle begins: the name of its first entry.
const BEGINNING: &[u8] = b"goferry.json\0";

/// A file that will be the bundle, and the name that it will get.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) file: NamedTempFile,
    directory: PathBuf,
    given: Option<PathBuf>,
}

impl Output {
    /// Makes the file, in the directory of `given` or the current one. What is there already is only ever replaced if
    /// it is a bundle.
    pub(super) fn open(
        given: Option<&Path>,
        key: &Path,
        environment: &Environment,
    ) -> Result<Self, CommandError> {
        let here = environment.directory();
        let given = given.map(|path| here.join(path));
        if let Some(path) = &given {
            check_replaceable(path, &here.join(key))?;
        }
        let beside = given.clone().unwrap_or_else(|| here.join("bundle"));
        let file = fs::temporary_sibling(&beside).map_err(|error| {
            CommandError::new(Kind::Failed, format!("cannot write to `{}`", directory_of(&beside).display()))
                .caused_by(Some(&error))
                .state("nothing was fetched or written")
        })?;
        Ok(Self { file, directory: directory_of(&beside), given })
    }

    /// The name: the one given, else that of the bundle and its number.
    pub(super) fn path(&self, lock: &Lock) -> Result<PathBuf, CommandError> {
        if let Some(path) = &self.given {
            return Ok(path.clone());
        }
        let path = self.directory.join(format!("{}-{}.goferry", lock.name, lock.sequence));
        check_replaceable(&path, Path::new(""))?;
        Ok(path)
    }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// An older bundle may be replaced; a key, a lock or anything else may not.
fn check_replaceable(path: &Path, key: &Path) -> Result<(), CommandError> {
    let refused = |what: &str| {
        let message = format!("`{}` exists and is {what}: it is not overwritten", path.display());
        Err(CommandError::new(Kind::Usage, message).hint("name another file with `--output`"))
    };
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    if !metadata.is_file() {
        return refused("not a regular file");
    }
    if path.canonicalize().ok() == key.canonicalize().ok() {
        return refused("the key");
    }
    let mut start = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut start));
    if read.is_err() || (!start.is_empty() && start != BEGINNING) {
        return refused("no goferry bundle");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, output: &str) -> Result<Output, CommandError> {
        let environment = Environment::new([("A", "b")], directory);
        Output::open(Some(Path::new(output)), Path::new("ops.key"), &environment)
    }

    #[test]
    fn only_bundles_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        write("ops.key", b"secret");
        write("go.mod", b"module a.b/c\n");
        write("old.goferry", &[BEGINNING, &[0; 500]].concat());
        write("empty", b"");
        for name in ["ops.key", "go.mod", ".", "./ops.key"] {
            assert_eq!(open(directory.path(), name).unwrap_err().kind(), Kind::Usage, "{name}");
        }
        assert_eq!(open(directory.path(), "missing/new.goferry").unwrap_err().kind(), Kind::Failed);
        for name in ["old.goferry", "new.goferry", "empty"] {
            open(directory.path(), name).unwrap();
        }
        assert_eq!(std::fs::read(directory.path().join("ops.key")).unwrap(), b"secret");
    }
}
