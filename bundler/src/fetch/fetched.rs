//! Answers, before anybody proved them.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};

use goferry_manifest::Sha256Digest;

use crate::cache::{Blob, Partial};

/// An answer that nobody has proven yet.
#[derive(Debug)]
pub struct Fetched(pub(super) Content);

#[derive(Debug)]
pub(super) enum Content {
    Cached { blob: Blob, file: File },
    Memory(Vec<u8>),
    Downloaded(Partial),
}

/// What a zip is read from.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

impl Fetched {
    /// Its bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Content::Cached { blob, .. } => blob.size(),
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Downloaded(partial) => partial.size(),
        }
    }

    /// Its SHA-256.
    pub fn digest(&self) -> Sha256Digest {
        match &self.0 {
            Content::Cached { blob, .. } => blob.digest(),
            Content::Memory(bytes) => Sha256Digest::of(bytes),
            Content::Downloaded(partial) => partial.digest(),
        }
    }

    /// Its content from the start. Two readers of one value share their position: use one after the other.
    pub fn reader(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(match &self.0 {
            Content::Cached { file, .. } => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Box::new(file)
            }
            Content::Memory(bytes) => Box::new(Cursor::new(bytes)),
            Content::Downloaded(partial) => Box::new(partial.reader()?),
        })
    }

    /// Its content in memory; [`Fetched::size`] is at most what the request allowed.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether it was put together from the answers to several requests.
    pub(super) fn is_joined(&self) -> bool {
        matches!(&self.0, Content::Downloaded(partial) if partial.is_joined())
    }
}
