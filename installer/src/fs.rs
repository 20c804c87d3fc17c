//! Directories by handle, and everything that this crate writes to a file system.
//!
//! No other file writes. Names are single path elements, resolved below a directory that is held open; links are
//! never followed, nothing is overwritten, modes do not depend on the umask, and no system call is newer than
//! Linux 4.18 (so no `openat2`). Errors name the path.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;
use thiserror::Error;

/// A system call that failed.
#[derive(Debug, Error)]
#[error("cannot {operation} `{path}`: {reason}")]
pub struct FsError {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// On what.
    pub path: Utf8PathBuf,
    /// What the system says.
    pub reason: io::Error,
}

impl FsError {
    fn new(operation: &'static str, path: impl Into<Utf8PathBuf>, reason: impl Into<io::Error>) -> Self {
        Self { operation, path: path.into(), reason: reason.into() }
    }

    /// Whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason.kind() == io::ErrorKind::NotFound
    }

    fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.reason)
    }
}

/// Turns "there is no such file" into `None`.
pub fn optional<T>(result: Result<T, FsError>) -> Result<Option<T>, FsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// A directory that is held open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: Utf8PathBuf,
    /// Permission bits that may not arrive when a file is made here: by the umask, or a default ACL.
    masked: u32,
}

/// Until it is known better.
const EVERY_BIT: u32 = 0o777;
const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `O_NONBLOCK`: opening a FIFO must not wait for a writer.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const CREATE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens a directory. Only its last element may not be a link.
    pub fn open(path: &Utf8Path) -> Result<Self, FsError> {
        let fd = rustix::fs::open(path.as_std_path(), DIRECTORY, Mode::empty())
            .map_err(|errno| FsError::new("open the directory", path, errno))?;
        Ok(Self { fd, path: path.to_owned(), masked: EVERY_BIT })
    }

    /// Opens a directory that the operator named: links are followed.
    pub fn open_following(path: &Utf8Path) -> Result<Self, FsError> {
        let fd = rustix::fs::open(path.as_std_path(), DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())
            .map_err(|errno| FsError::new("open the directory", path, errno))?;
        Ok(Self { fd, path: path.to_owned(), masked: EVERY_BIT })
    }

    /// Opens a directory; makes it, and those above it, where they are missing. New ones have `mode`, and `new`
    /// becomes true.
    pub fn open_or_create_all(path: &Utf8Path, mode: u32, new: &mut bool) -> Result<Self, FsError> {
        if let Some(dir) = optional(Self::open(path))? {
            return Ok(dir);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Self::open(path);
        };
        // A parent may be a link: where the prefix lies is the operator's decision.
        let parent = match optional(Self::open_following(parent))? {
            Some(parent) => parent,
            None => Self::open_or_create_all(parent, mode, new)?,
        };
        let dir = parent.open_or_create_dir(name, mode, new)?;
        parent.sync()?;
        Ok(dir)
    }

    /// The path by which it was opened: for messages.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The open directory `name` in this one.
    pub fn open_dir(&self, name: &str) -> Result<Self, FsError> {
        let fd = rustix::fs::openat(&self.fd, name, DIRECTORY, Mode::empty())
            .map_err(|errno| self.error("open the directory", name, errno))?;
        Ok(Self { fd, path: self.path.join(name), masked: self.masked })
    }

    /// The directory at a relative path of single elements, none of which may be a link.
    pub fn open_path<'n>(&self, mut elements: impl Iterator<Item = &'n str>) -> Result<Self, FsError> {
        let first = self.open_dir(elements.next().unwrap_or("."))?;
        elements.try_fold(first, |dir, name| dir.open_dir(name))
    }

    /// Makes a directory that must not exist yet.
    pub fn create_dir(&self, name: &str, mode: u32) -> Result<Self, FsError> {
        rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)
            .map_err(|errno| self.error("create the directory", name, errno))?;
        let dir = self.open_dir(name)?;
        if mode != 0o700 || self.masked & 0o700 != 0 {
            dir.set_mode(mode)?;
        }
        Ok(dir)
    }

    /// Opens a directory, or makes it; then `new` becomes true.
    pub fn open_or_create_dir(&self, name: &str, mode: u32, new: &mut bool) -> Result<Self, FsError> {
        if let Some(dir) = optional(self.open_dir(name))? {
            return Ok(dir);
        }
        match self.create_dir(name, mode) {
            // Another run was faster.
            Err(error) if error.errno() == Some(Errno::EXIST) => self.open_dir(name),
            result => {
                *new |= result.is_ok();
                result
            }
        }
    }

    /// Makes a file that must not exist yet.
    pub fn create_file(&self, name: &str, mode: u32) -> Result<NewFile, FsError> {
        let masked = mode & self.masked != 0;
        let mode = Mode::from_raw_mode(mode);
        let fd = rustix::fs::openat(&self.fd, name, CREATE, mode)
            .map_err(|errno| self.error("create", name, errno))?;
        if masked {
            rustix::fs::fchmod(&fd, mode).map_err(|errno| self.error("set the mode of", name, errno))?;
        }
        Ok(NewFile { file: File::from(fd), path: self.path.join(name) })
    }

    /// Makes a file with this content.
    pub fn write_file(&self, name: &str, mode: u32, content: &[u8]) -> Result<(), FsError> {
        self.create_file(name, mode)?.write_all(content)
    }

    /// Puts a file with this content in the place of another, durably.
    pub fn replace_file(&self, name: &str, mode: u32, content: &[u8]) -> Result<(), FsError> {
        let temporary = format!(".{name}.new");
        optional(self.remove_file(&temporary))?;
        let mut file = self.create_file(&temporary, mode)?;
        file.write_all(content)?;
        file.sync()?;
        self.rename(&temporary, name)?;
        self.sync()
    }

    /// The last bytes of a file, at most `most` of them, and how many there are before them.
    pub fn tail(&self, name: &str, most: u64) -> Result<(u64, Vec<u8>), FsError> {
        let failed = |reason| FsError::new("read", self.path.join(name), reason);
        let (mut file, stat) = self.open_file_and_stat(name)?;
        let before = u64::try_from(stat.st_size).unwrap_or(0).saturating_sub(most);
        file.seek(SeekFrom::Start(before)).map_err(failed)?;
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content).map_err(failed)?;
        Ok((before, content))
    }

    /// Writes after the first `kept` bytes of a file, which are left alone, and ends it there; makes it where it is
    /// missing. Durably.
    pub fn write_after(&self, name: &str, mode: u32, kept: u64, content: &[u8]) -> Result<(), FsError> {
        let mut file = self.open_for_update(name, mode)?;
        let set = file.file.set_len(kept).and_then(|()| file.file.seek(SeekFrom::Start(kept)));
        set.map_err(|reason| FsError::new("write", self.path.join(name), reason))?;
        file.write_all(content)?;
        file.sync()?;
        self.sync()
    }

    /// Opens a file to hold a lock on, making it where it is missing. Its content is left alone.
    pub fn open_lock_file(&self, name: &str, mode: u32) -> Result<File, FsError> {
        Ok(self.open_for_update(name, mode)?.file)
    }

    fn open_for_update(&self, name: &str, mode: u32) -> Result<NewFile, FsError> {
        const FLAGS: OFlags =
            OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
        let open = || rustix::fs::openat(&self.fd, name, FLAGS, Mode::empty());
        let create = || {
            let created = rustix::fs::openat(
                &self.fd,
                name,
                FLAGS | OFlags::CREATE | OFlags::EXCL,
                Mode::RUSR | Mode::WUSR,
            )?;
            rustix::fs::fchmod(&created, Mode::from_raw_mode(mode))?;
            Ok(created)
        };
        let opened = match open() {
            // Another run may be faster.
            Err(Errno::NOENT) => match create() {
                Err(Errno::EXIST) => open(),
                result => result,
            },
            result => result,
        };
        let fd = opened.map_err(|errno| self.error("open", name, errno))?;
        self.check_regular(&fd, name)?;
        Ok(NewFile { file: File::from(fd), path: self.path.join(name) })
    }

    /// Fails unless what was opened as `name` is a regular file, and tells about it.
    fn check_regular(&self, fd: &OwnedFd, name: &str) -> Result<Stat, FsError> {
        let stat = rustix::fs::fstat(fd).map_err(|errno| self.error("examine", name, errno))?;
        if kind_of(&stat) == Kind::File {
            return Ok(stat);
        }
        let reason = io::Error::other("it is not a regular file");
        Err(FsError::new("open", self.path.join(name), reason))
    }

    /// Opens a regular file for reading.
    pub fn open_file(&self, name: &str) -> Result<File, FsError> {
        Ok(self.open_file_and_stat(name)?.0)
    }

    fn open_file_and_stat(&self, name: &str) -> Result<(File, Stat), FsError> {
        let fd = rustix::fs::openat(&self.fd, name, READ, Mode::empty())
            .map_err(|errno| self.error("open", name, errno))?;
        let stat = self.check_regular(&fd, name)?;
        Ok((File::from(fd), stat))
    }

    /// The content of a file of at most `limit` bytes.
    pub fn read_file(&self, name: &str, limit: u64) -> Result<Vec<u8>, FsError> {
        Ok(self.read_file_of(name, limit)?.0)
    }

    /// The content of a file of at most `limit` bytes, its owner and its permission bits.
    pub fn read_file_of(&self, name: &str, limit: u64) -> Result<(Vec<u8>, (u32, u32)), FsError> {
        let (file, stat) = self.open_file_and_stat(name)?;
        let mut content = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut content);
        let read = read.map_err(|reason| FsError::new("read", self.path.join(name), reason))?;
        if read as u64 > limit {
            let reason = io::Error::other(format!("it has more than {limit} bytes"));
            return Err(FsError::new("read", self.path.join(name), reason));
        }
        Ok((content, owner_and_mode(&stat)))
    }

    /// Makes a symbolic link that must not exist yet.
    pub fn symlink(&self, name: &str, target: &str) -> Result<(), FsError> {
        rustix::fs::symlinkat(target, &self.fd, name)
            .map_err(|errno| self.error("create the link", name, errno))
    }

    /// Puts a symbolic link in the place of another, in one step.
    pub fn replace_symlink(&self, name: &str, target: &str) -> Result<(), FsError> {
        let temporary = format!(".{name}.new");
        optional(self.remove_file(&temporary))?;
        self.symlink(&temporary, target)?;
        self.rename(&temporary, name)
    }

    /// What a symbolic link holds.
    pub fn read_link(&self, name: &str) -> Result<String, FsError> {
        let target = rustix::fs::readlinkat(&self.fd, name, Vec::new())
            .map_err(|errno| self.error("read the link", name, errno))?;
        target.into_string().map_err(|_| {
            FsError::new("read the link", self.path.join(name), io::Error::other("it is not UTF-8"))
        })
    }

    /// Gives the file `name` of `from` the same name here too. `false` where the file system will not.
    pub fn hard_link(&self, from: &Self, name: &str) -> Result<bool, FsError> {
        match rustix::fs::linkat(&from.fd, name, &self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(self.error("create the hard link", name, errno)),
        }
    }

    /// Renames within this directory.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FsError> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to).map_err(|errno| self.error("rename to", to, errno))
    }

    /// Removes a file or link.
    pub fn remove_file(&self, name: &str) -> Result<(), FsError> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
            .map_err(|errno| self.error("remove", name, errno))
    }

    /// Removes whatever has this name, if anything has.
    pub fn remove(&self, name: &str) -> Result<(), FsError> {
        match self.kind(name)? {
            Some(Kind::Dir) => self.remove_tree(name),
            Some(Kind::File | Kind::Link | Kind::Other) => self.remove_file(name),
            None => Ok(()),
        }
    }

    /// Removes a directory with all that it holds. Follows no link and does not leave the directory.
    pub fn remove_tree(&self, name: &str) -> Result<(), FsError> {
        let dir = self.open_dir(name)?;
        let entries = dir.entries()?;
        if !entries.is_empty() {
            dir.set_mode(0o700)?;
        }
        for (entry, kind) in entries {
            match kind {
                Kind::Dir => dir.remove_tree(&entry)?,
                Kind::File | Kind::Link | Kind::Other => dir.remove_file(&entry)?,
            }
        }
        rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)
            .map_err(|errno| self.error("remove the directory", name, errno))
    }

    /// What it holds, sorted by name.
    pub fn entries(&self) -> Result<Vec<(String, Kind)>, FsError> {
        let failed = |errno| FsError::new("list", &self.path, errno);
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let name = str::from_utf8(name).map_err(|_| {
                FsError::new("list", &self.path, io::Error::other("a name in it is not UTF-8"))
            })?;
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Dir,
                FileType::Symlink => Kind::Link,
                FileType::Unknown => self.kind(name)?.unwrap_or(Kind::Other),
                _ => Kind::Other,
            };
            entries.push((name.to_owned(), kind));
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// What a name stands for, if it is there. Links are not followed.
    pub fn kind(&self, name: &str) -> Result<Option<Kind>, FsError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(kind_of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error("examine", name, errno)),
        }
    }

    /// Owner and permission bits.
    pub fn owner_and_mode(&self) -> Result<(u32, u32), FsError> {
        let stat = rustix::fs::fstat(&self.fd).map_err(|errno| FsError::new("examine", &self.path, errno))?;
        Ok(owner_and_mode(&stat))
    }

    /// Sets the permission bits.
    pub fn set_mode(&self, mode: RawMode) -> Result<(), FsError> {
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
            .map_err(|errno| FsError::new("set the mode of", &self.path, errno))
    }

    /// Makes its list of names durable.
    pub fn sync(&self) -> Result<(), FsError> {
        rustix::fs::fsync(&self.fd).map_err(|errno| FsError::new("sync", &self.path, errno))
    }

    /// Makes the content of a file in it durable.
    pub fn sync_file(&self, name: &str) -> Result<(), FsError> {
        let fd = rustix::fs::openat(&self.fd, name, READ, Mode::empty())
            .map_err(|errno| self.error("open", name, errno))?;
        rustix::fs::fsync(&fd).map_err(|errno| self.error("sync", name, errno))
    }

    /// Makes everything below it durable, and it: for small trees.
    pub fn sync_tree(&self) -> Result<(), FsError> {
        for (name, kind) in self.entries()? {
            match kind {
                Kind::File => self.sync_file(&name)?,
                Kind::Dir => self.open_dir(&name)?.sync_tree()?,
                Kind::Link | Kind::Other => {}
            }
        }
        self.sync()
    }

    /// Starts and awaits the write-back of the whole file system. Before Linux 5.8 it reports no errors: each file
    /// has to be synced too.
    pub fn sync_file_system(&self) -> Result<(), FsError> {
        rustix::fs::syncfs(&self.fd)
            .map_err(|errno| FsError::new("sync the file system of", &self.path, errno))
    }

    /// Free bytes and inodes, and flags, of the file system that it lies on.
    pub fn statvfs(&self) -> Result<rustix::fs::StatVfs, FsError> {
        rustix::fs::fstatvfs(&self.fd)
            .map_err(|errno| FsError::new("examine the file system of", &self.path, errno))
    }

    /// Finds out which bits of a mode arrive here, so that most files below need no second call for theirs.
    pub fn learn_modes(&mut self) -> Result<(), FsError> {
        const PROBE: &str = ".mode-probe";
        let fd = rustix::fs::openat(&self.fd, PROBE, CREATE, Mode::from_raw_mode(0o777))
            .map_err(|errno| self.error("create", PROBE, errno))?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.error("examine", PROBE, errno))?;
        self.remove_file(PROBE)?;
        self.masked = EVERY_BIT & !stat.st_mode;
        Ok(())
    }

    fn error(&self, operation: &'static str, name: &str, errno: Errno) -> FsError {
        FsError::new(operation, self.path.join(name), errno)
    }
}

fn owner_and_mode(stat: &Stat) -> (u32, u32) {
    (stat.st_uid, stat.st_mode & 0o7777)
}

fn kind_of(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: Utf8PathBuf,
}

impl NewFile {
    /// Writes at its end.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.file.write_all(bytes).map_err(|reason| FsError::new("write", &self.path, reason))
    }

    /// Makes its content durable. A failure is final: the pages are marked clean and a second call would succeed.
    pub fn sync(&self) -> Result<(), FsError> {
        self.file.sync_all().map_err(|reason| FsError::new("sync", &self.path, reason))
    }

    /// The path: for messages.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The open file, for writers that seek.
    pub fn into_file(self) -> File {
        self.file
    }
}

/// Whether the path names something that is no directory, or a link.
pub(crate) fn is_not_a_directory(error: &FsError) -> bool {
    matches!(error.errno(), Some(Errno::NOTDIR | Errno::LOOP))
}
