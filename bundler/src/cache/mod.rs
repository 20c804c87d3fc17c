//! What was downloaded and proven, kept outside of all projects.
//!
//! - `blobs/ab/<sha256>`: contents, each named by its digest, never changed;
//! - `requests/ab/<sha256 of the name>`: which content answers a request whose answer never changes, such as
//!   `golang.org/x/text/@v/v0.3.0.zip`, whatever proxy it came from;
//! - `partial/<sha256 of the URL>`: downloads that broke off.
//!
//! Nothing here is trusted: a content's digest is computed again whenever it is read, and the caller proves it again
//! by go.sum or the checksum database. So nothing is synced to disk either: after a power cut a damaged entry counts
//! as absent. Several processes may use one cache at once: files get their names by rename, complete.

mod partial;

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use goferry_manifest::{Hashing, Sha256Digest};
use tempfile::NamedTempFile;
use thiserror::Error;

pub use self::partial::Partial;
use crate::fs;
use goferry_terminal::Environment;

/// A cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
}

/// A content of the cache. It was complete when it was stored; only [`Cache::open_blob`] says whether it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    digest: Sha256Digest,
    size: u64,
}

/// Why the cache cannot be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Neither `$GOFERRY_CACHE` nor `$XDG_CACHE_HOME` nor `$HOME` says where it is.
    #[error("no place for the cache: set GOFERRY_CACHE or HOME")]
    NoPlace,
    /// A file or directory of it cannot be read or written.
    #[error("failed to use the cache `{}`", directory.display())]
    Io {
        /// The cache.
        directory: PathBuf,
        /// Why; names the file.
        #[source]
        source: io::Error,
    },
    /// A content is not what its name says.
    #[error("`{}` is damaged\n  expected: sha256:{expected}\n    actual: sha256:{actual}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its name.
        expected: Sha256Digest,
        /// Its content.
        actual: Sha256Digest,
    },
}

impl Blob {
    /// The SHA-256 of the content.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Cache {
    /// Opens a cache, making its directories.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let cache = Self { directory: directory.into() };
        for part in ["blobs", "requests", "partial"] {
            cache.checked(fs::create_private_directories(&cache.directory.join(part)))?;
        }
        Ok(cache)
    }

    /// The user's cache: `$GOFERRY_CACHE`, `$XDG_CACHE_HOME/goferry`, `~/.cache/goferry`.
    pub fn of_user(environment: &Environment) -> Result<Self, CacheError> {
        let directory = environment
            .path("GOFERRY_CACHE")
            .or_else(|| environment.absolute_path("XDG_CACHE_HOME").map(|cache| cache.join("goferry")))
            .or_else(|| environment.home().map(|home| home.join(".cache/goferry")));
        Self::open(directory.ok_or(CacheError::NoPlace)?)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What answers the request of this name. An entry that is damaged in a way that shows counts as absent.
    pub fn get(&self, name: &str) -> Result<Option<Blob>, CacheError> {
        let entry = match std::fs::read_to_string(self.request_path(name)) {
            Ok(entry) => entry,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return self.checked(Err(fs::named("read", &self.request_path(name), &error))),
        };
        let Some(blob) = parse_entry(&entry, name) else {
            return Ok(None);
        };
        match std::fs::metadata(self.blob_path(blob.digest)) {
            Ok(metadata) if metadata.len() == blob.size => Ok(Some(blob)),
            _ => Ok(None),
        }
    }

    /// Keeps a complete file of [`Cache::temporary_file`] as the answer to a request.
    pub fn insert(
        &self,
        name: &str,
        file: NamedTempFile,
        digest: Sha256Digest,
        size: u64,
    ) -> Result<Blob, CacheError> {
        let path = self.prepared_blob_path(digest)?;
        self.checked(fs::persist(file, &path))?;
        self.remember(name, Blob { digest, size })
    }

    /// Keeps a small content as the answer to a request.
    pub fn insert_bytes(&self, name: &str, bytes: &[u8]) -> Result<Blob, CacheError> {
        let mut file = self.temporary_file()?;
        self.checked(file.write_all(bytes).map_err(|source| fs::named("write", file.path(), &source)))?;
        self.insert(name, file, Sha256Digest::of(bytes), bytes.len() as u64)
    }

    /// Keeps a complete download as the answer to a request.
    pub fn insert_partial(&self, name: &str, partial: Partial) -> Result<Blob, CacheError> {
        let digest = partial.digest();
        let size = partial.size();
        let path = self.prepared_blob_path(digest)?;
        self.checked(partial.persist(&path))?;
        self.remember(name, Blob { digest, size })
    }

    /// Forgets what answers a request.
    pub fn forget(&self, name: &str) -> Result<(), CacheError> {
        self.checked(fs::remove_if_there(&self.request_path(name)))
    }

    /// Where a content lies, for readers that check what they read.
    pub fn path_of(&self, blob: &Blob) -> PathBuf {
        self.blob_path(blob.digest)
    }

    /// A content, hashed before it is handed out; positioned at its start.
    pub fn open_blob(&self, blob: &Blob) -> Result<File, CacheError> {
        let path = self.blob_path(blob.digest);
        let mut file = self.checked(fs_err::File::open(&path))?.into_parts().0;
        let mut sink = Hashing::new(io::sink());
        let hashed = io::copy(&mut file, &mut sink).and_then(|_| file.rewind());
        self.checked(hashed.map_err(|source| fs::named("read", &path, &source)))?;
        let (_, actual, _) = sink.finish();
        if actual != blob.digest {
            return Err(CacheError::Damaged { path, expected: blob.digest, actual });
        }
        Ok(file)
    }

    /// A content in memory, hashed. Callers know from [`Blob::size`] how large it is.
    pub fn read_blob(&self, blob: &Blob) -> Result<Vec<u8>, CacheError> {
        let path = self.blob_path(blob.digest);
        let mut bytes = Vec::new();
        let file = self.checked(fs_err::File::open(&path))?;
        self.checked(file.take(blob.size.saturating_add(1)).read_to_end(&mut bytes))?;
        let actual = Sha256Digest::of(&bytes);
        if actual != blob.digest {
            return Err(CacheError::Damaged { path, expected: blob.digest, actual });
        }
        Ok(bytes)
    }

    /// A file for a content that is still to come; it goes away unless it is inserted.
    pub fn temporary_file(&self) -> Result<NamedTempFile, CacheError> {
        self.checked(fs::temporary_file(&self.directory.join("partial")))
    }

    /// The download of a URL: what an earlier run left of it, or nothing yet.
    pub fn partial(&self, url: &str) -> Result<Partial, CacheError> {
        let name = Sha256Digest::of(url.as_bytes()).to_string();
        self.checked(Partial::open(&self.directory.join("partial"), &name))
    }

    fn remember(&self, name: &str, blob: Blob) -> Result<Blob, CacheError> {
        let path = self.request_path(name);
        self.checked(fs::create_private_directories(path.parent().unwrap_or(&self.directory)))?;
        let entry = format!("{name}\n{} {}\n", blob.digest, blob.size);
        self.checked(fs::write_whole(&path, entry.as_bytes()))?;
        Ok(blob)
    }

    fn blob_path(&self, digest: Sha256Digest) -> PathBuf {
        self.directory.join("blobs").join(sharded(digest))
    }

    fn prepared_blob_path(&self, digest: Sha256Digest) -> Result<PathBuf, CacheError> {
        let path = self.blob_path(digest);
        self.checked(fs::create_private_directories(path.parent().unwrap_or(&self.directory)))?;
        Ok(path)
    }

    fn request_path(&self, name: &str) -> PathBuf {
        self.directory.join("requests").join(sharded(Sha256Digest::of(name.as_bytes())))
    }

    fn checked<T>(&self, result: io::Result<T>) -> Result<T, CacheError> {
        result.map_err(|source| CacheError::Io { directory: self.directory.clone(), source })
    }
}

/// `ab/ab34…`: no directory gets too many entries.
fn sharded(digest: Sha256Digest) -> PathBuf {
    let name = digest.to_string();
    Path::new(&name[..2]).join(&name)
}

fn parse_entry(entry: &str, name: &str) -> Option<Blob> {
    let answer = entry.strip_prefix(name)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let (digest, size) = answer.split_once(' ')?;
    Some(Blob { digest: digest.parse().ok()?, size: size.parse().ok()? })
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        (directory, cache)
    }

    #[test]
    fn what_was_inserted_is_found_by_name() {
        let (_directory, cache) = cache();
        assert_eq!(cache.get("a.b/@v/v1.0.0.mod").unwrap(), None);
        let blob = cache.insert_bytes("a.b/@v/v1.0.0.mod", b"module a.b\n").unwrap();
        assert_eq!(cache.get("a.b/@v/v1.0.0.mod").unwrap(), Some(blob.clone()));
        assert_eq!(cache.read_blob(&blob).unwrap(), b"module a.b\n");
        let mut read = String::new();
        cache.open_blob(&blob).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "module a.b\n");
        cache.forget("a.b/@v/v1.0.0.mod").unwrap();
        assert_eq!(cache.get("a.b/@v/v1.0.0.mod").unwrap(), None);
    }

    #[test]
    fn a_damaged_content_is_never_handed_out() {
        let (_directory, cache) = cache();
        let blob = cache.insert_bytes("name", b"content").unwrap();
        let path = cache.blob_path(blob.digest);
        fs::remove_if_there(&path).unwrap();
        std::fs::write(&path, b"contenT").unwrap();
        assert!(matches!(cache.open_blob(&blob), Err(CacheError::Damaged { .. })));
        assert!(matches!(cache.read_blob(&blob), Err(CacheError::Damaged { .. })));
        std::fs::write(&path, b"cont").unwrap();
        assert_eq!(cache.get("name").unwrap(), None, "as after a power cut");
    }

    #[test]
    fn a_damaged_entry_counts_as_absent() {
        let (_directory, cache) = cache();
        cache.insert_bytes("name", b"content").unwrap();
        let path = cache.request_path("name");
        let good = std::fs::read(&path).unwrap();
        for bad in [&good[..0], &good[..20], b"other\n", b"\xff", &[&good[..], b"x"].concat()] {
            fs::remove_if_there(&path).unwrap();
            std::fs::write(&path, bad).unwrap();
            assert_eq!(cache.get("name").unwrap(), None);
        }
    }

    #[test]
    fn the_environment_says_where_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let of = |names: &[&str]| {
            let variables = names.iter().map(|name| ((*name).to_owned(), path(name)));
            Cache::of_user(&Environment::new(variables, "/"))
                .map(|cache| cache.directory().strip_prefix(home.path()).unwrap().to_owned())
        };
        assert_eq!(of(&["HOME"]).unwrap(), Path::new("HOME/.cache/goferry"));
        assert_eq!(of(&["HOME", "XDG_CACHE_HOME"]).unwrap(), Path::new("XDG_CACHE_HOME/goferry"));
        assert_eq!(of(&["HOME", "XDG_CACHE_HOME", "GOFERRY_CACHE"]).unwrap(), Path::new("GOFERRY_CACHE"));
        assert!(matches!(of(&[]), Err(CacheError::NoPlace)));
    }
}
