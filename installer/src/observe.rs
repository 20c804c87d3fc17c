//! What is under a prefix: read, never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8PathBuf;
use goferry_manifest::bundle::{Cover, Manifest};
use goferry_manifest::{Channel, Limits, Sha256Digest};
use thiserror::Error;

use crate::fs::{self, Dir, FsError, Kind, optional};
use crate::prefix::{Prefix, Root};
use crate::receipt::{ChannelRecord, RECEIPT, RECEIPT_BYTES, Receipt};

/// Names at the top of a prefix.
pub(crate) const TREES: &str = "trees";
pub(crate) const GENERATIONS: &str = "generations";
pub(crate) const CURRENT: &str = "current";
pub(crate) const PREVIOUS: &str = "previous";
pub(crate) const STATE: &str = "state";
pub(crate) const GOPATH: &str = "gopath";
/// Kinds of trees.
pub(crate) const TOOLCHAIN: &str = "toolchain";
pub(crate) const MODCACHE: &str = "modcache";
/// Where a generation keeps what it was made from.
pub(crate) const BUNDLES: &str = "bundles";
pub(crate) const COVER: &str = "goferry.json";
pub(crate) const MANIFEST: &str = "manifest.json.zst";
/// How names of what is not finished begin.
pub(crate) const STAGING: &str = ".staging-";

/// What is under a prefix.
#[derive(Debug, Default)]
pub struct Observed {
    /// The generation that `current` names.
    pub current: Option<Current>,
    /// The numbers of all generations.
    pub generations: BTreeSet<u64>,
    /// All trees, by kind and name.
    pub trees: BTreeSet<(String, String)>,
    /// The trees that a generation links to. The others were left behind and are not trusted.
    pub referenced: BTreeSet<(String, String)>,
    /// What interrupted runs left behind: `kind` and name of a tree, or `generations` and a name there.
    pub leftovers: Vec<(String, String)>,
}

/// The generation in use.
#[derive(Debug)]
pub struct Current {
    /// Its receipt.
    pub receipt: Receipt,
    /// The digest of the receipt's file.
    pub receipt_digest: Sha256Digest,
    /// The bundles that it was made from.
    pub bundles: BTreeMap<Channel, StoredBundle>,
}

/// What a generation keeps of a bundle.
#[derive(Debug)]
pub struct StoredBundle {
    /// `goferry.json`.
    pub cover: Vec<u8>,
    /// The signature files, in their order.
    pub signatures: Vec<Vec<u8>>,
    /// `manifest.json.zst`.
    pub manifest_file: Vec<u8>,
    /// What it says.
    pub manifest: Manifest,
}

/// Why a place cannot be (or become) a prefix as it is.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// A system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A file or a link is in the way.
    #[error("the prefix `{path}` is a link or a file, not a directory")]
    NotADirectory {
        /// The prefix.
        path: Utf8PathBuf,
    },
    /// Something else lies there.
    #[error("the prefix `{path}` holds `{entry}`, which goport did not put there")]
    Foreign {
        /// The prefix.
        path: Utf8PathBuf,
        /// What is not ours.
        entry: String,
    },
    /// It belongs to somebody else.
    #[error("the prefix `{path}` belongs to user {owner}, not to you (user {user})")]
    OtherOwner {
        /// The prefix.
        path: Utf8PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// Anybody may write there.
    #[error("the prefix `{path}` may be written by everybody (mode {mode:04o})")]
    WorldWritable {
        /// The prefix.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something of ours is not as it was written.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// What.
        path: Utf8PathBuf,
        /// In which way.
        reason: String,
    },
}

/// Looks at a prefix. One that does not exist yet is empty.
pub fn observe(prefix: &Prefix, root: &Root) -> Result<Observed, ObserveError> {
    let path = root.locate(prefix);
    match Dir::open(&path) {
        Ok(dir) => observe_dir(&dir),
        Err(error) if error.is_not_found() => Ok(Observed::default()),
        Err(error) if fs::is_not_a_directory(&error) => Err(ObserveError::NotADirectory { path }),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn observe_dir(prefix: &Dir) -> Result<Observed, ObserveError> {
    check_owner(prefix)?;
    check_names(prefix)?;
    let mut observed = Observed::default();
    for kind in [TOOLCHAIN, MODCACHE] {
        let Some(dir) = optional(prefix.open_path([TREES, kind].into_iter()))? else { continue };
        for (name, _) in dir.entries()? {
            let entry = (kind.to_owned(), name.clone());
            if name.starts_with('.') {
                observed.leftovers.push(entry);
            } else {
                observed.trees.insert(entry);
            }
        }
    }
    let Some(generations) = optional(prefix.open_dir(GENERATIONS))? else { return Ok(observed) };
    for (name, _) in generations.entries()? {
        match name.parse::<u64>() {
            Ok(number) if number.to_string() == name => drop(observed.generations.insert(number)),
            _ => observed.leftovers.push((GENERATIONS.to_owned(), name)),
        }
    }
    let current = current_number(prefix)?;
    if let Some(number) = current {
        observed.current = Some(read_current(&generations, number)?);
    } else if observed.generations.len() > 1 {
        let reason = "it is missing, although there are generations".to_owned();
        return Err(ObserveError::Damaged { path: prefix.path().join(CURRENT), reason });
    }
    // Numbers only rise: what is above `current` was never switched to.
    let unfinished: Vec<_> = observed.generations.range(current.map_or(0, |n| n + 1)..).copied().collect();
    for number in unfinished {
        observed.generations.remove(&number);
        observed.leftovers.push((GENERATIONS.to_owned(), number.to_string()));
    }
    for number in &observed.generations {
        let (receipt, _) = read_receipt(&generations.open_dir(&number.to_string())?)?;
        let toolchains = receipt.trees.toolchain.into_values().map(|name| (TOOLCHAIN.to_owned(), name));
        observed.referenced.extend(toolchains);
        observed.referenced.insert((MODCACHE.to_owned(), receipt.trees.modcache));
    }
    Ok(observed)
}

fn check_owner(prefix: &Dir) -> Result<(), ObserveError> {
    let (owner, mode) = prefix.owner_and_mode()?;
    let user = rustix::process::geteuid().as_raw();
    let path = || prefix.path().to_owned();
    if user != 0 && owner != user {
        return Err(ObserveError::OtherOwner { path: path(), owner, user });
    }
    if mode & 0o002 != 0 {
        return Err(ObserveError::WorldWritable { path: path(), mode });
    }
    Ok(())
}

/// A directory that holds anything that we do not write is not ours (bad-inputs #80).
fn check_names(prefix: &Dir) -> Result<(), ObserveError> {
    let known = |name: &str, kind: Kind| match name {
        TREES | GENERATIONS | STATE | GOPATH => kind == Kind::Dir,
        CURRENT | PREVIOUS | ".current.new" => kind == Kind::Link,
        _ => false,
    };
    match prefix.entries()?.into_iter().find(|(name, kind)| !known(name, *kind)) {
        Some((entry, _)) => Err(ObserveError::Foreign { path: prefix.path().to_owned(), entry }),
        None => Ok(()),
    }
}

fn current_number(prefix: &Dir) -> Result<Option<u64>, ObserveError> {
    let Some(target) = optional(prefix.read_link(CURRENT))? else { return Ok(None) };
    let number = target.strip_prefix("generations/").and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| ObserveError::Damaged {
        path: prefix.path().join(CURRENT),
        reason: format!("it leads to `{}`", target.escape_debug()),
    })
}

fn read_receipt(generation: &Dir) -> Result<(Receipt, Sha256Digest), ObserveError> {
    let bytes = generation.read_file(RECEIPT, RECEIPT_BYTES)?;
    let receipt = Receipt::parse(&bytes).map_err(|error| damaged(generation, RECEIPT, error.to_string()))?;
    Ok((receipt, Sha256Digest::of(&bytes)))
}

fn read_current(generations: &Dir, number: u64) -> Result<Current, ObserveError> {
    let generation = generations.open_dir(&number.to_string())?;
    let (receipt, receipt_digest) = read_receipt(&generation)?;
    if receipt.generation != number {
        let reason = format!("it is the receipt of generation {}", receipt.generation);
        return Err(damaged(&generation, RECEIPT, reason));
    }
    let mut bundles = BTreeMap::new();
    for (channel, record) in &receipt.channels {
        let dir = generation.open_path([BUNDLES, channel.as_str()].into_iter())?;
        bundles.insert(channel.clone(), read_bundle(&dir, record)?);
    }
    Ok(Current { receipt, receipt_digest, bundles })
}

fn read_bundle(dir: &Dir, record: &ChannelRecord) -> Result<StoredBundle, ObserveError> {
    let limits = Limits::FORMAT_1;
    let cover = dir.read_file(COVER, limits.cover_bytes)?;
    check_digest(dir, COVER, &cover, record.bundle)?;
    let parsed = Cover::parse(&cover).map_err(|error| damaged(dir, COVER, error.to_string()))?;
    let mut signatures = Vec::new();
    for number in 1..=limits.signatures {
        let Some(bytes) = optional(dir.read_file(&signature_name(number), limits.signature_bytes))? else {
            break;
        };
        signatures.push(bytes);
    }
    let manifest_file = dir.read_file(MANIFEST, limits.table_bytes)?;
    check_digest(dir, MANIFEST, &manifest_file, parsed.manifest.sha256)?;
    let content = decode(&manifest_file, parsed.manifest.content_size)
        .map_err(|error| damaged(dir, MANIFEST, error.to_string()))?;
    check_digest(dir, MANIFEST, &content, parsed.manifest.content_sha256)?;
    let manifest = Manifest::parse(&content).map_err(|error| damaged(dir, MANIFEST, error.to_string()))?;
    Ok(StoredBundle { cover, signatures, manifest_file, manifest })
}

/// The name of a signature file, counted from 1.
pub(crate) fn signature_name(number: usize) -> String {
    match number {
        1 => format!("{COVER}.minisig"),
        number => format!("{COVER}.{number}.minisig"),
    }
}

/// Decodes a table whose digest was checked; its size is within the limit that the cover was parsed with.
fn decode(frame: &[u8], content_size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(content_size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    zstd::bulk::decompress(frame, size)
}

fn check_digest(dir: &Dir, name: &str, bytes: &[u8], expected: Sha256Digest) -> Result<(), ObserveError> {
    let actual = Sha256Digest::of(bytes);
    if actual == expected {
        return Ok(());
    }
    Err(damaged(dir, name, format!("its digest is {actual} instead of {expected}")))
}

fn damaged(dir: &Dir, name: &str, reason: String) -> ObserveError {
    ObserveError::Damaged { path: dir.path().join(name), reason }
}
