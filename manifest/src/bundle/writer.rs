//! Writing bundles.

use std::io::{self, Read, Write};

use thiserror::Error;

use super::components::Manifest;
use super::container::{self, EVIDENCE, MANIFEST, PACKS};
use super::cover::{Cover, Table};
use super::evidence::Evidence;
use super::packs::{Pack, PackTable};
use crate::digest::Hashing;
use crate::minisign::Signature;
use crate::{Channel, Limits, Sequence, Sha256Digest, Timestamp};

/// A bundle of which everything is known but the signatures.
#[derive(Debug)]
pub struct UnsignedBundle {
    cover: Vec<u8>,
    tables: [(&'static str, Vec<u8>); 3],
    packs: PackTable,
}

/// Why a bundle could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// None, or more than the format allows.
    #[error("a bundle has 1 to 16 signatures, not {0}")]
    Signatures(usize),
    /// A pack is not what the table says.
    #[error("pack {expected} has changed: its bytes are now {actual}")]
    PackChanged {
        /// The digest in the table.
        expected: Sha256Digest,
        /// The digest of what was read.
        actual: Sha256Digest,
    },
    /// The cover is above the limit.
    #[error("goferry.json would have {0} bytes")]
    CoverTooLarge(usize),
    /// Reading a pack or writing the bundle failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl UnsignedBundle {
    /// Puts the tables together and makes the cover.
    pub fn new(
        name: Channel,
        sequence: Sequence,
        created: Timestamp,
        manifest: &Manifest,
        packs: PackTable,
        evidence: &Evidence,
    ) -> Result<Self, WriteError> {
        let (manifest_table, manifest_bytes) = Table::of(&manifest.to_bytes())?;
        let (packs_table, packs_bytes) = Table::of(&packs.to_bytes(manifest.blobs()))?;
        let (evidence_table, evidence_bytes) = Table::of(&evidence.to_bytes())?;
        let cover =
            Cover::new(name, sequence, created, [manifest_table, packs_table, evidence_table]).to_bytes();
        if cover.len() as u64 > Limits::FORMAT_1.cover_bytes {
            return Err(WriteError::CoverTooLarge(cover.len()));
        }
        let tables = [(MANIFEST, manifest_bytes), (PACKS, packs_bytes), (EVIDENCE, evidence_bytes)];
        Ok(Self { cover, tables, packs })
    }

    /// The bytes to sign: `goferry.json`.
    pub fn cover(&self) -> &[u8] {
        &self.cover
    }

    /// The bundle's id: the digest of its cover.
    pub fn id(&self) -> Sha256Digest {
        Sha256Digest::of(&self.cover)
    }

    /// Writes the bundle. `open` gives the bytes of each pack, which are checked on their way.
    pub fn write<R: Read>(
        &self,
        signatures: &[Signature],
        mut open: impl FnMut(&Pack) -> io::Result<R>,
        out: &mut impl Write,
    ) -> Result<(), WriteError> {
        if !(1..=Limits::FORMAT_1.signatures).contains(&signatures.len()) {
            return Err(WriteError::Signatures(signatures.len()));
        }
        container::write_entry(out, container::COVER, &self.cover)?;
        for (index, signature) in signatures.iter().enumerate() {
            container::write_entry(out, &container::signature_name(index + 1), &signature.to_bytes())?;
        }
        for (name, bytes) in &self.tables {
            container::write_entry(out, name, bytes)?;
        }
        for pack in self.packs.packs() {
            out.write_all(&container::header(&container::pack_name(pack.sha256), pack.size))?;
            let mut frame = Hashing::new(open(pack)?.take(pack.size));
            io::copy(&mut frame, out)?;
            let (_, actual, size) = frame.finish();
            if actual != pack.sha256 || size != pack.size {
                return Err(WriteError::PackChanged { expected: pack.sha256, actual });
            }
            container::write_padding(out, pack.size)?;
        }
        Ok(container::write_end(out)?)
    }
}
