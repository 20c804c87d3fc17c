//! A bundle as a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use goferry_manifest::bundle::ReadAt;
use thiserror::Error;

/// A regular file that is read at any place.
#[derive(Debug)]
pub struct BundleFile {
    file: File,
    /// The size when it was opened: one that changes meanwhile is seen as cut off or by its digests.
    size: u64,
}

/// Why a bundle cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system refuses.
    #[error("cannot open `{path}`: {reason}")]
    Io {
        /// The path.
        path: Utf8PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A directory, pipe or device.
    #[error("`{path}` is {actual}, not a regular file")]
    NotAFile {
        /// The path.
        path: Utf8PathBuf,
        /// What it is.
        actual: &'static str,
    },
}

impl BundleFile {
    /// Opens it for reading. Pipes and devices are refused without waiting for them (bad-inputs #63).
    pub fn open(path: &Utf8Path) -> Result<Self, OpenError> {
        let failed = |reason| OpenError::Io { path: path.to_owned(), reason };
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            let actual = if metadata.is_dir() { "a directory" } else { "a pipe or device" };
            return Err(OpenError::NotAFile { path: path.to_owned(), actual });
        }
        Ok(Self { file, size: metadata.len() })
    }
}

impl ReadAt for BundleFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_bundles() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap();
        let error = BundleFile::open(path).unwrap_err();
        assert_eq!(error.to_string(), format!("`{path}` is a directory, not a regular file"));
        let pipe = path.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            pipe.as_std_path(),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let error = BundleFile::open(&pipe).unwrap_err();
        assert_eq!(error.to_string(), format!("`{pipe}` is a pipe or device, not a regular file"));
        let error = BundleFile::open("/dev/zero".into()).unwrap_err();
        assert_eq!(error.to_string(), "`/dev/zero` is a pipe or device, not a regular file");
    }

    #[test]
    fn it_is_read_at_any_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("b")).unwrap();
        std::fs::write(&path, b"0123456789").unwrap();
        let file = BundleFile::open(&path).unwrap();
        let mut bytes = [0; 3];
        file.read_exact_at(&mut bytes, 4).unwrap();
        assert_eq!((file.size().unwrap(), &bytes), (10, b"456"));
        assert!(file.read_exact_at(&mut bytes, 8).is_err());
    }
}
