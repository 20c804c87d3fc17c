//! From packs to files.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicU64, Ordering};

use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::{
    AuthenticPack, Blob, BlobSink, BundleError, Pack, ReadAt, UnpackError, VerifiedBundle,
};
use thiserror::Error;

use super::tree::{Source, Staging};
use super::workers::{self, Budget};
use super::{ApplyError, Run, Stage};
use crate::fs::{FsError, NewFile};

/// Blobs up to this size are written when they are known to be right; larger ones as they come.
const SMALL: usize = 128 << 10;
/// A decoder's window is never larger than the window of the format's packs.
const WINDOW: u64 = 64 << 20;
/// What a decoder, buffers and a thread need besides.
const FIXED: u64 = 2 << 20;

/// What only decoding can show about a pack.
#[derive(Debug, Error)]
pub enum PackContentError {
    /// The signer signed a broken frame.
    #[error("it cannot be decoded: {0}")]
    Decode(io::Error),
    /// Its content is not the blobs of the table.
    #[error("it does not hold the content that the signed tables name")]
    Content {
        /// The digest in the table.
        expected: Sha256Digest,
        /// The digest of what it holds; `None` where it ends too early.
        actual: Option<Sha256Digest>,
    },
    /// More content than blobs.
    #[error("it holds more than the content that the signed tables name")]
    Trailing,
}

/// Reads all packs and checks what needs no decoding: digests and frame headers.
pub(crate) fn check_packs<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    run: &Run<'_>,
) -> Result<(), ApplyError> {
    run.begin(Stage::Verify);
    let total = bundle.packs().iter().map(|pack| pack.size).sum();
    let done = AtomicU64::new(0);
    for_each_pack(
        bundle,
        run,
        |_| true,
        |pack| pack.size + FIXED,
        |_, index| {
            let pack = &bundle.packs()[index];
            let done = done.fetch_add(pack.size, Ordering::Relaxed) + pack.size;
            run.reporter.progress(done, total);
            Ok(())
        },
    )
}

/// Is shown some of the content of a bundle that is otherwise only checked.
pub(crate) trait Inspector: Sync {
    /// Whether to show it this blob.
    fn wants(&self, blob: &Blob) -> bool;
    /// The bytes of a blob that it wants.
    fn inspect(&self, blob: &Blob, bytes: &[u8]) -> Result<(), ApplyError>;
}

/// Decodes all packs, and writes nothing.
pub(crate) fn check_contents<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    run: &Run<'_>,
    inspector: &dyn Inspector,
) -> Result<(), ApplyError> {
    run.begin(Stage::Unpack);
    let total = bundle.packs().iter().map(|pack| pack.content_size).sum();
    let done = AtomicU64::new(0);
    for_each_pack(
        bundle,
        run,
        |_| true,
        decoding_cost,
        |authentic, index| {
            let pack = &bundle.packs()[index];
            let mut sink = InspectingSink { run, inspector, blob: None, bytes: Vec::new() };
            authentic.unpack(&mut sink).map_err(|error| content_error(bundle, index, error))?;
            let done = done.fetch_add(pack.content_size, Ordering::Relaxed) + pack.content_size;
            run.reporter.progress(done, total);
            Ok(())
        },
    )
}

/// Where each blob is needed: numbers of a staging and of a file in it.
pub(crate) type Targets = HashMap<Sha256Digest, Vec<(usize, usize)>>;

/// The files of the stagings that come from the bundle, except those in `done`.
pub(crate) fn targets(stagings: &[Staging<'_>], done: &[Vec<bool>]) -> Targets {
    let mut targets = Targets::new();
    for (tree, staging) in stagings.iter().enumerate() {
        for (number, file) in staging.spec.files.iter().enumerate() {
            if let Source::Blob(blob) = &file.source
                && done[tree].get(number) != Some(&true)
            {
                targets.entry(blob.sha256).or_default().push((tree, number));
            }
        }
    }
    targets
}

/// Writes the files. Packs of which nothing is needed are not decoded.
pub(crate) fn unpack<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    stagings: &[Staging<'_>],
    targets: &Targets,
    run: &Run<'_>,
) -> Result<(), ApplyError> {
    run.begin(Stage::Unpack);
    let needed = |pack: &Pack| pack.blobs.iter().any(|blob| targets.contains_key(&blob.sha256));
    let total = bundle.packs().iter().filter(|pack| needed(pack)).map(|pack| pack.content_size).sum();
    let done = AtomicU64::new(0);
    for_each_pack(bundle, run, needed, decoding_cost, |authentic, index| {
        let mut sink = FileSink {
            stagings,
            targets,
            run,
            places: &[],
            small: Vec::new(),
            file: None,
            progress: &|bytes| {
                let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
                run.reporter.progress(done, total);
            },
        };
        authentic.unpack(&mut sink).map_err(|error| content_error(bundle, index, error))
    })
}

fn decoding_cost(pack: &Pack) -> u64 {
    pack.size + pack.content_size.min(WINDOW) + FIXED
}

/// Reads and authenticates packs, the largest first, on several threads and within the memory budget.
fn for_each_pack<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    run: &Run<'_>,
    needed: impl Fn(&Pack) -> bool,
    cost: impl Fn(&Pack) -> u64 + Sync,
    work: impl Fn(&AuthenticPack<'_>, usize) -> Result<(), ApplyError> + Sync,
) -> Result<(), ApplyError> {
    let packs = bundle.packs();
    let mut order: Vec<usize> = (0..packs.len()).filter(|index| needed(&packs[*index])).collect();
    order.sort_by_key(|index| std::cmp::Reverse(packs[*index].content_size));
    let budget = Budget::new(run.memory);
    workers::for_each(run.threads, &order, |index| {
        let _share = budget.share(cost(&packs[*index]));
        run.check_interrupt()?;
        let authentic = bundle.read_pack(*index)?;
        tracing::trace!(number = index + 1, sha256 = %packs[*index].sha256, "pack");
        work(&authentic, *index)
    })
}

fn content_error<S: ReadAt>(
    bundle: &VerifiedBundle<S>,
    index: usize,
    error: UnpackError<ApplyError>,
) -> ApplyError {
    let reason = match error {
        UnpackError::Sink(error) => return error,
        UnpackError::Decode(error) => PackContentError::Decode(error),
        UnpackError::Content { expected, actual } => PackContentError::Content { expected, actual },
        UnpackError::Trailing => PackContentError::Trailing,
    };
    ApplyError::Pack { number: index + 1, count: bundle.packs().len(), reason }
}

impl From<BundleError> for ApplyError {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

/// Writes each blob to every file that needs it.
struct FileSink<'a> {
    stagings: &'a [Staging<'a>],
    targets: &'a Targets,
    run: &'a Run<'a>,
    /// Where the present blob is needed.
    places: &'a [(usize, usize)],
    /// The present blob, if it is small.
    small: Vec<u8>,
    /// The first file of the present blob, if it is not.
    file: Option<NewFile>,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl BlobSink for FileSink<'_> {
    type Error = ApplyError;

    fn begin(&mut self, blob: &Blob) -> Result<(), ApplyError> {
        self.run.check_interrupt()?;
        self.places = self.targets.get(&blob.sha256).map_or(&[], Vec::as_slice);
        self.small.clear();
        self.file = None;
        if let Some((tree, number)) = self.places.first()
            && blob.size > SMALL as u64
        {
            self.file = Some(self.stagings[*tree].create_file(*number)?);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ApplyError> {
        (self.progress)(bytes.len() as u64);
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None if self.places.is_empty() => {}
            None => self.small.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ApplyError> {
        if self.file.take().is_none() {
            for (tree, number) in self.places {
                self.stagings[*tree].write_file(*number, &self.small)?;
            }
        } else if let [first, others @ ..] = self.places {
            for (tree, number) in others {
                copy(self.stagings, *first, self.stagings[*tree].create_file(*number)?)?;
            }
        }
        Ok(())
    }
}

/// Copies a file that was written to another one.
fn copy(stagings: &[Staging<'_>], (tree, number): (usize, usize), mut to: NewFile) -> Result<(), ApplyError> {
    let mut from = stagings[tree].open_file(number)?;
    let mut chunk = vec![0; SMALL];
    loop {
        let read = from.read(&mut chunk).map_err(|reason| FsError {
            operation: "copy to",
            path: to.path().to_owned(),
            reason,
        })?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..read])?;
    }
}

/// Keeps only the blobs that are to be inspected.
struct InspectingSink<'a> {
    run: &'a Run<'a>,
    inspector: &'a dyn Inspector,
    blob: Option<Blob>,
    bytes: Vec<u8>,
}

impl BlobSink for InspectingSink<'_> {
    type Error = ApplyError;

    fn begin(&mut self, blob: &Blob) -> Result<(), ApplyError> {
        self.run.check_interrupt()?;
        self.bytes.clear();
        self.blob = self.inspector.wants(blob).then_some(*blob);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ApplyError> {
        if self.blob.is_some() {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ApplyError> {
        self.blob.take().map_or(Ok(()), |blob| self.inspector.inspect(&blob, &self.bytes))
    }
}
