//! Key files are read with care on both sides: what is opened is checked, and nothing of it is repeated.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use goferry_manifest::minisign::{PublicKey, PublicKeyError};
use rustix::fs::OFlags;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a key file: minisign's have a few hundred.
const KEY_FILE_BYTES: usize = 4 << 10;

/// A key file that cannot be used. Nothing of its content is repeated.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It cannot be opened or read.
    #[error("cannot read the key file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others may put another key in its place.
    #[error("the public key `{}` can be changed by every user (mode {mode:04o})", path.display())]
    WritableByAll {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Larger than any key.
    #[error("`{}` has more than {KEY_FILE_BYTES} bytes, so it is no key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("`{}` is not a text, so it is no key", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The text is no public key.
    #[error("cannot use the public key `{}`: {reason}", path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: PublicKeyError,
    },
}

impl KeyFileError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::WritableByAll { path, .. } => {
                Some(format!("check that it is the right key, then chmod 644 {}", quoted(path)))
            }
            _ => None,
        }
    }
}

/// The path as a word for a shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Reads a public key. One that every user may change, or that is a symlink, is refused (bad-inputs #20).
pub fn read_public_key(path: &Path) -> Result<PublicKey, KeyFileError> {
    let text = read_text(path, Links::Refuse, |path, mode| match mode & 0o002 {
        0 => Ok(()),
        _ => Err(KeyFileError::WritableByAll { path, mode }),
    })?;
    text.parse().map_err(|reason| KeyFileError::PublicKey { path: path.to_owned(), reason })
}

/// Whether a symlink may stand for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It leads to the file that is read.
    Follow,
    /// It is refused.
    Refuse,
}

/// Reads a small text file, once `check` has agreed with the permissions of the file that was opened.
pub fn read_text<E: From<KeyFileError>>(
    path: &Path,
    links: Links,
    check: impl FnOnce(PathBuf, u32) -> Result<(), E>,
) -> Result<Zeroizing<String>, E> {
    let failed = |source| KeyFileError::Read { path: path.to_owned(), source };
    // NONBLOCK: opening a pipe that nobody writes to must not wait.
    let links = match links {
        Links::Follow => OFlags::empty(),
        Links::Refuse => OFlags::NOFOLLOW,
    };
    let flags = (links | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile { path: path.to_owned() }.into());
    }
    check(path.to_owned(), metadata.permissions().mode() & 0o7777)?;
    // Of the final size from the start, so that no copy of a secret stays behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_FILE_BYTES));
    file.take(KEY_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > KEY_FILE_BYTES {
        return Err(KeyFileError::TooLarge { path: path.to_owned() }.into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyFileError::NotText { path: path.to_owned() })?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use goferry_manifest::minisign::{KeyId, Protection, SecretKey};

    use super::*;

    fn key() -> SecretKey {
        SecretKey::generate(&[7; 32].into(), KeyId::from_bytes([7; 8]))
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_public_key_that_all_can_change_or_that_is_a_symlink_is_refused() {
        // bad-inputs #20
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("ops.pub"), directory.path().join("link"));
        std::fs::write(&path, key().public_key().to_file_text()).unwrap();
        symlink(&path, &link).unwrap();
        assert!(matches!(read_public_key(&link), Err(KeyFileError::Read { .. })));
        set_mode(&path, 0o664);
        assert_eq!(read_public_key(&path).unwrap(), key().public_key());
        set_mode(&path, 0o646);
        let error = read_public_key(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::WritableByAll { mode: 0o646, .. }));
        assert!(error.hint().unwrap().ends_with(&format!("chmod 644 '{}'", path.display())));
    }

    #[test]
    fn a_secret_key_is_named_and_not_repeated() {
        // bad-inputs #21
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ops.key");
        let secret = key().to_file_text(&Protection::Unprotected);
        std::fs::write(&path, secret.as_bytes()).unwrap();
        let error = read_public_key(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::PublicKey { reason: PublicKeyError::SecretKey, .. }));
        let line = secret.lines().nth(1).unwrap();
        assert!(!format!("{error} {error:?}").contains(&line[..20]));
    }

    #[test]
    fn what_is_no_small_text_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        assert!(matches!(read_public_key(&path), Err(KeyFileError::Read { .. })));
        assert!(matches!(read_public_key(directory.path()), Err(KeyFileError::NotAFile { .. })));
        std::fs::write(&path, vec![b'x'; 4097]).unwrap();
        assert!(matches!(read_public_key(&path), Err(KeyFileError::TooLarge { .. })));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_public_key(&path), Err(KeyFileError::NotText { .. })));
        // A pipe without a writer does not hang.
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(read_public_key(&pipe), Err(KeyFileError::NotAFile { .. })));
    }
}
