//! Reading bundles: nothing is parsed or decoded before it is authenticated.
//!
//! [`UnverifiedBundle::open`] reads the cover's bytes and signatures; [`UnverifiedBundle::verify`] checks them and
//! then, top down, everything that they vouch for; only a [`VerifiedBundle`] has components and packs.

use std::io;

use thiserror::Error;

use super::components::{Manifest, ManifestError};
use super::container::{self, COVER, EVIDENCE, MANIFEST, PACKS};
use super::cover::{Cover, CoverError};
use super::entries::{Entries, zeroed};
use super::evidence::Evidence;
use super::frame::FrameError;
use super::packs::{AuthenticPack, Pack, PackError, PackTable, PackTableError};
use crate::minisign::{KeyId, PublicKey, Signature, SignatureError};
use crate::strict_json::JsonError;
use crate::trust::TrustPolicy;
use crate::{Channel, Limits, Sha256Digest};

/// Where a bundle's bytes come from. Reads at any place, from several threads.
pub trait ReadAt {
    /// The number of bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on, or fails.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = start.checked_add(buffer.len()).and_then(|end| self.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<S: ReadAt + ?Sized> ReadAt for &S {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buffer, offset)
    }
}

/// A file that begins like a bundle. Nothing in it has been believed.
#[derive(Debug)]
pub struct UnverifiedBundle<S> {
    source: S,
    cover: Vec<u8>,
    signatures: Vec<(Signature, Vec<u8>)>,
    /// Where the entry after the signatures begins.
    tables_at: u64,
}

/// A bundle whose signatures, tables and layout were checked. The digest of each pack is checked when it is read.
#[derive(Debug)]
pub struct VerifiedBundle<S> {
    source: S,
    cover_bytes: Vec<u8>,
    signatures: Vec<(Signature, Vec<u8>)>,
    cover: Cover,
    manifest_bytes: Vec<u8>,
    manifest: Manifest,
    packs: PackTable,
    offsets: Vec<u64>,
    evidence: Evidence,
    signers: Vec<PublicKey>,
}

/// Why a file is not a bundle, or not one that may be used. All but [`BundleError::Io`] are refusals.
#[derive(Debug, Error)]
pub enum BundleError {
    /// Reading failed.
    #[error("cannot read the bundle")]
    Io(#[from] io::Error),
    /// Does not begin as a bundle does.
    #[error("not a goferry bundle: it does not begin with the entry `goferry.json`")]
    NotABundle,
    /// An entry that is not the one that belongs there.
    #[error("at byte {offset} of the bundle, the header of `{entry}` is not the one that belongs there")]
    Header {
        /// The entry that belongs there.
        entry: String,
        /// Where it belongs.
        offset: u64,
    },
    /// Padding or the end of the archive is not zero.
    #[error("after `{entry}`, at byte {offset} of the bundle: bytes that must be zero are not")]
    NotZero {
        /// The entry before.
        entry: String,
        /// Where the zeros begin.
        offset: u64,
    },
    /// Cut off.
    #[error("the bundle is cut off: it has {actual} bytes instead of {expected}")]
    Truncated {
        /// Bytes that it must have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// Something after the end.
    #[error("the bundle has {actual} bytes instead of {expected}: something follows its end")]
    Trailing {
        /// Bytes that it must have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// A signature file that is none.
    #[error("`{entry}`: {reason}")]
    SignatureFile {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: SignatureError,
    },
    /// A signature claims to be of a trusted key and is not.
    #[error("`{entry}` is not a signature of `goferry.json` by the trusted key {key}")]
    BadSignature {
        /// The entry.
        entry: String,
        /// The key that it names.
        key: KeyId,
    },
    /// No trusted key has signed.
    #[error("no trusted key has signed the bundle")]
    Untrusted {
        /// The keys that the signatures name.
        signed_by: Vec<KeyId>,
    },
    /// Trusted keys have signed, but not (enough of) those trusted for this channel.
    #[error(
        "channel `{channel}` needs {}; the bundle has {actual}",
        signatures(*needed)
    )]
    Threshold {
        /// The channel.
        channel: Channel,
        /// Distinct keys needed.
        needed: usize,
        /// Distinct keys that count and signed.
        actual: usize,
    },
    /// The cover.
    #[error(transparent)]
    Cover(#[from] CoverError),
    /// A table is not the one that the cover names.
    #[error("digest mismatch in `{entry}`")]
    TableDigest {
        /// The entry.
        entry: &'static str,
        /// The digest in the cover.
        expected: Sha256Digest,
        /// The digest of the bytes.
        actual: Sha256Digest,
    },
    /// A table's frame.
    #[error("`{entry}`: {reason}")]
    TableFrame {
        /// The entry.
        entry: &'static str,
        /// What is wrong with it.
        reason: FrameError,
    },
    /// A table that cannot be decoded.
    #[error("`{entry}` cannot be decoded: {reason}")]
    TableDecode {
        /// The entry.
        entry: &'static str,
        /// What zstd says.
        reason: io::Error,
    },
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The pack table.
    #[error(transparent)]
    PackTable(#[from] PackTableError),
    /// The evidence.
    #[error("evidence: {0}")]
    Evidence(JsonError),
    /// A pack.
    #[error("pack {number} of {count}: {reason}")]
    Pack {
        /// Its number, counted from 1.
        number: usize,
        /// The number of packs.
        count: usize,
        /// What is wrong with it.
        reason: PackError,
    },
}

fn signatures(needed: usize) -> String {
    match needed {
        1 => "a signature of a key that is trusted for it".to_owned(),
        needed => format!("signatures of {needed} keys that are trusted for it"),
    }
}

impl<S: ReadAt> UnverifiedBundle<S> {
    /// Reads cover and signatures, and checks that they stand as the format says.
    pub fn open(source: S) -> Result<Self, BundleError> {
        let limits = Limits::FORMAT_1;
        let mut entries = Entries { source: &source, size: source.size()?, offset: 0 };
        let Some(cover) = entries.optional(COVER, limits.cover_bytes)? else {
            return Err(BundleError::NotABundle);
        };
        let mut signatures = Vec::new();
        while signatures.len() < limits.signatures {
            let entry = container::signature_name(signatures.len() + 1);
            let Some(bytes) = entries.optional(&entry, limits.signature_bytes)? else { break };
            let signature = Signature::parse_canonical(&bytes)
                .map_err(|reason| BundleError::SignatureFile { entry, reason })?;
            signatures.push((signature, bytes));
        }
        if signatures.is_empty() {
            let entry = container::signature_name(1);
            return Err(BundleError::Header { entry, offset: entries.offset });
        }
        let tables_at = entries.offset;
        Ok(Self { source, cover, signatures, tables_at })
    }

    /// The keys that the signatures name; nothing about them is proven.
    pub fn claimed_signers(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().map(|(signature, _)| signature.key_id())
    }

    /// Checks everything but the packs.
    pub fn verify(self, trust: &TrustPolicy) -> Result<VerifiedBundle<S>, BundleError> {
        let signers = self.check_signatures(trust)?;
        let cover = Cover::parse(&self.cover)?;
        let signers: Vec<_> = signers.into_iter().filter(|key| trust.counts_for(key, &cover.name)).collect();
        let needed = trust.threshold().get();
        if signers.len() < needed {
            return Err(BundleError::Threshold { channel: cover.name, needed, actual: signers.len() });
        }
        let Self { source, cover: cover_bytes, signatures, tables_at } = self;
        let mut entries = Entries { size: source.size()?, source: &source, offset: tables_at };
        let (manifest_bytes, content) = entries.table(MANIFEST, &cover.manifest)?;
        let manifest = Manifest::parse(&content)?;
        let (_, content) = entries.table(PACKS, &cover.packs)?;
        let packs = PackTable::parse(&content, manifest.blobs())?;
        let (_, content) = entries.table(EVIDENCE, &cover.evidence)?;
        let evidence = Evidence::parse(&content).map_err(BundleError::Evidence)?;
        let offsets = packs.packs().iter().map(|pack| entries.skip_pack(pack)).collect::<Result<_, _>>()?;
        entries.end()?;
        Ok(VerifiedBundle {
            source,
            cover_bytes,
            signatures,
            cover,
            manifest_bytes,
            manifest,
            packs,
            offsets,
            evidence,
            signers,
        })
    }

    /// The distinct trusted keys that signed. A signature that names a trusted key and is not its own is an error; one
    /// that names an unknown key is ignored.
    fn check_signatures(&self, trust: &TrustPolicy) -> Result<Vec<PublicKey>, BundleError> {
        let mut signers = Vec::new();
        for (index, (signature, _)) in self.signatures.iter().enumerate() {
            // Two keys may bear one id, which is only a hint (bad-inputs #7): one of them must have signed.
            let named: Vec<_> = trust.keys().filter(|key| key.key_id() == signature.key_id()).collect();
            let signer = named.iter().find(|key| key.verify(&self.cover, signature).is_ok());
            match signer {
                Some(key) if signers.contains(*key) => {}
                Some(key) => signers.push(**key),
                None if named.is_empty() => {}
                None => {
                    let entry = container::signature_name(index + 1);
                    return Err(BundleError::BadSignature { entry, key: signature.key_id() });
                }
            }
        }
        if signers.is_empty() {
            return Err(BundleError::Untrusted { signed_by: self.claimed_signers().collect() });
        }
        Ok(signers)
    }
}

impl<S: ReadAt> VerifiedBundle<S> {
    /// The cover.
    pub fn cover(&self) -> &Cover {
        &self.cover
    }

    /// The bytes of `goferry.json`.
    pub fn cover_bytes(&self) -> &[u8] {
        &self.cover_bytes
    }

    /// The bundle's id: the digest of its cover.
    pub fn id(&self) -> Sha256Digest {
        Sha256Digest::of(&self.cover_bytes)
    }

    /// The bytes of the signature files, in their order.
    pub fn signature_files(&self) -> impl Iterator<Item = &[u8]> {
        self.signatures.iter().map(|(_, bytes)| bytes.as_slice())
    }

    /// The keys that every signature names, trusted or not.
    pub fn signature_key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().map(|(signature, _)| signature.key_id())
    }

    /// The distinct trusted keys that signed.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// The components.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of `manifest.json.zst`.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// The packs.
    pub fn packs(&self) -> &[Pack] {
        self.packs.packs()
    }

    /// What was rehearsed.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Bytes of the whole bundle.
    pub fn size(&self) -> io::Result<u64> {
        self.source.size()
    }

    /// Reads the pack with this number, counted from 0, into memory and checks it there.
    pub fn read_pack(&self, index: usize) -> Result<AuthenticPack<'_>, BundleError> {
        let pack = &self.packs()[index];
        let mut frame = zeroed(pack.size)?;
        self.source.read_exact_at(&mut frame, self.offsets[index])?;
        AuthenticPack::new(pack, frame).map_err(|reason| BundleError::Pack {
            number: index + 1,
            count: self.packs().len(),
            reason,
        })
    }
}
