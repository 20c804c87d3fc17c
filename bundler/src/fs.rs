//! The one place of `goferry` that writes to the file system. Every error names its path.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

/// Mode of directories that hold what was downloaded: other users have no business there.
const PRIVATE_DIRECTORY: u32 = 0o700;
/// Mode of files that never change once they have their name.
const IMMUTABLE_FILE: u32 = 0o444;

/// Makes a directory and its parents, each with mode 0700; one that exists is fine.
pub fn create_private_directories(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIRECTORY)
        .create(path)
        .map_err(|source| named("create directory", path, &source))
}

/// A temporary file beside the name that it will get; it goes away unless it gets one.
pub fn temporary_file(directory: &Path) -> io::Result<NamedTempFile> {
    NamedTempFile::new_in(directory).map_err(|source| named("create a file in", directory, &source))
}

/// Gives a complete temporary file its final, immutable name, replacing an earlier file of that name.
pub fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    make_immutable(file.as_file(), file.path())?;
    file.persist(path).map(drop).map_err(|error| named("rename to", path, &error.error))
}

/// Writes a small file so that its name never stands for half of it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = temporary_file(directory)?;
    file.write_all(bytes).map_err(|source| named("write", path, &source))?;
    persist(file, path)
}

/// Opens a file that is appended to over several runs, and locks it. `None` if another process has it.
pub fn open_resumable(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file =
            fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = file.into_file();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(named("lock", path, &source)),
        }
        // Between open and lock its last owner may have finished and renamed it: then it is no longer ours to write.
        let held = file.metadata().map_err(|source| named("inspect", path, &source))?;
        match fs_err::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a complete file its final, immutable name.
pub fn rename_immutable(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    make_immutable(file, from)?;
    fs_err::rename(from, to)
}

/// Removes a file; one that is not there is fine.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Cuts a file to nothing.
pub fn empty(file: &File, path: &Path) -> io::Result<()> {
    file.set_len(0).map_err(|source| named("truncate", path, &source))
}

/// The error of an operation on a path, with both named in it.
pub fn named(what: &str, path: &Path, source: &io::Error) -> io::Error {
    io::Error::new(source.kind(), format!("failed to {what} `{}`: {source}", path.display()))
}

fn make_immutable(file: &File, path: &Path) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(IMMUTABLE_FILE))
        .map_err(|source| named("set permissions of", path, &source))
}

/// Writes a file that belongs to the user's project: its mode follows the umask, and its name never stands for half
/// of it.
pub fn write_shared(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_sibling(path)?;
    file.write_all(bytes).map_err(|source| named("write", path, &source))?;
    persist_durably(file, path)
}

/// A new file of the user's beside `path`, which gets that name by [`persist_durably`].
pub fn temporary_sibling(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(|source| named("create a file in", directory, &source))
}

/// Gives a complete file its name, in place of an earlier one, so that after a power cut it is one or the other.
pub fn persist_durably(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all().map_err(|source| named("write", path, &source))?;
    file.persist(path).map_err(|error| named("rename to", path, &error.error))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| named("write", directory, &source))
}

/// A new directory beside the name that its content will get; it goes away unless it gets one.
pub fn temporary_directory(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(parent).map_err(|source| named("create a directory in", parent, &source))
}

/// Makes a new file of a staged directory, with its parents.
pub fn create_staged(path: &Path, mode: u32) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        create_private_directories(parent)?;
    }
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options.write(true).create_new(true).open(path).map_err(|source| named("create", path, &source))
}

/// Gives a complete staged directory its final name, unless another process was faster. What has the name and is not
/// complete is replaced, by one process at a time: nobody may lose a directory that was found to be complete.
pub fn persist_directory(
    staged: tempfile::TempDir,
    path: &Path,
    is_complete: impl Fn() -> bool,
) -> io::Result<()> {
    let Some(staged) = try_persist_directory(staged, path)? else { return Ok(()) };
    let lock_path = path.with_added_extension("lock");
    let lock = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path)?;
    lock.file().lock().map_err(|source| named("lock", &lock_path, &source))?;
    if is_complete() {
        return Ok(());
    }
    let aside = temporary_directory(path.parent().unwrap_or(Path::new(".")))?;
    match fs_err::rename(path, aside.path().join("damaged")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Whoever got the name meanwhile has made the directory whole, or will be the next to hold the lock.
    try_persist_directory(staged, path).map(drop)
}

/// Hands the staged directory back where the name is that of a directory with something in it.
fn try_persist_directory(staged: tempfile::TempDir, path: &Path) -> io::Result<Option<tempfile::TempDir>> {
    match fs_err::rename(staged.path(), path) {
        Ok(()) => {
            let _ = staged.keep(); // it is no longer there to be removed
            Ok(None)
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
        {
            Ok(Some(staged))
        }
        Err(error) => Err(error),
    }
}

/// Writes a new small file of a staged directory.
pub fn write_staged(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_staged(path, 0o600)?.write_all(bytes).map_err(|source| named("write", path, &source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(parent: &Path, content: &str) -> tempfile::TempDir {
        let staged = temporary_directory(parent).unwrap();
        write_staged(&staged.path().join("file"), content.as_bytes()).unwrap();
        staged
    }

    #[test]
    fn a_complete_directory_is_never_taken_away_and_a_damaged_one_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("go1.2.3");
        let content = || std::fs::read_to_string(path.join("file")).unwrap();
        let is_complete = || content() == "whole";
        persist_directory(staged(parent.path(), "damaged"), &path, is_complete).unwrap();
        assert_eq!(content(), "damaged");
        persist_directory(staged(parent.path(), "whole"), &path, is_complete).unwrap();
        assert_eq!(content(), "whole");
        let used = File::open(&path).unwrap().metadata().unwrap().ino();
        persist_directory(staged(parent.path(), "whole"), &path, is_complete).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), used);
        let mut left: Vec<_> =
            std::fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["go1.2.3", "go1.2.3.lock"]);
    }
}
