//! Bundles of some modules of a bundle and nothing else, packed by goferry's own packing stage.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use camino::Utf8Path;
use goferry::pack::{Contents, Packing};
use goferry::parallel::Stop;
use goferry_manifest::bundle::{
    Blob, BlobSink, CarriedModule, Evidence, Manifest, UnsignedBundle, VerifiedBundle,
};
use goferry_manifest::minisign::{SecretKey, SecretKeyFile};
use goferry_manifest::trust::{Scope, TrustPolicy};
use goferry_manifest::{Channel, Sha256Digest};
use goport::BundleFile;

use crate::failure::{Failure, Result};

/// How to pack and sign.
#[derive(Debug)]
pub(crate) struct Making<'m> {
    pub(crate) key: &'m SecretKey,
    pub(crate) level: i32,
    /// goferry's cache directory.
    pub(crate) cache: &'m Path,
}

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
pub(crate) fn write(
    source: &VerifiedBundle<BundleFile>,
    modules: Vec<CarriedModule>,
    name: &Channel,
    making: &Making<'_>,
    to: &Path,
) -> Result<u64> {
    let manifest = Manifest::new(Vec::new(), modules)?;
    let contents = Unpacked::of(source, &manifest)?;
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let packing = Packing::at_level(making.level, threads, making.cache);
    let (table, store) = packing.pack(&manifest, &contents, &Stop::new(), &|_| ())?;
    let bytes = table.packs().iter().map(|pack| pack.size).sum();
    let (sequence, created) = (source.cover().sequence, source.cover().created);
    let unsigned =
        UnsignedBundle::new(name.clone(), sequence, created, &manifest, table, &Evidence::default())?;
    let comment = format!("goferry {name} {sequence} {}", unsigned.id());
    let signature = making.key.sign(unsigned.cover(), comment.parse()?);
    let mut out = BufWriter::new(fs_err::File::create(to)?);
    unsigned.write(&[signature], |pack| store.open(pack), &mut out)?;
    out.flush()?;
    Ok(bytes)
}

/// The bytes of some blobs.
#[derive(Debug)]
struct Unpacked(HashMap<Sha256Digest, Vec<u8>>);

impl Unpacked {
    /// Those that a manifest names, out of a bundle that has them.
    fn of(bundle: &VerifiedBundle<BundleFile>, manifest: &Manifest) -> Result<Self> {
        let wanted = manifest.blobs().iter().map(|blob| (blob.sha256, Vec::new())).collect();
        let mut sink = Sink { unpacked: wanted, current: None };
        for (index, pack) in bundle.packs().iter().enumerate() {
            if pack.blobs.iter().any(|blob| sink.unpacked.contains_key(&blob.sha256)) {
                bundle.read_pack(index)?.unpack(&mut sink)?;
            }
        }
        Ok(Self(sink.unpacked))
    }
}

impl Contents for Unpacked {
    fn read(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        self.0.get(&blob.sha256).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Keeps the blobs that it has a place for.
struct Sink {
    unpacked: HashMap<Sha256Digest, Vec<u8>>,
    current: Option<Sha256Digest>,
}

impl BlobSink for Sink {
    type Error = Infallible;

    fn begin(&mut self, blob: &Blob) -> std::result::Result<(), Infallible> {
        self.current = Some(blob.sha256);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Infallible> {
        if let Some(content) = self.current.and_then(|current| self.unpacked.get_mut(&current)) {
            content.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<(), Infallible> {
        self.current = None;
        Ok(())
    }
}
