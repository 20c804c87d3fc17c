//! The last stage: cover, signature, and one file that has its name only when it is whole.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::{Evidence, Manifest, PackTable, UnsignedBundle, WriteError};
use goferry_manifest::minisign::{SecretKey, TrustedComment};

use tempfile::NamedTempFile;

use crate::fs;
use crate::lock::Lock;
use crate::pack::PackStore;

/// Bytes that go to the file at once.
const BUFFER: usize = 1 << 20;

/// All of a bundle but its signature.
#[derive(Debug)]
pub struct Draft<'d> {
    /// Names the bundle.
    pub lock: &'d Lock,
    /// What is inside.
    pub manifest: &'d Manifest,
    /// How it is stored.
    pub packs: PackTable,
    /// What was rehearsed.
    pub evidence: &'d Evidence,
}

/// Signs the bundle, writes it to `file` and gives that the name `output`, in the same directory: its id and size.
/// Where this fails, `output` is what it was.
pub fn write_bundle(
    draft: Draft<'_>,
    store: &PackStore,
    key: &SecretKey,
    file: NamedTempFile,
    output: &Path,
) -> Result<(Sha256Digest, u64), WriteError> {
    let Draft { lock, manifest, packs, evidence } = draft;
    let (name, sequence) = (lock.name.clone(), lock.sequence);
    let bundle = UnsignedBundle::new(name, sequence, lock.created, manifest, packs, evidence)?;
    let signature = key.sign(bundle.cover(), comment(lock, bundle.id()));
    let mut out = BufWriter::with_capacity(BUFFER, file);
    bundle.write(&[signature], |pack| store.open(pack), &mut out)?;
    out.flush()?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    let size = file.as_file().metadata()?.len();
    fs::persist_durably(file, output)?;
    Ok((bundle.id(), size))
}

/// For people who hold only the signature; it decides nothing.
fn comment(lock: &Lock, id: Sha256Digest) -> TrustedComment {
    let text = format!("goferry {} {} {id}", lock.name, lock.sequence);
    text.parse().expect("a channel, a number and a digest are printable and short")
}
