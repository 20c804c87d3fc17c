//! What a directory holds, to be compared with what it holds later.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use goferry_manifest::Sha256Digest;

/// Type, mode, owner and content of everything below a directory, by relative path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, String>);

/// What makes a file's content the same as it was: device, inode, size and time of change, which nobody can set.
type Identity = (u64, u64, u64, i64, i64);

impl Snapshot {
    /// All of `directory` but `gopath/` at its top, which is its users' own.
    pub fn of(directory: &Path) -> Self {
        let entries = walkdir::WalkDir::new(directory)
            .min_depth(1)
            .into_iter()
            .filter_entry(|entry| entry.depth() != 1 || entry.file_name() != "gopath");
        let entries = entries.map(|entry| {
            let entry = entry.expect("a readable directory");
            let relative = entry.path().strip_prefix(directory).expect("below the directory");
            (relative.to_owned(), describe(entry.path()))
        });
        Self(entries.collect())
    }

    /// Type, mode and owner of each path: what is the same whenever and by whomever the same was installed.
    pub fn modes(&self) -> Vec<String> {
        let mode = |(path, entry): (&PathBuf, &String)| {
            let words: Vec<_> = entry.split(' ').take(2).collect();
            format!("{} {}", words.join(" "), path.display())
        };
        self.0.iter().map(mode).collect()
    }

    /// What came, went or changed, a line each: `+ path`, `- path`, `~ path: before, then after`.
    pub fn changes_to(&self, after: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(after.0.keys().filter(|path| !self.0.contains_key(*path)));
        let change = |path: &PathBuf| match (self.0.get(path), after.0.get(path)) {
            (Some(before), Some(after)) if before == after => None,
            (Some(before), Some(after)) => Some(format!("~ {}: {before}, then {after}", path.display())),
            (Some(_), None) => Some(format!("- {}", path.display())),
            (None, _) => Some(format!("+ {}", path.display())),
        };
        paths.filter_map(change).collect()
    }
}

fn describe(path: &Path) -> String {
    let metadata = fs::symlink_metadata(path).expect("it was listed just now");
    let owner = format!("{:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
    if metadata.is_symlink() {
        return format!("{owner} -> {}", fs::read_link(path).expect("a symlink").display());
    }
    if metadata.is_dir() {
        return owner;
    }
    format!("{owner} {}", digest(path, &metadata))
}

/// The digest of a file's content, computed once for as long as the file does not change.
fn digest(path: &Path, metadata: &fs::Metadata) -> Sha256Digest {
    static KNOWN: Mutex<Option<HashMap<Identity, Sha256Digest>>> = Mutex::new(None);
    let identity = (metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec());
    let known =
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().get(&identity).copied();
    known.unwrap_or_else(|| {
        let digest = Sha256Digest::of(&fs::read(path).expect("a readable file"));
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_default().insert(identity, digest);
        digest
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn every_change_is_seen() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["changed", "gone", "mode", "same"] {
            fs::write(path(name), "before").unwrap();
        }
        std::os::unix::fs::symlink("same", path("link")).unwrap();
        fs::create_dir(path("gopath")).unwrap();
        let before = Snapshot::of(directory.path());
        assert_eq!(before.changes_to(&Snapshot::of(directory.path())), [""; 0]);

        fs::write(path("changed"), "beforE").unwrap();
        fs::remove_file(path("gone")).unwrap();
        fs::set_permissions(path("mode"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(path("link")).unwrap();
        std::os::unix::fs::symlink("mode", path("link")).unwrap();
        fs::write(path("new"), "").unwrap();
        fs::write(path("gopath/file"), "").unwrap();
        let changes = before.changes_to(&Snapshot::of(directory.path()));
        let names: Vec<_> = changes.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, ["~ changed", "- gone", "~ link", "~ mode", "+ new"]);
    }
}
