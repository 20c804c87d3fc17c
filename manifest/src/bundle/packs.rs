//! The pack table: *how* the contents of a bundle are stored, and packs themselves.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::components::Blob;
use super::frame::{self, FrameError};
use crate::crypto::Sha256;
use crate::strict_json::{self, JsonError, document};
use crate::{Limits, Sha256Digest};

/// Bytes that are decoded, hashed and handed on at a time.
const CHUNK: usize = 128 << 10;

/// All packs of a bundle, in the order of their storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackTable {
    packs: Vec<Pack>,
}

/// One zstd frame that holds many blobs, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Digest of the frame: the pack's name.
    pub sha256: Sha256Digest,
    /// Bytes of the frame.
    pub size: u64,
    /// Bytes of its content.
    pub content_size: u64,
    /// The blobs, in their order in the content.
    pub blobs: Vec<Blob>,
}

/// Why a pack table is refused.
#[derive(Debug, Error)]
pub enum PackTableError {
    /// Not the document.
    #[error("pack table: {0}")]
    Json(JsonError),
    /// More packs than the format allows.
    #[error("pack table: {count} packs, above the limit of {limit}")]
    TooMany {
        /// The number of packs.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A pack listed twice.
    #[error("pack table: pack {0} is listed twice")]
    Twice(Sha256Digest),
    /// A size that is above the limit, or is not the sum of the blobs.
    #[error("pack table: pack {pack} states {stated} bytes of content, its blobs have {sum} (limit {limit})")]
    Size {
        /// The pack.
        pack: Sha256Digest,
        /// Its content size in the table.
        stated: u64,
        /// The sum of its blobs' sizes.
        sum: u64,
        /// The format's limit.
        limit: u64,
    },
    /// A pack without blobs.
    #[error("pack table: pack {0} holds nothing")]
    Empty(Sha256Digest),
    /// A number that is no blob of the manifest.
    #[error("pack table: there is no blob number {number}; the manifest has {count}")]
    NoSuchBlob {
        /// The number.
        number: u32,
        /// How many blobs the manifest has.
        count: usize,
    },
    /// A blob in two places.
    #[error("pack table: content {0} is stored twice")]
    BlobTwice(Sha256Digest),
    /// A blob in no pack.
    #[error("pack table: content {0} is in no pack")]
    BlobMissing(Sha256Digest),
}

impl PackTable {
    /// A table over packs that together hold each of `blobs` once.
    pub fn new(packs: Vec<Pack>, blobs: &[Blob]) -> Result<Self, PackTableError> {
        let limit = Limits::FORMAT_1.packs;
        if packs.len() > limit {
            return Err(PackTableError::TooMany { count: packs.len(), limit });
        }
        let mut digests: Vec<_> = packs.iter().map(|pack| pack.sha256).collect();
        digests.sort_unstable();
        if let Some(pair) = digests.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PackTableError::Twice(pair[0]));
        }
        packs.iter().try_for_each(Pack::check)?;
        let mut stored: Vec<_> = packs.iter().flat_map(|pack| &pack.blobs).copied().collect();
        stored.sort_unstable();
        if let Some(pair) = stored.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PackTableError::BlobTwice(pair[0].sha256));
        }
        if let Some(missing) = blobs.iter().find(|blob| stored.binary_search(blob).is_err()) {
            return Err(PackTableError::BlobMissing(missing.sha256));
        }
        Ok(Self { packs })
    }

    /// Reads the document whose digest was checked, for a manifest with these blobs.
    pub fn parse(bytes: &[u8], blobs: &[Blob]) -> Result<Self, PackTableError> {
        let document: Document = strict_json::parse(bytes).map_err(PackTableError::Json)?;
        let blob = |number: u32| {
            let found = usize::try_from(number).ok().and_then(|index| blobs.get(index));
            found.copied().ok_or(PackTableError::NoSuchBlob { number, count: blobs.len() })
        };
        let pack = |entry: PackDocument| {
            let blobs = entry.blobs.into_iter().map(blob).collect::<Result<_, _>>()?;
            Ok(Pack { sha256: entry.sha256, size: entry.size, content_size: entry.content_size, blobs })
        };
        let packs = document.packs.into_iter().map(pack).collect::<Result<_, PackTableError>>()?;
        Self::new(packs, blobs)
    }

    /// The document, for the manifest with these blobs.
    pub fn to_bytes(&self, blobs: &[Blob]) -> Vec<u8> {
        let number = |blob: &Blob| {
            let index = blobs.binary_search(blob).expect("`new` found every blob");
            u32::try_from(index).expect("there are fewer blobs than files, and fewer than 2^32 files")
        };
        let pack = |pack: &Pack| PackDocument {
            sha256: pack.sha256,
            size: pack.size,
            content_size: pack.content_size,
            blobs: pack.blobs.iter().map(number).collect(),
        };
        strict_json::to_bytes(&Document {
            kind: DocumentType::V1,
            packs: self.packs.iter().map(pack).collect(),
        })
    }

    /// The packs, in the order of their storage.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }
}

impl Pack {
    fn check(&self) -> Result<(), PackTableError> {
        if self.blobs.is_empty() {
            return Err(PackTableError::Empty(self.sha256));
        }
        let sum = self.blobs.iter().fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
        let limit = Limits::FORMAT_1.pack_content_bytes;
        // A frame is never longer than its content by more than a few bytes a block: 1/16 is far above that.
        let largest_frame = limit + (limit >> 4);
        if sum != self.content_size || sum > limit || self.size > largest_frame {
            return Err(PackTableError::Size { pack: self.sha256, stated: self.content_size, sum, limit });
        }
        Ok(())
    }
}

/// The pack table as it is written. Blobs are numbers: positions among the manifest's distinct contents sorted by
/// digest, so that no digest is written twice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    kind: DocumentType,
    packs: Vec<PackDocument>,
}

document!(Document, DocumentType = "goferry/packs/v1");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackDocument {
    sha256: Sha256Digest,
    size: u64,
    content_size: u64,
    blobs: Vec<u32>,
}

/// The bytes of a pack whose digest and frame header were checked: only these are ever decoded.
#[derive(Debug)]
pub struct AuthenticPack<'t> {
    pack: &'t Pack,
    frame: Vec<u8>,
}

/// Why bytes are not the pack that the signed table names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PackError {
    /// The digest differs.
    #[error("digest mismatch")]
    Digest {
        /// The digest in the signed table.
        expected: Sha256Digest,
        /// The digest of the bytes.
        actual: Sha256Digest,
    },
    /// The digest is right, but the frame is not of the format.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Takes the blobs of a pack, one after another: `begin`, any number of `write`, `finish`.
pub trait BlobSink {
    /// What can go wrong in the sink.
    type Error;
    /// The next blob begins.
    fn begin(&mut self, blob: &Blob) -> Result<(), Self::Error>;
    /// The next bytes of the blob. They are not known to be right before `finish`.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// All bytes came, and their digest is the blob's.
    fn finish(&mut self) -> Result<(), Self::Error>;
}

/// Why a pack could not be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError<E> {
    /// The decoder failed: the signer signed a broken frame.
    #[error("the frame cannot be decoded: {0}")]
    Decode(io::Error),
    /// The content is not the blobs of the table.
    #[error("content mismatch")]
    Content {
        /// The digest in the signed manifest.
        expected: Sha256Digest,
        /// The digest of what the pack holds in that place; `None` where the pack ends too early.
        actual: Option<Sha256Digest>,
    },
    /// More content than blobs.
    #[error("the content goes on after its last blob")]
    Trailing,
    /// The sink failed.
    #[error("{0}")]
    Sink(E),
}

impl<'t> AuthenticPack<'t> {
    /// Checks bytes against their entry in the table.
    pub fn new(pack: &'t Pack, frame: Vec<u8>) -> Result<Self, PackError> {
        let actual = Sha256Digest::of(&frame);
        if actual != pack.sha256 {
            return Err(PackError::Digest { expected: pack.sha256, actual });
        }
        frame::check(&frame, pack.content_size)?;
        Ok(Self { pack, frame })
    }

    /// Decodes the pack into `sink`, checking the digest of each blob.
    pub fn unpack<S: BlobSink>(&self, sink: &mut S) -> Result<(), UnpackError<S::Error>> {
        let mut content = frame::decoder(&self.frame).map_err(UnpackError::Decode)?;
        let mut chunk = vec![0; CHUNK];
        for blob in &self.pack.blobs {
            unpack_blob(blob, &mut content, &mut chunk, sink)?;
        }
        match content.read(&mut chunk[..1]).map_err(UnpackError::Decode)? {
            0 => Ok(()),
            _ => Err(UnpackError::Trailing),
        }
    }
}

fn unpack_blob<S: BlobSink>(
    blob: &Blob,
    content: &mut impl Read,
    chunk: &mut [u8],
    sink: &mut S,
) -> Result<(), UnpackError<S::Error>> {
    sink.begin(blob).map_err(UnpackError::Sink)?;
    let mut hasher = Sha256::new();
    let mut left = blob.size;
    while left > 0 {
        let want = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
        let read = content.read(&mut chunk[..want]).map_err(UnpackError::Decode)?;
        if read == 0 {
            return Err(UnpackError::Content { expected: blob.sha256, actual: None });
        }
        hasher.update(&chunk[..read]);
        sink.write(&chunk[..read]).map_err(UnpackError::Sink)?;
        left -= read as u64;
    }
    let actual = hasher.finalize();
    if actual != blob.sha256 {
        return Err(UnpackError::Content { expected: blob.sha256, actual: Some(actual) });
    }
    sink.finish().map_err(UnpackError::Sink)
}
