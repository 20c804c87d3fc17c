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
mod tests;
