//! FIPS 140 snapshots: module zips inside of a GOROOT, which `go` extracts into its module cache when they are asked
//! for (`cmd/go/internal/fips140`). Ours is read-only, so they are extracted beforehand.

use std::io::{Cursor, Read as _};

use goferry_manifest::{DirHash, FilePath, Module, Sha256Digest};
use zip::ZipArchive;

use super::modcache::SnapshotSpec;
use super::tree::Staging;
use super::{ApplyError, RefusedContent};
use crate::fs::{Dir, FsError, Kind};

/// Bytes of all files together (`modzip.MaxZipFile`).
const BYTES: u64 = 500 << 20;

/// Extracts a snapshot from the directory of a GOROOT that holds it; its hash is that of a module zip.
pub(crate) fn extract(
    spec: &SnapshotSpec,
    goroot_dir: &Dir,
    staging: &Staging<'_>,
) -> Result<DirHash, ApplyError> {
    let name = format!("{}.zip", spec.module.version());
    let path = goroot_dir.path().join(&name);
    let zip = goroot_dir.read_file(&name, spec.snapshot.blob.size)?;
    if Sha256Digest::of(&zip) != spec.snapshot.blob.sha256 {
        return Err(ApplyError::Damaged { path });
    }
    let files = read(&spec.module, &zip).map_err(|reason| {
        let component = format!("go{}", spec.snapshot.release);
        ApplyError::Refused(RefusedContent::Snapshot { component, path: name.clone(), reason })
    })?;
    staging.with_dir(spec.dir, |top| write(top, &files))?;
    let hashes: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), Sha256Digest::of(bytes))).collect();
    let h1 = DirHash::of_prefixed(&spec.module.zip_prefix(), hashes);
    staging.write_file(spec.ziphash, h1.to_string().as_bytes())?;
    Ok(h1)
}

fn read(module: &Module, zip: &[u8]) -> Result<Vec<(FilePath, Vec<u8>)>, String> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
    let prefix = module.zip_prefix();
    let mut left = BYTES;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?;
        let path = name.strip_prefix(&prefix).ok_or("it has a file outside of its module")?;
        let path: FilePath = path.parse().map_err(|error| format!("{error}"))?;
        let mut bytes = Vec::new();
        let read = entry.take(left + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        left = left.checked_sub(read as u64).ok_or("it is larger than Go allows")?;
        files.push((path, bytes));
    }
    Ok(files)
}

/// Writes the files. Whatever is not a plain name was refused with its `FilePath`.
fn write(top: &Dir, files: &[(FilePath, Vec<u8>)]) -> Result<(), FsError> {
    for (path, bytes) in files {
        match path.parent() {
            "" => top.write_file(path.file_name(), 0o444, bytes)?,
            parent => {
                let mut elements = parent.split('/');
                let first = top.open_or_create_dir(elements.next().unwrap_or_default(), 0o700)?;
                let dir = elements.try_fold(first, |dir, name| dir.open_or_create_dir(name, 0o700))?;
                dir.write_file(path.file_name(), 0o444, bytes)?;
            }
        }
    }
    Ok(())
}

/// Makes the files below the directory of a snapshot durable, and gives directories their final mode. The top one is
/// part of the tree that it is in.
pub(crate) fn seal(top: &Dir) -> Result<(), FsError> {
    for (name, kind) in top.entries()? {
        if kind == Kind::Dir {
            close(&top.open_dir(&name)?)?;
        } else {
            top.sync_file(&name)?;
        }
    }
    Ok(())
}

fn close(dir: &Dir) -> Result<(), FsError> {
    for (name, kind) in dir.entries()? {
        if kind == Kind::Dir {
            close(&dir.open_dir(&name)?)?;
        } else {
            dir.sync_file(&name)?;
        }
    }
    dir.set_mode(0o555)?;
    dir.sync()
}
