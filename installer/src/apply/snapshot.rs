//! FIPS 140 snapshots: module zips inside of a GOROOT, which `go` extracts into its module cache when they are asked
//! for (`cmd/go/internal/fips140`). Ours is read-only, so they are extracted beforehand.

use std::io::{Cursor, Read as _};

use goferry_manifest::{DirHash, FilePath, Module, Names, Sha256Digest};
use zip::ZipArchive;

use super::modcache::SnapshotSpec;
use super::tree::Staging;
use super::{ApplyError, RefusedContent};
use crate::content::Snapshot;
use crate::fs::{Dir, FsError, Kind};

/// Bytes of the zip, and of all its files together. Those of Go have some MiB, and both are held in memory.
pub(crate) const BYTES: u64 = 64 << 20;

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
    let component = format!("go{}", spec.snapshot.release);
    let files = check(&component, &spec.module, &zip).map_err(ApplyError::Refused)?;
    staging.with_dir(spec.dir, |top| write(top, &files))?;
    let hashes: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), Sha256Digest::of(bytes))).collect();
    let h1 = DirHash::of_prefixed(&spec.module.zip_prefix(), hashes);
    staging.write_file(spec.ziphash, h1.to_string().as_bytes())?;
    Ok(h1)
}

/// The files of a snapshot of a toolchain, which is refused unless all of them can be written.
pub(crate) fn check(
    component: &str,
    module: &Module,
    zip: &[u8],
) -> Result<Vec<(FilePath, Vec<u8>)>, RefusedContent> {
    read(module, zip).map_err(|reason| RefusedContent::Snapshot {
        component: component.to_owned(),
        path: format!("{}/{}.zip", Snapshot::DIR, module.version()),
        reason,
    })
}

fn read(module: &Module, zip: &[u8]) -> Result<Vec<(FilePath, Vec<u8>)>, String> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
    let prefix = module.zip_prefix();
    let mut left = BYTES;
    let mut names = Names::new();
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?;
        let path = name.strip_prefix(&prefix).ok_or("it has a file outside of its module")?;
        let path: FilePath = path.parse().map_err(|error| format!("{error}"))?;
        names.add(&path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let read = entry.take(left + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        left = left.checked_sub(read as u64).ok_or("its files are larger than any of Go's")?;
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
                let mut made = false;
                let first = top.open_or_create_dir(elements.next().unwrap_or_default(), 0o700, &mut made)?;
                let dir =
                    elements.try_fold(first, |dir, name| dir.open_or_create_dir(name, 0o700, &mut made))?;
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read_of(files: &[(&str, &[u8])]) -> Result<usize, String> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        let module = Module::new("golang.org/fips140".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap();
        read(&module, &zip.finish().unwrap().into_inner()).map(|files| files.len())
    }

    #[test]
    fn a_snapshot_holds_only_what_can_be_written_as_files_of_its_module() {
        let name = |below: &str| format!("golang.org/fips140@v1.0.0/{below}");
        let plain = [name("a.go"), name("b/c.go")];
        assert_eq!(read_of(&[(&plain[0], b"a"), (&plain[1], b"c")]), Ok(2));
        for other in ["../a.go", "A.go", "a.go/b.go"] {
            assert!(read_of(&[(&plain[0], b"a"), (&name(other), b"b")]).is_err(), "{other}");
        }
        assert!(read_of(&[("golang.org/fips140@v1.0.1/a.go", b"a")]).is_err());
    }

    #[test]
    fn a_snapshot_that_swells_is_refused() {
        let much = vec![0; usize::try_from(BYTES).unwrap() + 1];
        assert!(read_of(&[("golang.org/fips140@v1.0.0/a.go", &much)]).is_err());
    }
}
