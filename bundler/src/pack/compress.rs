//! Compresses planned packs, several at once, within a memory budget.

use std::cmp::Reverse;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::Blob;
use goferry_manifest::bundle::frame::{self, Parameters};

use super::cache::{CompressedPack, PackCache};
use super::{Contents, PackError};
use crate::parallel::{self, Stop};

/// How packs are compressed. Nothing of it but `parameters` has an influence on the bytes.
#[derive(Debug)]
pub(super) struct Compressor<'a, C> {
    pub(super) contents: &'a C,
    pub(super) cache: &'a PackCache,
    pub(super) parameters: Parameters,
    pub(super) threads: NonZeroUsize,
    /// Bytes of memory that all threads together should not exceed.
    pub(super) memory: u64,
}

impl<C: Contents> Compressor<'_, C> {
    /// Compresses packs, or finds them in the cache. The result has the order of `packs`; `progress` is told how many
    /// bytes of content were just finished.
    pub(super) fn run(
        &self,
        packs: Vec<Vec<Blob>>,
        stop: &Stop,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<CompressedPack>, PackError> {
        let budget = Budget::new(self.memory);
        let mut jobs: Vec<_> = packs.into_iter().enumerate().collect();
        // The largest take longest: begun last, they would keep the others waiting.
        jobs.sort_by_key(|(_, blobs)| Reverse(content_size(blobs)));
        let mut done = parallel::run(jobs, self.threads, stop, |(index, blobs)| {
            let size = content_size(&blobs);
            let _reserved = budget.reserve(self.parameters.memory(size));
            if stop.is_stopped() {
                return Err(PackError::Stopped);
            }
            let pack = self.compress(&blobs)?;
            progress(size);
            Ok((index, pack))
        })?;
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().map(|(_, pack)| pack).collect())
    }

    fn compress(&self, blobs: &[Blob]) -> Result<CompressedPack, PackError> {
        if let Some(pack) = self.cache.get(blobs, self.parameters).map_err(PackError::Cache)? {
            return Ok(pack);
        }
        let content = self.read(blobs)?;
        let frame = frame::compress(&content, self.parameters).map_err(PackError::Compress)?;
        drop(content);
        self.cache.insert(blobs, self.parameters, &frame).map_err(PackError::Cache)
    }

    /// The blobs one after another, each as the manifest says.
    fn read(&self, blobs: &[Blob]) -> Result<Vec<u8>, PackError> {
        let size = usize::try_from(content_size(blobs)).map_err(|_| too_large())?;
        let mut content = Vec::new();
        content.try_reserve_exact(size).map_err(|_| too_large())?;
        for blob in blobs {
            let bytes =
                self.contents.read(blob).map_err(|source| PackError::Read { blob: blob.sha256, source })?;
            let actual = Sha256Digest::of(&bytes);
            if actual != blob.sha256 || bytes.len() as u64 != blob.size {
                return Err(PackError::Content { expected: *blob, actual, size: bytes.len() as u64 });
            }
            content.extend_from_slice(&bytes);
        }
        Ok(content)
    }
}

fn too_large() -> PackError {
    PackError::Compress(io::ErrorKind::OutOfMemory.into())
}

fn content_size(blobs: &[Blob]) -> u64 {
    blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
}

/// Memory that several threads share.
#[derive(Debug)]
struct Budget {
    limit: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

/// A part of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
struct Reserved<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Budget {
    fn new(limit: u64) -> Self {
        Self { limit, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// Waits until so much is free, or until nobody else uses any: too large a job runs alone.
    fn reserve(&self, bytes: u64) -> Reserved<'_> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut u64| *used != 0 && used.saturating_add(bytes) > self.limit;
        let mut used = self.freed.wait_while(used, full).unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_add(bytes);
        Reserved { budget: self, bytes }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_budget_is_kept_and_too_large_a_job_runs_alone() {
        let budget = Budget::new(10);
        let (used, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let jobs = vec![4, 5, 6, 25, 1, 9, 10, 3, 3, 3];
        parallel::run(jobs, NonZeroUsize::new(8).unwrap(), &Stop::new(), |bytes| {
            let _reserved = budget.reserve(bytes);
            let now = used.fetch_add(bytes, Ordering::SeqCst) + bytes;
            assert!(now <= 10 || now == bytes, "{now}");
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            used.fetch_sub(bytes, Ordering::SeqCst);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(most.into_inner(), 25);
        assert_eq!(*budget.used.lock().unwrap(), 0);
    }
}
