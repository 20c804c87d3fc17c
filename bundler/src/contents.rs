//! The bytes of what was fetched and proven, by digest.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::{self, Blob};
use zip::ZipArchive;

use crate::module_zip;
use crate::pack::Contents;

/// Contents that stay in the zips in which they came, and small ones in memory.
///
/// Nothing is unpacked twice onto a disk: an entry is decompressed whenever it is asked for, which takes far less time
/// than compressing it does.
#[derive(Debug, Default)]
pub struct FetchedContents {
    sources: HashMap<Sha256Digest, Source>,
    archives: Vec<Archive>,
}

#[derive(Debug)]
enum Source {
    Entry { archive: usize, index: usize },
    Memory(Vec<u8>),
}

#[derive(Debug)]
struct Archive {
    path: PathBuf,
    directory: OnceLock<ZipArchive<LazyFile>>,
}

impl FetchedContents {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the files of a zip that [`module_zip::read`] accepted.
    pub fn add_zip(&mut self, path: PathBuf, files: &[bundle::File]) {
        let archive = self.archives.len();
        self.archives.push(Archive { path, directory: OnceLock::new() });
        for (index, file) in files.iter().enumerate() {
            self.sources.entry(file.sha256).or_insert(Source::Entry { archive, index });
        }
    }

    /// Adds a small content.
    pub fn add_bytes(&mut self, bytes: Vec<u8>) -> Sha256Digest {
        let digest = Sha256Digest::of(&bytes);
        self.sources.entry(digest).or_insert(Source::Memory(bytes));
        digest
    }
}

impl Contents for FetchedContents {
    fn read(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        let missing =
            || io::Error::new(io::ErrorKind::NotFound, format!("nothing with {:?} was fetched", blob.sha256));
        let (bytes, origin) = match self.sources.get(&blob.sha256).ok_or_else(missing)? {
            Source::Memory(bytes) => (bytes.clone(), None),
            Source::Entry { archive, index } => {
                let archive = &self.archives[*archive];
                (archive.read(*index, blob.size).map_err(|error| archive.named(&error))?, Some(archive))
            }
        };
        if bytes.len() as u64 == blob.size && Sha256Digest::of(&bytes) == blob.sha256 {
            return Ok(bytes);
        }
        let changed = io::Error::new(io::ErrorKind::InvalidData, "it changed while it was in use");
        Err(origin.map_or_else(missing, |archive| archive.named(&changed)))
    }
}

impl Archive {
    fn read(&self, index: usize, size: u64) -> io::Result<Vec<u8>> {
        let mut archive = self.directory()?.clone();
        let entry = archive.by_index(index)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
        entry.take(size + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The central directory is read once, when the first entry is asked for.
    fn directory(&self) -> io::Result<&ZipArchive<LazyFile>> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let opened = module_zip::open(LazyFile::new(&self.path))?;
        Ok(self.directory.get_or_init(|| opened))
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("failed to read `{}`: {error}", self.path.display()))
    }
}

/// A file that is opened when it is first read. A clone opens it anew, so that clones have positions of their own and
/// an idle one holds no descriptor.
#[derive(Debug)]
struct LazyFile {
    path: Arc<Path>,
    file: Option<File>,
}

impl LazyFile {
    fn new(path: &Path) -> Self {
        Self { path: path.into(), file: None }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            closed => Ok(closed.insert(File::open(&self.path)?)),
        }
    }
}

impl Clone for LazyFile {
    fn clone(&self) -> Self {
        Self { path: Arc::clone(&self.path), file: None }
    }
}

impl Read for LazyFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(buffer)
    }
}

impl Seek for LazyFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use goferry_manifest::Module;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn blobs_of_zips_and_of_memory_are_read_and_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for name in ["one", "two"] {
            writer.start_file(format!("a.b/c@v1.0.0/{name}"), SimpleFileOptions::default()).unwrap();
            writer.write_all(name.repeat(1000).as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let module = Module::new("a.b/c".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap();
        let zip = module_zip::read(&module, File::open(&path).unwrap()).unwrap();
        let mut contents = FetchedContents::new();
        contents.add_zip(path.clone(), &zip.files);
        contents.add_bytes(b"module a.b/c\n".to_vec());
        let blob = |bytes: &[u8]| Blob { sha256: Sha256Digest::of(bytes), size: bytes.len() as u64 };
        for bytes in ["two".repeat(1000), "one".repeat(1000), "module a.b/c\n".to_owned()] {
            assert_eq!(contents.read(&blob(bytes.as_bytes())).unwrap(), bytes.as_bytes());
        }
        assert_eq!(contents.read(&blob(b"three")).unwrap_err().kind(), io::ErrorKind::NotFound);

        let mut swapped = ZipWriter::new(File::create(&path).unwrap());
        swapped.start_file("a.b/c@v1.0.0/one", SimpleFileOptions::default()).unwrap();
        swapped.finish().unwrap();
        assert!(contents.read(&blob("one".repeat(1000).as_bytes())).is_err());
    }
}
