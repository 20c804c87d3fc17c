//! `goferry.lock`: what a bundle holds, made to be committed and reviewed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use goferry_manifest::bundle::Manifest;
use goferry_manifest::module::MajorMismatch;
use goferry_manifest::{
    Channel, DirHash, GoRelease, Module, ModulePath, ModuleVersion, Platform, Sequence, Timestamp,
};
use goferry_terminal::Environment;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fs;

/// The name of the file, in the current directory.
pub const FILE_NAME: &str = "goferry.lock";

/// What the file begins with.
const HEADING: &str =
    "# What goferry carries, and for whom. Written by `goferry build`; commit it, and read its changes.\n\n";

/// The lock of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The bundle's channel.
    pub name: Channel,
    /// Its number within the channel.
    pub sequence: Sequence,
    /// When this content was first asked for.
    pub created: Timestamp,
    /// What is in it.
    pub content: LockedContent,
}

/// What a bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedContent {
    /// Toolchains with their h1.
    pub toolchains: BTreeMap<(GoRelease, Platform), DirHash>,
    /// Modules with their hashes.
    pub modules: BTreeMap<Module, LockedModule>,
}

/// A module of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedModule {
    /// The h1 of its files; absent where only its go.mod is carried.
    pub h1: Option<DirHash>,
    /// The h1 of its go.mod.
    pub go_mod: DirHash,
    /// When it was made, as the proxy said that was asked first: nobody vouches for it, so it is kept here.
    pub time: Option<Timestamp>,
    /// The module paths of the projects that want it.
    pub wanted_by: BTreeSet<String>,
}

/// Whether a lock had to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The old one still says what is wanted.
    Unchanged,
    /// It has another content, and so another sequence.
    Changed,
}

/// Why a lock cannot be used.
#[derive(Debug, Error)]
pub enum LockError {
    /// It cannot be read or written; the cause names the file.
    #[error("failed to use the lock")]
    Io {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not a lock.
    #[error("`{}` is not a lock", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<MalformedLock>,
    },
    /// A version got other files than it had.
    #[error("`{what}` is not what it was\n  expected: {locked} (`{}`)\n    actual: {actual}", lock.display())]
    Contradiction {
        /// The lock.
        lock: PathBuf,
        /// The module or toolchain.
        what: String,
        /// Its h1 in the lock.
        locked: DirHash,
        /// Its h1 now.
        actual: DirHash,
    },
    /// The lock is that of another bundle, whose numbers are not this one's.
    #[error("`{}` is the lock of bundle `{locked}`, and this one would be `{wanted}`", lock.display())]
    OtherBundle {
        /// The lock.
        lock: PathBuf,
        /// The name in it.
        locked: Channel,
        /// The name that follows from the projects.
        wanted: Channel,
    },
    /// The lock was written by somebody else since it was read.
    #[error("`{}` changed while the bundle was made", lock.display())]
    ChangedMeanwhile {
        /// The lock.
        lock: PathBuf,
    },
    /// No number is left.
    #[error("channel `{0}` has used up its sequence numbers")]
    LastSequence(Channel),
}

/// What is wrong with a lock.
#[derive(Debug, Error)]
pub enum MalformedLock {
    /// Not TOML, or not of the lock's shape.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A version that cannot belong to its module.
    #[error(transparent)]
    Module(#[from] MajorMismatch),
    /// The same twice.
    #[error("`{0}` is listed twice")]
    Twice(String),
}

/// A SOURCE_DATE_EPOCH that is no time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("SOURCE_DATE_EPOCH is `{}`, which is not a number of seconds since 1970", text.escape_debug())]
pub struct MomentError {
    text: String,
}

impl LockError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherBundle { .. } => Some(
                "build in another directory, or name the projects in the order of before: the first one names the bundle",
            ),
            Self::ChangedMeanwhile { .. } => Some("another build was faster: run this one again"),
            Self::Contradiction { .. } => {
                Some("keep both files and find out why they differ; do not work around it")
            }
            Self::Io { .. } | Self::Malformed { .. } | Self::LastSequence(_) => None,
        }
    }
}

impl LockedContent {
    /// The names of what is not the same in `other`, as a list of changes.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let toolchains = keys(&self.toolchains, &other.toolchains);
        let toolchains = toolchains.filter_map(|key @ (version, platform)| {
            let change = change(self.toolchains.get(key), other.toolchains.get(key))?;
            Some(format!("{change} go{version} {platform}"))
        });
        let modules = keys(&self.modules, &other.modules).filter_map(|module| {
            let change = change(self.modules.get(module), other.modules.get(module))?;
            Some(format!("{change} {module}"))
        });
        toolchains.chain(modules).collect()
    }

    /// What a manifest holds. `wanted_by` tells the projects that want a module.
    pub fn of_manifest(manifest: &Manifest, wanted_by: &BTreeMap<Module, BTreeSet<String>>) -> Self {
        let toolchains = manifest.toolchains().iter();
        let toolchains = toolchains.map(|it| ((it.version, it.platform.clone()), it.h1)).collect();
        let modules = manifest.modules().iter().map(|carried| {
            let locked = LockedModule {
                h1: carried.zip.as_ref().map(|zip| zip.h1),
                go_mod: carried.go_mod.h1,
                time: carried.time,
                wanted_by: wanted_by.get(&carried.module).cloned().unwrap_or_default(),
            };
            (carried.module.clone(), locked)
        });
        Self { toolchains, modules: modules.collect() }
    }
}

impl Lock {
    /// Reads the lock at `path`; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LockError::Io { source }),
        };
        let malformed = |source| LockError::Malformed { path: path.to_owned(), source: Box::new(source) };
        Self::parse(&text).map(Some).map_err(malformed)
    }

    /// Reads the text of a lock.
    pub fn parse(text: &str) -> Result<Self, MalformedLock> {
        let document: Document = toml::from_str(text)?;
        let mut content = LockedContent::default();
        for ToolchainEntry { version, platform, h1 } in document.toolchain {
            let name = format!("go{version} {platform}");
            if content.toolchains.insert((version, platform), h1).is_some() {
                return Err(MalformedLock::Twice(name));
            }
        }
        for ModuleEntry { path, version, h1, go_mod, time, wanted_by } in document.module {
            let module = Module::new(path, version)?;
            let name = module.to_string();
            let wanted_by = wanted_by.into_iter().collect();
            if content.modules.insert(module, LockedModule { h1, go_mod, time, wanted_by }).is_some() {
                return Err(MalformedLock::Twice(name));
            }
        }
        let Document { name, sequence, created, .. } = document;
        Ok(Self { name, sequence, created, content })
    }

    /// The text of the lock: sorted, so that its changes are those of the content.
    pub fn to_text(&self) -> String {
        let Self { name, sequence, created, content } = self;
        let toolchain = content.toolchains.iter().map(|((version, platform), h1)| ToolchainEntry {
            version: *version,
            platform: platform.clone(),
            h1: *h1,
        });
        let module = content.modules.iter().map(|(module, locked)| ModuleEntry {
            path: module.path().clone(),
            version: module.version().clone(),
            h1: locked.h1,
            go_mod: locked.go_mod,
            time: locked.time,
            wanted_by: locked.wanted_by.iter().cloned().collect(),
        });
        let document = Document {
            name: name.clone(),
            sequence: *sequence,
            created: *created,
            toolchain: toolchain.collect(),
            module: module.collect(),
        };
        let text = toml::to_string(&document).expect("a lock has only strings, numbers and tables");
        format!("{HEADING}{text}")
    }

    /// Writes the lock, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        fs::write_shared(path, self.to_text().as_bytes()).map_err(|source| LockError::Io { source })
    }

    /// Replaces at `path` what was `read` from there, unless somebody else did so: a number must not come twice.
    pub fn succeed(&self, read: Option<&Self>, path: &Path) -> Result<(), LockError> {
        if Self::read(path)?.as_ref() != read {
            return Err(LockError::ChangedMeanwhile { lock: path.to_owned() });
        }
        self.write(path)
    }

    /// Whether the lock at `path` may go on as that of the bundle `name`.
    pub fn check_name(&self, name: &Channel, path: &Path) -> Result<(), LockError> {
        if self.name == *name {
            return Ok(());
        }
        let (locked, wanted) = (self.name.clone(), name.clone());
        Err(LockError::OtherBundle { lock: path.to_owned(), locked, wanted })
    }

    /// The lock for what is wanted now: the old one, of `path`, if it says the same, else its successor.
    ///
    /// The numbers of a bundle are its own, so another bundle does not go on with its lock.
    pub fn reconcile(
        old: Option<&Self>,
        path: &Path,
        name: &Channel,
        content: LockedContent,
        now: Timestamp,
    ) -> Result<(Self, Reconciled), LockError> {
        let Some(old) = old else {
            let first = Self { name: name.clone(), sequence: Sequence::FIRST, created: now, content };
            return Ok((first, Reconciled::Changed));
        };
        old.check_name(name, path)?;
        check_same_versions(path, &old.content, &content)?;
        if old.content == content {
            return Ok((old.clone(), Reconciled::Unchanged));
        }
        let sequence = old.sequence.next().ok_or_else(|| LockError::LastSequence(name.clone()))?;
        Ok((Self { name: name.clone(), sequence, created: now, content }, Reconciled::Changed))
    }
}

/// A published version never changes: one with another hash was tampered with, there or here.
fn check_same_versions(path: &Path, old: &LockedContent, new: &LockedContent) -> Result<(), LockError> {
    let differ = |what: String, locked: DirHash, actual: DirHash| {
        if locked == actual {
            return Ok(());
        }
        Err(LockError::Contradiction { lock: path.to_owned(), what, locked, actual })
    };
    for (key @ (version, platform), h1) in &new.toolchains {
        if let Some(locked) = old.toolchains.get(key) {
            differ(format!("go{version} {platform}"), *locked, *h1)?;
        }
    }
    for (module, now) in &new.modules {
        let Some(locked) = old.modules.get(module) else { continue };
        differ(format!("{module}/go.mod"), locked.go_mod, now.go_mod)?;
        if let (Some(locked), Some(now)) = (locked.h1, now.h1) {
            differ(module.to_string(), locked, now)?;
        }
    }
    Ok(())
}

fn keys<'a, K: Ord, V>(one: &'a BTreeMap<K, V>, other: &'a BTreeMap<K, V>) -> impl Iterator<Item = &'a K> {
    let all: BTreeSet<&K> = one.keys().chain(other.keys()).collect();
    all.into_iter()
}

fn change<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<&'static str> {
    match (old, new) {
        (old, new) if old == new => None,
        (None, _) => Some("new:"),
        (_, None) => Some("gone:"),
        _ => Some("changed:"),
    }
}

/// What a changed lock gets as `created`: SOURCE_DATE_EPOCH where it is set, else what the clock says
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
pub fn moment(environment: &Environment, clock: Timestamp) -> Result<Timestamp, MomentError> {
    let Some(text) = environment.text("SOURCE_DATE_EPOCH") else { return Ok(clock) };
    let seconds = text.parse().ok().and_then(Timestamp::from_unix);
    seconds.ok_or_else(|| MomentError { text: text.to_owned() })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Channel,
    sequence: Sequence,
    created: Timestamp,
    #[serde(default)]
    toolchain: Vec<ToolchainEntry>,
    #[serde(default)]
    module: Vec<ModuleEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolchainEntry {
    version: GoRelease,
    platform: Platform,
    h1: DirHash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleEntry {
    path: ModulePath,
    version: ModuleVersion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h1: Option<DirHash>,
    go_mod: DirHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    wanted_by: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const H1: &str = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";
    const PATH: &str = "/srv/goferry.lock";
    const OTHER: &str = "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=";

    fn module(path: &str, version: &str) -> Module {
        Module::new(path.parse().unwrap(), version.parse().unwrap()).unwrap()
    }

    fn content(h1: Option<&str>) -> LockedContent {
        let locked = |h1: Option<&str>| LockedModule {
            h1: h1.map(|h1| h1.parse().unwrap()),
            go_mod: OTHER.parse().unwrap(),
            time: h1.map(|_| at("2026-01-02T03:04:05Z")),
            wanted_by: ["cli".to_owned(), "a.b/web".to_owned()].into(),
        };
        LockedContent {
            toolchains: [(("1.27.3".parse().unwrap(), "linux/amd64".parse().unwrap()), H1.parse().unwrap())]
                .into(),
            modules: [(module("a.b/d", "v1.10.0"), locked(None)), (module("a.b/d", "v1.9.0"), locked(h1))]
                .into(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lock() -> Lock {
        let name = "cli".parse().unwrap();
        let (lock, state) =
            Lock::reconcile(None, PATH.as_ref(), &name, content(Some(H1)), at("2026-11-24T08:15:00Z"))
                .unwrap();
        assert_eq!((state, lock.sequence), (Reconciled::Changed, Sequence::FIRST));
        lock
    }

    #[test]
    fn a_lock_is_sorted_text_and_survives_the_round_trip() {
        let lock = lock();
        let text = lock.to_text();
        assert_eq!(Lock::parse(&text).unwrap(), lock);
        let expected = format!(
            r#"{HEADING}name = "cli"
sequence = 1
created = "2026-11-24T08:15:00Z"

[[toolchain]]
version = "1.27.3"
platform = "linux/amd64"
h1 = "{H1}"

[[module]]
path = "a.b/d"
version = "v1.9.0"
h1 = "{H1}"
go_mod = "{OTHER}"
time = "2026-01-02T03:04:05Z"
wanted_by = ["a.b/web", "cli"]

[[module]]
path = "a.b/d"
version = "v1.10.0"
go_mod = "{OTHER}"
wanted_by = ["a.b/web", "cli"]
"#
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_lock_is_read_strictly() {
        let text = lock().to_text();
        let entry = format!("[[module]]{}", text.rsplit("[[module]]").next().unwrap());
        for bad in [
            format!("extra = 1\n{text}"),
            format!("{text}extra = 1\n"),
            format!("{text}\n{entry}"),
            text.replace("sequence = 1", "sequence = 0"),
            text.replace("name = \"cli\"", "name = \"../cli\""),
            text.replace("v1.9.0", "v2.0.0"),
            text.replace("h1:8", "h2:8"),
            text.replace("00Z", "00+01:00"),
            text.replace("go_mod", "gomod"),
            String::new(),
        ] {
            assert!(Lock::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_content_keeps_the_lock_and_another_one_gets_the_next_number() {
        let (old, later) = (lock(), at("2027-01-01T00:00:00Z"));
        let next = |content| Lock::reconcile(Some(&old), PATH.as_ref(), &old.name, content, later).unwrap();
        let (same, state) = next(content(Some(H1)));
        assert_eq!((same.to_text(), state), (old.to_text(), Reconciled::Unchanged));
        let mut other_time = content(Some(H1));
        other_time.modules.values_mut().for_each(|module| module.time = Some(later));
        for changed in [content(None), other_time] {
            let (next, state) = next(changed);
            assert_eq!((next.sequence.get(), next.created, state), (2, later, Reconciled::Changed));
        }
    }

    #[test]
    fn another_bundle_does_not_go_on_with_the_lock() {
        let old = lock();
        let name = "web".parse().unwrap();
        let error =
            Lock::reconcile(Some(&old), PATH.as_ref(), &name, content(Some(H1)), old.created).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`/srv/goferry.lock` is the lock of bundle `cli`, and this one would be `web`"
        );
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_lock_that_somebody_else_wrote_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let first = lock();
        first.succeed(None, &path).unwrap();
        let error = first.succeed(None, &path).unwrap_err();
        assert!(matches!(error, LockError::ChangedMeanwhile { .. }) && error.hint().is_some());
        let second = Lock { sequence: first.sequence.next().unwrap(), ..first.clone() };
        second.succeed(Some(&first), &path).unwrap();
        assert!(first.succeed(Some(&first), &path).is_err());
        assert_eq!(Lock::read(&path).unwrap(), Some(second));
    }

    #[test]
    fn what_differs_is_named() {
        let (old, mut new) = (content(Some(H1)), content(None));
        assert_eq!(old.differences(&old), Vec::<String>::new());
        new.modules.remove(&module("a.b/d", "v1.10.0"));
        new.modules.insert(module("a.b/e", "v1.0.0"), new.modules.values().next().unwrap().clone());
        new.toolchains.clear();
        assert_eq!(
            old.differences(&new),
            [
                "gone: go1.27.3 linux/amd64",
                "changed: a.b/d@v1.9.0",
                "gone: a.b/d@v1.10.0",
                "new: a.b/e@v1.0.0"
            ]
        );
    }

    #[test]
    fn a_version_that_got_other_files_is_refused() {
        let old = lock();
        let other = content(Some(OTHER));
        let error = Lock::reconcile(Some(&old), PATH.as_ref(), &old.name, other, old.created).unwrap_err();
        assert!(error.to_string().contains("(`/srv/goferry.lock`)"), "{error}");
        assert!(matches!(error, LockError::Contradiction { what, .. } if what == "a.b/d@v1.9.0"));
    }

    #[test]
    fn the_moment_of_a_reproducible_build_goes_before_the_clock() {
        let clock = at("2026-11-24T08:15:00Z");
        let with = |value: &str| moment(&Environment::new([("SOURCE_DATE_EPOCH", value)], "/"), clock);
        assert_eq!(with(""), Ok(clock));
        assert_eq!(with("86400"), Ok(at("1970-01-02T00:00:00Z")));
        assert!(with("yesterday").is_err() && with("1e9").is_err() && with("9223372036854775807").is_err());
    }

    #[test]
    fn a_lock_is_written_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(Lock::read(&path).unwrap(), None);
        lock().write(&path).unwrap();
        lock().write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), Some(lock()));
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(Lock::read(&path), Err(LockError::Malformed { .. })));
    }
}
