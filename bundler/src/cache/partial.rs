//! Downloads that may break off and go on later, in this run or the next.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use goferry_manifest::Sha256Digest;
use goferry_manifest::crypto::Sha256;
use tempfile::TempPath;

use crate::fs;
use crate::http::{Continuation, Sink};

/// Bytes of the description of a download at most.
const DESCRIPTION_BYTES: u64 = 4 << 10;

/// A download into a locked file of the cache, hashed as it comes.
///
/// When it is dropped unfinished, what came stays for the next run, if its rest can be asked for.
#[derive(Debug)]
pub struct Partial {
    file: File,
    place: Place,
    hasher: Sha256,
    bytes: u64,
    continuation: Option<Continuation>,
    joined: bool,
}

#[derive(Debug)]
enum Place {
    /// Found again by the next run; beside it lies its description.
    Kept { path: PathBuf, description: PathBuf },
    /// Another process downloads the same at this moment: this one goes its own way.
    Private(TempPath),
}

impl Partial {
    pub(super) fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        let Some(file) = fs::open_resumable(&path)? else {
            let (file, path) = fs::temporary_file(directory)?.into_parts();
            return Ok(Self::empty(file, Place::Private(path)));
        };
        let description = directory.join(format!("{name}.json"));
        let continuation = read_description(&description);
        let mut partial = Self::empty(file, Place::Kept { path, description });
        match continuation {
            Some(continuation) => partial.take_over(continuation)?,
            None => partial.restart(None)?,
        }
        Ok(partial)
    }

    /// Whether some of it came by another response than the rest, so that a failed proof may be the seam's fault.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// The digest of what is there.
    pub fn digest(&self) -> Sha256Digest {
        self.hasher.clone().finalize()
    }

    /// The bytes that are there.
    pub fn size(&self) -> u64 {
        self.bytes
    }

    /// What is there, from its start.
    pub fn reader(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    /// Gives the complete download its final name.
    pub(super) fn persist(self, to: &Path) -> io::Result<()> {
        match self.place {
            Place::Kept { path, description } => {
                fs::remove_if_there(&description)?;
                fs::rename_immutable(&self.file, &path, to)
            }
            Place::Private(path) => fs::persist(tempfile::NamedTempFile::from_parts(self.file, path), to),
        }
    }

    /// Removes what came, so that the next run begins anew.
    pub fn discard(self) -> io::Result<()> {
        match self.place {
            Place::Kept { path, description } => {
                fs::remove_if_there(&description)?;
                fs::remove_if_there(&path)
            }
            Place::Private(path) => path.close(),
        }
    }

    fn empty(file: File, place: Place) -> Self {
        Self { file, place, hasher: Sha256::new(), bytes: 0, continuation: None, joined: false }
    }

    /// Hashes what an earlier run left. More than there can be is no start of it.
    fn take_over(&mut self, continuation: Continuation) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.file.read(&mut buffer)? {
                0 => break,
                read => {
                    self.hasher.update(&buffer[..read]);
                    self.bytes += read as u64;
                }
            }
        }
        if self.bytes >= continuation.length {
            return self.restart(None);
        }
        self.continuation = Some(continuation);
        Ok(())
    }
}

impl Sink for Partial {
    fn resume_point(&self) -> Option<(u64, &Continuation)> {
        self.continuation.as_ref().map(|continuation| (self.bytes, continuation))
    }

    fn held(&self) -> u64 {
        self.bytes
    }

    fn restart(&mut self, continuation: Option<Continuation>) -> io::Result<()> {
        if let Place::Kept { path, description } = &self.place {
            // In this order, so that a description never stands beside bytes of another body.
            fs::empty(&self.file, path)?;
            match &continuation {
                Some(continuation) => fs::write_whole(description, &serde_json::to_vec(continuation)?)?,
                None => fs::remove_if_there(description)?,
            }
        } else {
            self.file.set_len(0)?;
        }
        self.file.seek(SeekFrom::Start(0))?;
        (self.hasher, self.bytes, self.joined) = (Sha256::new(), 0, false);
        self.continuation = continuation;
        Ok(())
    }

    fn continued(&mut self) {
        self.joined = true;
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Anything that is not exactly a description counts as none.
fn read_description(path: &Path) -> Option<Continuation> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(DESCRIPTION_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn continuation(length: u64) -> Continuation {
        Continuation { length, validator: Some("\"a\"".to_owned()) }
    }

    #[test]
    fn the_next_run_goes_on_where_the_last_one_broke_off() {
        // bad-inputs #111
        let directory = tempfile::tempdir().unwrap();
        let mut first = Partial::open(directory.path(), "x").unwrap();
        first.restart(Some(continuation(6))).unwrap();
        first.write(b"abc").unwrap();
        drop(first);
        let mut second = Partial::open(directory.path(), "x").unwrap();
        assert_eq!(second.resume_point(), Some((3, &continuation(6))));
        second.continued();
        assert!(second.is_joined());
        second.write(b"def").unwrap();
        assert_eq!(second.digest(), Sha256Digest::of(b"abcdef"));
        second.persist(&directory.path().join("final")).unwrap();
        assert_eq!(std::fs::read(directory.path().join("final")).unwrap(), b"abcdef");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_continued_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        for damage in ["", "{}", "{\"length\":3,\"validator\":null}", "{\"length\":9,\"validator\":null} "] {
            let mut first = Partial::open(directory.path(), "x").unwrap();
            first.restart(Some(continuation(6))).unwrap();
            first.write(b"abc").unwrap();
            drop(first);
            fs::remove_if_there(&directory.path().join("x.json")).unwrap();
            std::fs::write(directory.path().join("x.json"), damage).unwrap();
            let second = Partial::open(directory.path(), "x").unwrap();
            let resumes = damage.contains('9');
            assert_eq!(second.held(), if resumes { 3 } else { 0 });
        }
    }

    #[test]
    fn two_downloads_of_the_same_do_not_touch_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let mut one = Partial::open(directory.path(), "x").unwrap();
        let mut two = Partial::open(directory.path(), "x").unwrap();
        for (partial, content) in [(&mut one, b"one"), (&mut two, b"two")] {
            partial.restart(Some(continuation(3))).unwrap();
            partial.write(content).unwrap();
        }
        one.persist(&directory.path().join("1")).unwrap();
        two.persist(&directory.path().join("2")).unwrap();
        assert_eq!(std::fs::read(directory.path().join("1")).unwrap(), b"one");
        assert_eq!(std::fs::read(directory.path().join("2")).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
