//! Packs that were compressed before.
//!
//! `packs/<digest of the recipe>.zst` in the cache directory, where the recipe is the blobs' digests, the parameters and
//! the release of zstd: everything that the frame depends on. Nothing here is trusted: a frame counts only after it was
//! decoded and every blob in it had its digest. So nothing is synced either; a damaged file counts as absent.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::frame::{self, Parameters};
use goferry_manifest::bundle::{AuthenticPack, Blob, BlobSink, Pack};

use crate::fs;

/// The directory of compressed packs.
#[derive(Clone, Debug)]
pub struct PackCache {
    directory: PathBuf,
}

/// A compressed pack and the file that holds its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedPack {
    /// Its entry in the pack table.
    pub pack: Pack,
    /// A file with exactly the bytes of the frame.
    pub path: PathBuf,
}

impl PackCache {
    /// Opens the part for packs of a cache directory, making it where it is missing.
    pub fn open(cache_directory: &Path) -> io::Result<Self> {
        let directory = cache_directory.join("packs");
        fs::create_private_directories(&directory)?;
        Ok(Self { directory })
    }

    /// The pack of these blobs, if it was compressed before and is still what it was.
    pub fn get(&self, blobs: &[Blob], parameters: Parameters) -> io::Result<Option<CompressedPack>> {
        let path = self.path(blobs, parameters);
        let frame = match std::fs::read(&path) {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fs::named("read", &path, &error)),
        };
        let pack = describe(blobs, &frame);
        Ok(holds_its_blobs(&pack, frame).then_some(CompressedPack { pack, path }))
    }

    /// Keeps a frame that was just made of these blobs.
    pub fn insert(&self, blobs: &[Blob], parameters: Parameters, frame: &[u8]) -> io::Result<CompressedPack> {
        let path = self.path(blobs, parameters);
        fs::write_whole(&path, frame)?;
        Ok(CompressedPack { pack: describe(blobs, frame), path })
    }

    fn path(&self, blobs: &[Blob], parameters: Parameters) -> PathBuf {
        let recipe = recipe(blobs, parameters, frame::zstd_release());
        self.directory.join(format!("{recipe}.zst"))
    }
}

/// The digest of everything that a frame depends on.
fn recipe(blobs: &[Blob], parameters: Parameters, zstd_release: &str) -> Sha256Digest {
    let Parameters { level, window_log, search } = parameters;
    let mut text = format!("zstd {zstd_release} level {level} window {window_log} search {search:?}\n");
    text.extend(blobs.iter().map(|blob| format!("{}\n", blob.sha256)));
    Sha256Digest::of(text.as_bytes())
}

fn describe(blobs: &[Blob], frame: &[u8]) -> Pack {
    Pack {
        sha256: Sha256Digest::of(frame),
        size: frame.len() as u64,
        content_size: blobs.iter().map(|blob| blob.size).sum(),
        blobs: blobs.to_vec(),
    }
}

/// Whether a reader of bundles would find each blob in the frame.
fn holds_its_blobs(pack: &Pack, frame: Vec<u8>) -> bool {
    AuthenticPack::new(pack, frame).is_ok_and(|pack| pack.unpack(&mut Discard).is_ok())
}

/// Blobs whose digests are of interest, and nothing else.
struct Discard;

impl BlobSink for Discard {
    type Error = Infallible;

    fn begin(&mut self, _: &Blob) -> Result<(), Infallible> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_frame_is_found_only_by_all_that_it_depends_on() {
        let blob = |content: &[u8]| Blob { sha256: Sha256Digest::of(content), size: content.len() as u64 };
        let (a, b) = (blob(b"a"), blob(b"b"));
        let parameters = Parameters::of_packs(19);
        let recipes = [
            recipe(&[a, b], parameters, "1.5.7"),
            recipe(&[b, a], parameters, "1.5.7"),
            recipe(&[a], parameters, "1.5.7"),
            recipe(&[a, b], parameters, "1.5.8"),
            recipe(&[a, b], Parameters { level: 18, ..parameters }, "1.5.7"),
            recipe(&[a, b], Parameters { window_log: 27, ..parameters }, "1.5.7"),
            recipe(&[a, b], Parameters { search: frame::Search::LongDistance, ..parameters }, "1.5.7"),
        ];
        let distinct: std::collections::BTreeSet<_> = recipes.iter().collect();
        assert_eq!(distinct.len(), recipes.len());
    }
}
