//! What is inside of a verified bundle, in numbers.

use goferry_manifest::bundle::{CarriedModule, File, ReadAt, Toolchain, VerifiedBundle};
use goferry_manifest::{Channel, DirHash, GoRelease, Platform, Sequence, Sha256Digest, Timestamp};
use serde::Serialize;

/// A bundle in numbers.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Its channel.
    pub name: Channel,
    /// Its number in the channel.
    pub sequence: Sequence,
    /// When its lock was made.
    pub created: Timestamp,
    /// After this moment the signer no longer vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The digest of its cover.
    pub id: Sha256Digest,
    /// Bytes of the file.
    pub size: u64,
    /// The trusted keys that signed it.
    pub signers: Vec<Signer>,
    /// Key ids of further signatures, which count for nothing here.
    pub other_signatures: Vec<String>,
    /// Toolchains.
    pub toolchains: Vec<ToolchainSummary>,
    /// Modules.
    pub modules: Vec<ModuleSummary>,
    /// Number of the packs.
    pub packs: usize,
    /// Bytes of the packs.
    pub packed_size: u64,
    /// Bytes of every distinct file.
    pub content_size: u64,
    /// Number of the distinct files.
    pub contents: usize,
    /// Whether a rehearsal showed that the projects build.
    pub rehearsed: bool,
}

/// A key that signed.
#[derive(Debug, Serialize)]
pub struct Signer {
    /// Its id, as minisign prints it.
    pub key_id: String,
    /// The SHA-256 of the key.
    pub fingerprint: Sha256Digest,
}

/// A toolchain in numbers.
#[derive(Debug, Serialize)]
pub struct ToolchainSummary {
    /// The release.
    pub version: GoRelease,
    /// What it runs on.
    pub platform: Platform,
    /// Its hash in the checksum database.
    pub h1: DirHash,
    /// Number of its files.
    pub files: usize,
    /// Their bytes.
    pub size: u64,
}

/// A module in numbers.
#[derive(Debug, Serialize)]
pub struct ModuleSummary {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Its hash in go.sum; absent where only the go.mod is carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h1: Option<DirHash>,
    /// The hash of its go.mod in go.sum.
    pub go_mod_h1: DirHash,
    /// Number of its files.
    pub files: usize,
    /// Their bytes.
    pub size: u64,
}

impl Summary {
    /// The numbers of `bundle`, which has `size` bytes.
    pub fn of<S: ReadAt>(bundle: &VerifiedBundle<S>, size: u64) -> Self {
        let cover = bundle.cover();
        let manifest = bundle.manifest();
        let trusted = bundle.signers();
        let signer = |key: &goferry_manifest::minisign::PublicKey| Signer {
            key_id: key.key_id().to_string(),
            fingerprint: key.fingerprint(),
        };
        let others = bundle.signature_key_ids().filter(|id| !trusted.iter().any(|key| key.key_id() == *id));
        Self {
            name: cover.name.clone(),
            sequence: cover.sequence,
            created: cover.created,
            expires: cover.expires,
            id: bundle.id(),
            size,
            signers: trusted.iter().map(signer).collect(),
            other_signatures: others.map(|id| id.to_string()).collect(),
            toolchains: manifest.toolchains().iter().map(ToolchainSummary::of).collect(),
            modules: manifest.modules().iter().map(ModuleSummary::of).collect(),
            packs: bundle.packs().len(),
            packed_size: bundle.packs().iter().map(|pack| pack.size).sum(),
            content_size: manifest.blobs().iter().map(|blob| blob.size).sum(),
            contents: manifest.blobs().len(),
            rehearsed: !bundle.evidence().runs().is_empty(),
        }
    }

    /// The modules that are carried with their files.
    pub fn whole_modules(&self) -> impl Iterator<Item = &ModuleSummary> {
        self.modules.iter().filter(|module| module.h1.is_some())
    }
}

impl ToolchainSummary {
    fn of(toolchain: &Toolchain) -> Self {
        let Toolchain { version, platform, h1, files } = toolchain;
        Self {
            version: *version,
            platform: platform.clone(),
            h1: *h1,
            files: files.len(),
            size: total(files),
        }
    }
}

impl ModuleSummary {
    fn of(carried: &CarriedModule) -> Self {
        let files = carried.zip.as_ref().map_or(&[][..], |zip| &zip.files);
        Self {
            path: carried.module.path().to_string(),
            version: carried.module.version().to_string(),
            h1: carried.zip.as_ref().map(|zip| zip.h1),
            go_mod_h1: carried.go_mod.h1,
            files: files.len(),
            size: total(files),
        }
    }
}

fn total(files: &[File]) -> u64 {
    files.iter().map(|file| file.size).sum()
}
