//! Bundles of some modules of a bundle, packed as goferry packed them.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use camino::Utf8Path;
use goferry_manifest::bundle::frame::{self, Parameters};
use goferry_manifest::bundle::{
    Blob, BlobSink, CarriedModule, Evidence, Manifest, Pack, PackTable, UnsignedBundle, VerifiedBundle,
};
use goferry_manifest::minisign::{SecretKey, SecretKeyFile};
use goferry_manifest::trust::{Scope, TrustPolicy};
use goferry_manifest::{Channel, Sha256Digest};
use goport::BundleFile;

use crate::failure::{Failure, Result};
use crate::measure;

/// Reads the benchmark's own secret key.
pub(crate) fn read_key(path: &Path) -> Result<SecretKey> {
    match SecretKeyFile::parse(&fs_err::read_to_string(path)?)? {
        SecretKeyFile::Unprotected(key) => Ok(key),
        SecretKeyFile::Encrypted(_) => Err(Failure::Wrong("the key has a passphrase".to_owned()).into()),
    }
}

/// Opens a bundle that the benchmark's key signed.
pub(crate) fn open(bundle: &Utf8Path, key: &SecretKey) -> Result<VerifiedBundle<BundleFile>> {
    Ok(goport::open_bundle(bundle, &TrustPolicy::any_of([(key.public_key(), Scope::EveryChannel)]))?)
}

/// Writes a bundle of these modules of a bundle, and says how many bytes its packs have.
///
/// Packs that hold nothing else are taken as they are; what lies in others gets one pack of its own.
pub(crate) fn write(
    bundle: &Utf8Path,
    modules: Vec<CarriedModule>,
    name: &Channel,
    level: i32,
    (key, scratch): (&SecretKey, &Path),
    to: &Path,
) -> Result<u64> {
    let source = open(bundle, key)?;
    let manifest = Manifest::new(Vec::new(), modules)?;
    let wanted: BTreeSet<Sha256Digest> = manifest.blobs().iter().map(|blob| blob.sha256).collect();
    let is_wanted = |blob: &Blob| wanted.contains(&blob.sha256);
    // The frames lie in the bundle as files of a tar.
    measure::run(measure::program("tar")?.arg("-xf").arg(bundle).arg("-C").arg(scratch).arg("packs"))?;
    let mut frames = HashMap::new();
    let (mut packs, mut rest) = (Vec::new(), Collect::of(&wanted));
    for (index, pack) in source.packs().iter().enumerate() {
        if pack.blobs.iter().all(is_wanted) {
            frames.insert(pack.sha256, scratch.join(format!("packs/{}.zst", pack.sha256)));
            packs.push(pack.clone());
        } else if pack.blobs.iter().any(is_wanted) {
            source.read_pack(index)?.unpack(&mut rest)?;
        }
    }
    if !rest.blobs.is_empty() {
        let pack = rest.pack(level, scratch)?;
        frames.insert(pack.sha256, scratch.join(format!("packs/{}.zst", pack.sha256)));
        packs.push(pack);
    }
    let bytes = packs.iter().map(|pack| pack.size).sum();
    let table = PackTable::new(packs, manifest.blobs())?;
    let cover = source.cover();
    let unsigned = UnsignedBundle::new(
        name.clone(),
        cover.sequence,
        cover.created,
        &manifest,
        table,
        &Evidence::default(),
    )?;
    let comment = format!("goferry {name} {} {}", cover.sequence, unsigned.id());
    let signature = key.sign(unsigned.cover(), comment.parse()?);
    let mut out = BufWriter::new(fs_err::File::create(to)?);
    unsigned.write(&[signature], |pack| File::open(&frames[&pack.sha256]), &mut out)?;
    out.flush()?;
    Ok(bytes)
}

/// Keeps some of the blobs that are unpacked.
struct Collect<'w> {
    wanted: &'w BTreeSet<Sha256Digest>,
    /// Whether the blob that comes is one of them.
    keeping: bool,
    blobs: Vec<Blob>,
    content: Vec<u8>,
}

impl<'w> Collect<'w> {
    fn of(wanted: &'w BTreeSet<Sha256Digest>) -> Self {
        Self { wanted, keeping: false, blobs: Vec::new(), content: Vec::new() }
    }

    fn pack(&self, level: i32, scratch: &Path) -> Result<Pack> {
        let frame = frame::compress(&self.content, Parameters::of_packs(level))?;
        let pack = Pack {
            sha256: Sha256Digest::of(&frame),
            size: frame.len() as u64,
            content_size: self.content.len() as u64,
            blobs: self.blobs.clone(),
        };
        fs_err::write(scratch.join(format!("packs/{}.zst", pack.sha256)), frame)?;
        Ok(pack)
    }
}

impl BlobSink for Collect<'_> {
    type Error = Infallible;

    fn begin(&mut self, blob: &Blob) -> std::result::Result<(), Infallible> {
        self.keeping = self.wanted.contains(&blob.sha256);
        if self.keeping {
            self.blobs.push(*blob);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Infallible> {
        if self.keeping {
            self.content.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<(), Infallible> {
        Ok(())
    }
}
