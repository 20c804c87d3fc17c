//! Packing: from the components of a manifest to the packs of a bundle.
//!
//! [`order`] says which blob lies where, `compress` makes the frames, `cache` keeps them, so that a group of files that
//! did not change is never compressed again. The packs depend on the manifest, the order, the parameters and the release
//! of zstd; not on threads, memory, cache or host.

mod cache;
mod compress;
pub mod order;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::frame::Parameters;
use goferry_manifest::bundle::{Blob, Manifest, Pack, PackTable, PackTableError};
use thiserror::Error;

pub use self::cache::{CompressedPack, PackCache};
pub use self::order::Order;
use crate::parallel::Stop;

/// The bytes behind the digests of a manifest.
pub trait Contents: Sync {
    /// The bytes of a blob. They are hashed by the caller.
    fn read(&self, blob: &Blob) -> io::Result<Vec<u8>>;
}

/// How to pack.
#[derive(Clone, Debug)]
pub struct Packing<'a> {
    /// Which blob lies where.
    pub order: Order,
    /// How frames are compressed.
    pub parameters: Parameters,
    /// How many packs are compressed at once, at most.
    pub threads: NonZeroUsize,
    /// Bytes of memory that they may use together; a single pack is compressed whatever it needs.
    pub memory: u64,
    /// The cache directory.
    pub cache: &'a Path,
}

/// Finds the bytes of packs for the writer of a bundle.
#[derive(Clone, Debug)]
pub struct PackStore {
    paths: HashMap<Sha256Digest, PathBuf>,
}

/// Why packing failed.
#[derive(Debug, Error)]
pub enum PackError {
    /// The bytes of a blob are not to be had.
    #[error("failed to read content {blob}")]
    Read {
        /// The blob.
        blob: Sha256Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes of a blob are others.
    #[error(
        "content has changed since it was listed\n  expected: sha256:{} ({} bytes)\n    actual: sha256:{actual} ({size} bytes)",
        expected.sha256, expected.size
    )]
    Content {
        /// The blob in the manifest.
        expected: Blob,
        /// The digest of what was read.
        actual: Sha256Digest,
        /// Its length.
        size: u64,
    },
    /// The cache of packs cannot be used.
    #[error("failed to use the cache of compressed packs")]
    Cache(#[source] io::Error),
    /// zstd failed.
    #[error("failed to compress a pack")]
    Compress(#[source] io::Error),
    /// The packs are not what the format allows.
    #[error(transparent)]
    Table(#[from] PackTableError),
    /// It was asked to stop.
    #[error("packing was interrupted")]
    Stopped,
}

impl<'a> Packing<'a> {
    /// The packing of bundles at a zstd level, with half of this host's memory.
    pub fn at_level(level: i32, threads: NonZeroUsize, cache: &'a Path) -> Self {
        let system = rustix::system::sysinfo();
        let total = u128::from(system.totalram) * u128::from(system.mem_unit);
        let memory = u64::try_from(total / 2).unwrap_or(u64::MAX);
        Self { order: Order::STANDARD, parameters: Parameters::of_packs(level), threads, memory, cache }
    }

    /// Packs what a manifest lists. `progress` is told how many bytes of content were just finished; after
    /// [`Stop::stop`] no further pack is begun.
    pub fn pack(
        &self,
        manifest: &Manifest,
        contents: &impl Contents,
        stop: &Stop,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(PackTable, PackStore), PackError> {
        let Self { order, parameters, threads, memory, cache } = self;
        let cache = PackCache::open(cache).map_err(PackError::Cache)?;
        let compressor = compress::Compressor {
            contents,
            cache: &cache,
            parameters: *parameters,
            threads: *threads,
            memory: *memory,
        };
        let packs = compressor.run(order::plan_packs(manifest, order), stop, progress)?;
        let paths = packs.iter().map(|packed| (packed.pack.sha256, packed.path.clone())).collect();
        let table = PackTable::new(packs.into_iter().map(|packed| packed.pack).collect(), manifest.blobs())?;
        Ok((table, PackStore { paths }))
    }
}

impl PackStore {
    /// Opens the bytes of a pack; whoever reads them compares their digest.
    pub fn open(&self, pack: &Pack) -> io::Result<File> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no pack {}", pack.sha256));
        let path = self.paths.get(&pack.sha256).ok_or_else(missing)?;
        fs_err::File::open(path).map(fs_err::File::into_file)
    }
}
