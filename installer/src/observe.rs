//! What is under a prefix: read, never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8PathBuf;
use goferry_manifest::bundle::{Cover, Manifest};
use goferry_manifest::{Channel, Limits, Sha256Digest};
use thiserror::Error;

use crate::access::{self, AccessError, Purpose};
use crate::fs::{self, Dir, FsError, Kind, optional};
use crate::prefix::{Prefix, Root};
use crate::receipt::{ChannelRecord, RECEIPT, RECEIPT_BYTES, Receipt};
use crate::tree_name::TreeName;

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

/// How names begin that NFS gives to what was removed while it was open.
const NFS: &str = ".nfs";

/// What is under a prefix.
#[derive(Debug, Default)]
pub struct Observed {
    /// The generation that `current` names.
    pub current: Option<Current>,
    /// The numbers of all generations.
    pub generations: BTreeSet<u64>,
    /// Those of them, not in use, whose receipts cannot be read: nobody knows which trees they need.
    pub damaged: BTreeSet<u64>,
    /// All trees, by kind and name.
    pub trees: BTreeSet<(&'static str, TreeName)>,
    /// The trees that a generation links to. The others were left behind and are not trusted.
    pub referenced: BTreeSet<(&'static str, TreeName)>,
    /// What interrupted runs left behind.
    pub leftovers: Vec<Leftover>,
}

/// What an interrupted run left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The kind of a tree, or `generations`.
    pub place: &'static str,
    /// Its name there.
    pub name: String,
}

/// What is in use under a prefix.
#[derive(Debug)]
pub struct InUse {
    /// The generation that `current` names.
    pub current: Current,
    /// The numbers of all generations.
    pub generations: BTreeSet<u64>,
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
    /// A link or a file on the way to the prefix, inside of an image.
    #[error("`{path}` is a link or a file: in an image nothing is followed on the way to the prefix")]
    LinkInImage {
        /// What.
        path: Utf8PathBuf,
    },
    /// Others own it, or may write to it.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Something of ours is not as it was written.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// What.
        path: Utf8PathBuf,
        /// In which way.
        reason: String,
    },
}

/// Looks at a prefix that is to be changed: all of it must be one's own. One that does not exist yet is empty.
pub fn observe_to_change(prefix: &Prefix, root: &Root) -> Result<Observed, ObserveError> {
    let mut observed = Observed::default();
    let Some(dir) = open(prefix, root)? else { return Ok(observed) };
    check_top(&dir)?;
    let look = Look { prefix: &dir };
    for kind in [TOOLCHAIN, MODCACHE] {
        look.at_trees(kind, &mut observed)?;
    }
    look.at_generations(&mut observed)?;
    Ok(observed)
}

/// Whether a prefix may be changed: it is one's own, and nothing foreign lies in it. Reads no generation.
pub fn check_to_change(prefix: &Prefix, root: &Root) -> Result<(), ObserveError> {
    open(prefix, root)?.map_or(Ok(()), |dir| check_top(&dir))
}

/// Looks at what is in use. Anybody may, whoever owns it.
pub fn observe_to_read(prefix: &Prefix, root: &Root) -> Result<Option<InUse>, ObserveError> {
    let Some((generations, number)) = find_current(prefix, root)? else { return Ok(None) };
    let current = read_current(&generations, number)?;
    let names = generations.entries()?;
    let generations = names.iter().filter_map(|(name, _)| parse_number(name)).filter(|it| *it <= number);
    Ok(Some(InUse { current, generations: generations.collect() }))
}

/// The number of the generation in use. Nothing in it is read.
pub fn current_generation(prefix: &Prefix, root: &Root) -> Result<Option<u64>, ObserveError> {
    Ok(find_current(prefix, root)?.map(|(_, number)| number))
}

fn find_current(prefix: &Prefix, root: &Root) -> Result<Option<(Dir, u64)>, ObserveError> {
    let Some(dir) = open(prefix, root)? else { return Ok(None) };
    check(&dir, Purpose::Read)?;
    let Some(number) = current_number(&dir)? else { return Ok(None) };
    let generations = dir.open_dir(GENERATIONS)?;
    check(&generations, Purpose::Read)?;
    Ok(Some((generations, number)))
}

/// The directory of a prefix, if there is one.
pub(crate) fn open(prefix: &Prefix, root: &Root) -> Result<Option<Dir>, ObserveError> {
    match optional(root.open(prefix)) {
        Ok(dir) => Ok(dir),
        Err(error) if fs::is_not_a_directory(&error) => {
            let path = error.path;
            Err(if path == root.locate(prefix) {
                ObserveError::NotADirectory { path }
            } else {
                ObserveError::LinkInImage { path }
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn check(dir: &Dir, purpose: Purpose) -> Result<(), ObserveError> {
    Ok(access::check(dir.path(), dir.owner_and_mode()?, purpose)?)
}

/// Opens a directory of ours, if it is there.
fn open_own<'n>(prefix: &Dir, path: impl IntoIterator<Item = &'n str>) -> Result<Option<Dir>, ObserveError> {
    let dir = optional(prefix.open_path(path.into_iter()))?;
    dir.iter().try_for_each(|dir| check(dir, Purpose::Change))?;
    Ok(dir)
}

fn check_top(prefix: &Dir) -> Result<(), ObserveError> {
    check(prefix, Purpose::Change)?;
    check_names(prefix)?;
    for name in [TREES, GENERATIONS, STATE] {
        open_own(prefix, [name])?;
    }
    Ok(())
}

/// One look at a prefix that is to be changed.
struct Look<'p> {
    prefix: &'p Dir,
}

impl Look<'_> {
    fn at_trees(&self, kind: &'static str, observed: &mut Observed) -> Result<(), ObserveError> {
        let Some(dir) = open_own(self.prefix, [TREES, kind])? else { return Ok(()) };
        for (name, what) in dir.entries()? {
            match name.parse::<TreeName>() {
                _ if name.starts_with(NFS) => {}
                _ if name.starts_with(STAGING) => observed.leftovers.push(Leftover { place: kind, name }),
                Ok(tree) if what == Kind::Dir => {
                    open_own(&dir, [name.as_str()])?;
                    observed.trees.insert((kind, tree));
                }
                _ => return Err(self.foreign(format!("{TREES}/{kind}/{name}"))),
            }
        }
        Ok(())
    }

    fn at_generations(&self, observed: &mut Observed) -> Result<(), ObserveError> {
        let Some(dir) = open_own(self.prefix, [GENERATIONS])? else { return Ok(()) };
        for (name, what) in dir.entries()? {
            match parse_number(&name) {
                _ if name.starts_with(NFS) => {}
                _ if name.starts_with(STAGING) => {
                    observed.leftovers.push(Leftover { place: GENERATIONS, name });
                }
                Some(number) if what == Kind::Dir => {
                    open_own(&dir, [name.as_str()])?;
                    observed.generations.insert(number);
                }
                _ => return Err(self.foreign(format!("{GENERATIONS}/{name}"))),
            }
        }
        let current = current_number(self.prefix)?;
        if let Some(number) = current {
            observed.current = Some(read_current(&dir, number)?);
        } else if observed.generations.last().is_some_and(|last| *last > 1) {
            let reason = "it is missing, although there are generations".to_owned();
            return Err(ObserveError::Damaged { path: self.prefix.path().join(CURRENT), reason });
        }
        // Numbers only rise: what is above `current` was never switched to.
        let unfinished =
            observed.generations.split_off(&current.map_or(0, |number| number.saturating_add(1)));
        observed.leftovers.extend(
            unfinished.iter().map(|number| Leftover { place: GENERATIONS, name: number.to_string() }),
        );
        Self::at_receipts(&dir, observed);
        Ok(())
    }

    fn at_receipts(generations: &Dir, observed: &mut Observed) {
        for number in &observed.generations {
            let in_use = observed.current.as_ref().map(|current| &current.receipt);
            let held = in_use.filter(|receipt| receipt.generation == *number).cloned();
            let Some(receipt) = held.or_else(|| receipt_of(generations, *number).ok()) else {
                observed.damaged.insert(*number);
                continue;
            };
            let toolchains = receipt.trees.toolchain.into_values().map(|name| (TOOLCHAIN, name));
            observed.referenced.extend(toolchains);
            observed.referenced.insert((MODCACHE, receipt.trees.modcache));
        }
    }

    fn foreign(&self, entry: String) -> ObserveError {
        ObserveError::Foreign { path: self.prefix.path().to_owned(), entry }
    }
}

/// The receipt of a generation.
pub(crate) fn receipt_of(generations: &Dir, number: u64) -> Result<Receipt, ObserveError> {
    let generation = generations.open_dir(&number.to_string())?;
    let (receipt, _) = read_receipt(&generation)?;
    if receipt.generation != number {
        let reason = format!("it is the receipt of generation {}", receipt.generation);
        return Err(damaged(&generation, RECEIPT, reason));
    }
    Ok(receipt)
}

/// A number as we write it: `+1` and `01` are none.
fn parse_number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == text)
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
    let number = target.strip_prefix("generations/").and_then(parse_number);
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
