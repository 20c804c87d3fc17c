//! The tree of a module cache: what `go mod download` would have made, and a `file://` proxy at the same time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use goferry_manifest::bundle::{self, Blob, CarriedModule, Zip};
use goferry_manifest::{Hashing, Module, Sha256Digest};

use super::module_zip;
use super::tree::{FileSpec, HandleBudget, Handles, Source, Staging, TreeSpec};
use super::workers::{self, Budget};
use super::{ApplyError, Run, Stage};
use crate::content::{Content, Snapshot};
use crate::fs::{Dir, FsError, optional};

/// Everything is read-only, as `go` leaves extracted modules.
const FILE: u32 = 0o444;
const DIR: u32 = 0o555;
/// Bytes of the largest zip that is made in memory.
const IN_MEMORY: u64 = 32 << 20;

/// What a module cache is to hold.
#[derive(Debug)]
pub(crate) struct Modcache<'m> {
    pub(crate) spec: TreeSpec,
    zips: Vec<ZipSpec<'m>>,
    pub(crate) snapshots: Vec<SnapshotSpec>,
}

/// A zip that is made from extracted files.
#[derive(Debug)]
struct ZipSpec<'m> {
    module: &'m Module,
    files: &'m [bundle::File],
    /// Their numbers in the tree.
    numbers: Range<usize>,
    /// The number of the zip in the tree.
    zip: usize,
}

/// A FIPS 140 snapshot that is extracted from a GOROOT.
#[derive(Debug)]
pub(crate) struct SnapshotSpec {
    pub(crate) module: Module,
    pub(crate) snapshot: Snapshot,
    /// The number of its directory in the tree.
    pub(crate) dir: usize,
    /// The number of its `.ziphash` in the tree.
    pub(crate) ziphash: usize,
}

impl<'m> Modcache<'m> {
    /// What the tree is to hold.
    pub(crate) fn new(content: &Content<'m>) -> Self {
        let mut spec = TreeSpec::new(DIR);
        let mut zips = Vec::new();
        let mut lists: BTreeMap<String, String> = BTreeMap::new();
        let cache = spec.dir("cache");
        // `go` locks it for all of the cache; nobody else than the owner may.
        spec.file(cache, "lock", 0o600, Source::Bytes(Vec::new()));
        spec.dir("cache/download");
        // Without it `go` dials the database's own host (cmd/go/internal/modfetch/sumdb.go); with it, a look-up that is
        // not carried fails at once.
        let database = spec.dir("cache/download/sumdb/sum.golang.org");
        spec.file(database, "supported", FILE, Source::Bytes(Vec::new()));
        for (module, carried) in &content.modules {
            let (dir, version) = download_files(&mut spec, carried);
            if let Some(zip) = &carried.zip {
                let list = lists.entry(module.path().escaped()).or_default();
                writeln!(list, "{}", module.version()).expect("writing to a String does not fail");
                let numbers = extracted_files(&mut spec, module, zip);
                let hash = Source::Bytes(zip.h1.to_string().into_bytes());
                spec.file(dir, format!("{version}.ziphash"), FILE, hash);
                let number = spec.linkable_file(dir, format!("{version}.zip"), FILE, Source::Later);
                zips.push(ZipSpec { module, files: &zip.files, numbers, zip: number });
            }
        }
        for (path, list) in lists {
            let dir = spec.dir(&format!("cache/download/{path}/@v"));
            spec.file(dir, "list", FILE, Source::Bytes(list.into_bytes()));
        }
        let snapshots = snapshots(&mut spec, content);
        Self { spec, zips, snapshots }
    }

    /// Links or copies what the module cache before this one has, after hashing it. Tells which files that were.
    pub(crate) fn link(
        &self,
        staging: &Staging<'_>,
        previous: Dir,
        zips: &BTreeMap<String, Sha256Digest>,
        budget: &HandleBudget,
        run: &Run<'_>,
    ) -> Result<Vec<bool>, ApplyError> {
        run.begin(Stage::Link);
        let zips: BTreeMap<usize, Sha256Digest> =
            self.zips.iter().filter_map(|zip| Some((zip.zip, *zips.get(&zip.module.to_string())?))).collect();
        let old = Handles::new(&self.spec, previous, budget);
        let done: Vec<AtomicBool> = self.spec.files.iter().map(|_| AtomicBool::new(false)).collect();
        let by_dir: Vec<_> = self.spec.files_by_dir().into_iter().enumerate().collect();
        workers::for_each(run.threads, &by_dir, |(dir, files)| {
            run.check_interrupt()?;
            let link =
                |from: &Dir| staging.with_dir(*dir, |to| self.link_files(from, to, files, &zips, &done));
            optional(old.with(*dir, link))?;
            Ok::<(), ApplyError>(())
        })?;
        let done: Vec<_> = done.into_iter().map(AtomicBool::into_inner).collect();
        let taken_over = done.iter().filter(|done| **done).count();
        tracing::debug!(taken_over, of = done.len(), "files of the module cache in use");
        Ok(done)
    }

    fn link_files(
        &self,
        from: &Dir,
        to: &Dir,
        files: &[usize],
        zips: &BTreeMap<usize, Sha256Digest>,
        done: &[AtomicBool],
    ) -> Result<(), FsError> {
        for number in files {
            let file = &self.spec.files[*number];
            let expected = match &file.source {
                _ if !file.linkable => None,
                Source::Blob(blob) => Some(blob.sha256),
                Source::Bytes(bytes) => Some(Sha256Digest::of(bytes)),
                Source::Later => zips.get(number).copied(),
                Source::Symlink(_) => None,
            };
            let Some(expected) = expected else { continue };
            let Some(content) = optional(from.open_file(&file.name))? else { continue };
            if take_over(content, from, to, file, expected)? {
                done[*number].store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Makes the zips that were not linked, and tells the digest of every one.
    pub(crate) fn write_zips(
        &self,
        staging: &Staging<'_>,
        done: &[bool],
        held: &BTreeMap<String, Sha256Digest>,
        run: &Run<'_>,
    ) -> Result<BTreeMap<String, Sha256Digest>, ApplyError> {
        run.begin(Stage::Zips);
        let digests = Mutex::new(BTreeMap::new());
        let budget = Budget::new(run.memory);
        workers::for_each(run.threads, &self.zips, |zip| {
            run.check_interrupt()?;
            let _share = budget.share(zip.size().min(IN_MEMORY));
            let name = zip.module.to_string();
            let digest = match held.get(&name).filter(|_| done.get(zip.zip) == Some(&true)) {
                Some(digest) => *digest,
                None => zip.write(staging)?,
            };
            digests.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name, digest);
            Ok::<(), ApplyError>(())
        })?;
        Ok(digests.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl ZipSpec<'_> {
    /// Bytes of the zip that stores the files.
    fn size(&self) -> u64 {
        let named = self.files.iter().map(|file| (file.path.as_str(), file.size));
        module_zip::stored_size(self.module, named)
    }

    fn write(&self, staging: &Staging<'_>) -> Result<Sha256Digest, ApplyError> {
        let size = self.size();
        let files = self.files.iter().zip(self.numbers.clone()).map(|(file, number)| {
            (file.path.as_str(), staging.open_file(number).map_err(|error| error.reason))
        });
        let failed = |reason| ApplyError::Zip { module: self.module.to_string(), reason };
        if size <= IN_MEMORY {
            let bytes = module_zip::in_memory(self.module, size, files).map_err(failed)?;
            staging.write_file(self.zip, &bytes)?;
            return Ok(Sha256Digest::of(&bytes));
        }
        let out = BufWriter::with_capacity(256 << 10, staging.create_file(self.zip)?.into_file());
        let out = module_zip::to_writer(self.module, size, files, out).map_err(failed)?;
        out.into_inner().map_err(|error| failed(error.into_error()))?;
        hash(staging.open_file(self.zip)?).map_err(failed)
    }
}

/// `.info` and `.mod`, in the module's directory of `cache/download`.
fn download_files(spec: &mut TreeSpec, carried: &CarriedModule) -> (usize, String) {
    let module = &carried.module;
    let dir = spec.dir(&format!("cache/download/{}/@v", module.path().escaped()));
    let version = module.version().escaped();
    spec.linkable_file(dir, format!("{version}.info"), FILE, Source::Bytes(info(carried)));
    let go_mod = Blob { sha256: carried.go_mod.sha256, size: carried.go_mod.size };
    spec.linkable_file(dir, format!("{version}.mod"), FILE, Source::Blob(go_mod));
    (dir, version)
}

/// As Go marshals `modfetch.RevInfo`: it rewrites any other form at each read. A time that no proxy told is Go's zero.
fn info(carried: &CarriedModule) -> Vec<u8> {
    let time = carried.time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string());
    format!(r#"{{"Version":"{}","Time":"{time}"}}"#, carried.module.version()).into_bytes()
}

fn extracted_files(spec: &mut TreeSpec, module: &Module, zip: &Zip) -> Range<usize> {
    let top = module.escaped();
    let first = spec.files.len();
    // Also the directory of a module without files.
    spec.dir(&top);
    for file in &zip.files {
        let dir = match file.path.parent() {
            "" => spec.dir(&top),
            parent => spec.dir(&format!("{top}/{parent}")),
        };
        let blob = Blob { sha256: file.sha256, size: file.size };
        spec.linkable_file(dir, file.path.file_name(), FILE, Source::Blob(blob));
    }
    first..spec.files.len()
}

fn snapshots(spec: &mut TreeSpec, content: &Content<'_>) -> Vec<SnapshotSpec> {
    let carried = |module: &Module| content.modules.get(module).is_some_and(|it| it.zip.is_some());
    let snapshots = content.snapshots().into_iter().filter(|(module, _)| !carried(module));
    snapshots
        .map(|(module, snapshot)| {
            let dir = spec.dir(&module.escaped());
            let download = spec.dir(&format!("cache/download/{}/@v", module.path().escaped()));
            let ziphash = format!("{}.ziphash", module.version().escaped());
            let ziphash = spec.file(download, ziphash, FILE, Source::Later);
            SnapshotSpec { module, snapshot, dir, ziphash }
        })
        .collect()
}

/// Links a file that is still what was installed. Where its mode or owner is not, or the file system makes no link, it
/// is copied. `false` where its content cannot be read or is not right any more.
fn take_over(
    content: File,
    from: &Dir,
    to: &Dir,
    file: &FileSpec,
    expected: Sha256Digest,
) -> Result<bool, FsError> {
    if hash(&content).ok() != Some(expected) {
        return Ok(false);
    }
    if is_ours(&content, file.mode) && to.hard_link(from, &file.name)? {
        return Ok(true);
    }
    copy(content, to, file, expected)
}

/// Whether nobody has changed mode or owner: a link has those of the file.
fn is_ours(file: &File, mode: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    file.metadata().is_ok_and(|it| it.mode() & 0o7777 == mode && it.uid() == user)
}

/// Hashed once more on the way: it may have changed since it was.
fn copy(mut from: File, to: &Dir, file: &FileSpec, expected: Sha256Digest) -> Result<bool, FsError> {
    let mut copy = to.create_file(&file.name, file.mode)?;
    let mut is_read = from.rewind().is_ok();
    let mut from = Hashing::new(from);
    let mut buffer = vec![0; 64 << 10];
    while is_read {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => copy.write_all(&buffer[..read])?,
            Err(_) => is_read = false,
        }
    }
    let is_right = is_read && from.finish().1 == expected;
    if !is_right {
        to.remove_file(&file.name)?;
    }
    Ok(is_right)
}

/// The digest of a file.
fn hash(file: impl io::Read) -> io::Result<Sha256Digest> {
    let mut file = Hashing::new(file);
    let mut buffer = vec![0; 64 << 10];
    while file.read(&mut buffer)? > 0 {}
    Ok(file.finish().1)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use camino::Utf8Path;

    use super::*;

    const CONTENT: &[u8] = b"package x\n";

    /// Takes over a file with this mode and content, which is expected to be `CONTENT` with mode 0444.
    fn taken_over(from: &Path, to: &Path, mode: u32, content: &[u8]) -> bool {
        fs::write(from.join("x.go"), content).unwrap();
        fs::set_permissions(from.join("x.go"), fs::Permissions::from_mode(mode)).unwrap();
        let mut spec = TreeSpec::new(DIR);
        let number = spec.linkable_file(0, "x.go", FILE, Source::Later);
        let [from, to] = [from, to].map(|dir| Dir::open(Utf8Path::from_path(dir).unwrap()).unwrap());
        let opened = from.open_file("x.go").unwrap();
        take_over(opened, &from, &to, &spec.files[number], Sha256Digest::of(CONTENT)).unwrap()
    }

    fn inode_and_mode(path: &Path) -> (u64, u32) {
        let metadata = fs::metadata(path.join("x.go")).unwrap();
        (metadata.ino(), metadata.mode() & 0o7777)
    }

    #[test]
    fn a_link_is_made_only_to_a_file_with_the_right_mode() {
        for (mode, linked) in [(0o444, true), (0o644, false), (0o4444, false)] {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            assert!(taken_over(from.path(), to.path(), mode, CONTENT));
            let ((old, _), (new, mode)) = (inode_and_mode(from.path()), inode_and_mode(to.path()));
            assert_eq!((old == new, mode), (linked, FILE));
        }
    }

    #[test]
    fn where_no_link_can_be_made_the_file_is_copied() {
        // Another file system: EXDEV.
        let (from, to) = (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(fs::metadata(from.path()).unwrap().dev(), fs::metadata(to.path()).unwrap().dev());
        assert!(taken_over(from.path(), to.path(), FILE, CONTENT));
        assert_eq!(fs::read(to.path().join("x.go")).unwrap(), CONTENT);
        assert_eq!(inode_and_mode(to.path()).1, FILE);
    }

    #[test]
    fn nothing_stays_of_a_file_with_other_content() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(!taken_over(from.path(), to.path(), FILE, b"package y\n"));
        let mut spec = TreeSpec::new(DIR);
        let number = spec.linkable_file(0, "x.go", FILE, Source::Later);
        let file = File::open(from.path().join("x.go")).unwrap();
        let dir = Dir::open(Utf8Path::from_path(to.path()).unwrap()).unwrap();
        assert!(!copy(file, &dir, &spec.files[number], Sha256Digest::of(CONTENT)).unwrap());
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    }
}
