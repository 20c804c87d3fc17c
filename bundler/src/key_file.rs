//! Key files on disk: `NAME.key`, which only its owner may read, and `NAME.pub`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use goferry_manifest::minisign::{
    KeyId, Passphrase, Protection, ScryptCost, SecretKey, SecretKeyError, SecretKeyFile,
};
use goport::key_file::{self, Links, quoted};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::passphrase::AskError;

/// A key file that cannot be used or written. Nothing of its content is repeated.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It cannot be read as a key file at all.
    #[error(transparent)]
    File(#[from] key_file::KeyFileError),
    /// Others may use the secret key, or change it.
    #[error("the secret key `{}` is open to other users (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is no secret key, or the passphrase does not open it.
    #[error("cannot use the secret key `{}`: {reason}", path.display())]
    SecretKey {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: SecretKeyError,
    },
    /// The passphrase was not given.
    #[error("the secret key `{}` is protected by a passphrase: {reason}", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: AskError,
    },
    /// Keys are never overwritten.
    #[error("`{}` exists already, and a key file is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write the key file `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operating system gave none.
    #[error("the operating system has no randomness for a new key")]
    Randomness {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

impl KeyFileError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", quoted(path))),
            Self::File(error) => error.hint(),
            Self::Exists { .. } => Some("give another name, or move the old pair away".to_owned()),
            _ => None,
        }
    }
}

/// The two files of a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPairPaths {
    /// `NAME.key`.
    pub secret: PathBuf,
    /// `NAME.pub`.
    pub public: PathBuf,
}

/// Reads a secret key. `ask` is called only if the file takes a passphrase.
pub fn read_secret_key(
    path: &Path,
    ask: impl FnOnce() -> Result<Passphrase, AskError>,
) -> Result<SecretKey, KeyFileError> {
    // A symlink is followed: what counts are the permissions of the file that was opened.
    let text = key_file::read_text(path, Links::Follow, |path, mode| match mode & 0o077 {
        0 => Ok(()),
        _ => Err(KeyFileError::Exposed { path, mode }),
    })?;
    let refuse = |reason| KeyFileError::SecretKey { path: path.to_owned(), reason };
    match SecretKeyFile::parse(&text).map_err(refuse)? {
        SecretKeyFile::Unprotected(key) => Ok(key),
        SecretKeyFile::Encrypted(key) => {
            let passphrase =
                ask().map_err(|reason| KeyFileError::Passphrase { path: path.to_owned(), reason })?;
            key.decrypt(&passphrase).map_err(refuse)
        }
    }
}

/// A new key, from the randomness of the operating system.
pub fn generate() -> Result<SecretKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    let mut id = [0; 8];
    fill(seed.as_mut_slice())?;
    fill(&mut id)?;
    Ok(SecretKey::generate(&seed, KeyId::from_bytes(id)))
}

/// Protection by `passphrase`, at `cost`, with a new salt.
pub fn protect(passphrase: &Passphrase, cost: ScryptCost) -> Result<Protection<'_>, KeyFileError> {
    let mut salt = [0; 32];
    fill(&mut salt)?;
    Ok(Protection::Passphrase { passphrase, salt, cost })
}

fn fill(bytes: &mut [u8]) -> Result<(), KeyFileError> {
    getrandom::fill(bytes).map_err(|source| KeyFileError::Randomness { source })
}

/// Writes `STEM.key` (0600) and `STEM.pub` (0644), both new and both durable, or neither.
pub fn write_key_pair(
    stem: &Path,
    key: &SecretKey,
    protection: &Protection<'_>,
) -> Result<KeyPairPaths, KeyFileError> {
    let secret = NewFile::create(with_suffix(stem, ".key"), 0o600)?;
    let public = NewFile::create(with_suffix(stem, ".pub"), 0o644)?;
    secret.write(key.to_file_text(protection).as_bytes())?;
    public.write(key.public_key().to_file_text().as_bytes())?;
    sync_directory_of(stem)?;
    Ok(KeyPairPaths { secret: secret.keep(), public: public.keep() })
}

/// `stem` with `suffix` after its last name, dots in it or not.
fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// A file that did not exist before, and is removed again unless it is kept.
struct NewFile {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    fn create(path: PathBuf, mode: u32) -> Result<Self, KeyFileError> {
        let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        match created {
            Ok(file) => {
                let new = Self { file, path, kept: false };
                // Whatever the umask is.
                new.file
                    .set_permissions(Permissions::from_mode(mode))
                    .map_err(|source| new.failed(source))?;
                Ok(new)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(KeyFileError::Exists { path }),
            Err(source) => Err(KeyFileError::Write { path, source }),
        }
    }

    fn write(&self, content: &[u8]) -> Result<(), KeyFileError> {
        let write = || (&self.file).write_all(content).and_then(|()| self.file.sync_all());
        write().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> KeyFileError {
        KeyFileError::Write { path: self.path.clone(), source }
    }

    fn keep(mut self) -> PathBuf {
        self.kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is the one to report.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn sync_directory_of(path: &Path) -> Result<(), KeyFileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| KeyFileError::Write { path: directory.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use goport::key_file::read_public_key;

    use super::*;

    fn unasked() -> Result<Passphrase, AskError> {
        panic!("asked for a passphrase")
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A directory with an unprotected key pair named `ops.2026`.
    fn pair() -> (tempfile::TempDir, SecretKey, KeyPairPaths) {
        let directory = tempfile::tempdir().unwrap();
        let key = generate().unwrap();
        let stem = directory.path().join("ops.2026");
        let paths = write_key_pair(&stem, &key, &Protection::Unprotected).unwrap();
        (directory, key, paths)
    }

    #[test]
    fn a_pair_is_written_and_read_back() {
        let (directory, key, paths) = pair();
        assert_eq!(paths.secret, directory.path().join("ops.2026.key"));
        assert_eq!(paths.public, directory.path().join("ops.2026.pub"));
        assert_eq!((mode(&paths.secret), mode(&paths.public)), (0o600, 0o644));
        assert_eq!(read_secret_key(&paths.secret, unasked).unwrap().public_key(), key.public_key());
        assert_eq!(read_public_key(&paths.public).unwrap(), key.public_key());
        assert_ne!(generate().unwrap().public_key(), key.public_key());
    }

    #[test]
    fn a_protected_key_opens_with_its_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let (key, right) = (generate().unwrap(), passphrase("open sesame"));
        let protection = protect(&right, ScryptCost::INTERACTIVE).unwrap();
        let paths = write_key_pair(&directory.path().join("ops"), &key, &protection).unwrap();
        let opened = read_secret_key(&paths.secret, || Ok(passphrase("open sesame"))).unwrap();
        assert_eq!(opened.public_key(), key.public_key());
        let wrong = read_secret_key(&paths.secret, || Ok(passphrase("open barley"))).unwrap_err();
        assert!(matches!(wrong, KeyFileError::SecretKey { reason: SecretKeyError::WrongPassphrase, .. }));
        let none = read_secret_key(&paths.secret, || Err(AskError::None)).unwrap_err();
        assert!(matches!(none, KeyFileError::Passphrase { .. }));
    }

    #[test]
    fn keys_are_never_overwritten_and_no_half_pair_is_left() {
        let (directory, key, paths) = pair();
        let before = std::fs::read(&paths.secret).unwrap();
        let stem = directory.path().join("ops.2026");
        let error = write_key_pair(&stem, &generate().unwrap(), &Protection::Unprotected).unwrap_err();
        assert!(matches!(error, KeyFileError::Exists { ref path } if *path == paths.secret));
        assert_eq!(std::fs::read(&paths.secret).unwrap(), before);

        std::fs::remove_file(&paths.secret).unwrap();
        let error = write_key_pair(&stem, &generate().unwrap(), &Protection::Unprotected).unwrap_err();
        assert!(matches!(error, KeyFileError::Exists { ref path } if *path == paths.public));
        assert!(!paths.secret.exists());
        assert_eq!(read_public_key(&paths.public).unwrap(), key.public_key());

        // Not through a symlink either, even one that leads nowhere.
        let target = directory.path().join("target");
        symlink(&target, &paths.secret).unwrap();
        write_key_pair(&stem, &generate().unwrap(), &Protection::Unprotected).unwrap_err();
        assert!(!target.exists());
    }

    #[test]
    fn a_secret_key_that_others_can_use_is_refused() {
        let (directory, _, paths) = pair();
        let link = directory.path().join("link");
        symlink(&paths.secret, &link).unwrap();
        read_secret_key(&link, unasked).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o601, 0o644] {
            set_mode(&paths.secret, mode);
            for path in [&paths.secret, &link] {
                let error = read_secret_key(path, unasked).unwrap_err();
                assert!(matches!(error, KeyFileError::Exposed { mode: seen, .. } if seen == mode));
                assert!(error.to_string().contains(&format!("(mode {mode:04o})")), "{error}");
                assert_eq!(error.hint(), Some(format!("chmod 600 '{}'", path.display())));
            }
        }
        set_mode(&paths.secret, 0o400);
        read_secret_key(&paths.secret, unasked).unwrap();
    }

    #[test]
    fn a_public_key_is_no_secret_key() {
        let (_directory, _, paths) = pair();
        set_mode(&paths.public, 0o600);
        let error = read_secret_key(&paths.public, unasked).unwrap_err();
        assert!(matches!(error, KeyFileError::SecretKey { reason: SecretKeyError::Base64, .. }));
    }
}
