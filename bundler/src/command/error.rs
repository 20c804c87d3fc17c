//! What the library's errors mean to the user: kind, state, hint.

use std::path::Path;

use goferry_manifest::bundle::WriteError;
use goferry_terminal::{CommandError, Kind};

use super::interrupt;
use crate::build::BuildError;
use crate::key_file::KeyFileError;
use crate::pack::PackError;

/// A key file.
pub(super) fn key_file_error(error: &KeyFileError) -> CommandError {
    with_hint(CommandError::from_error(Kind::Failed, error), error.hint())
}

/// Fetching and proving.
pub(super) fn build_error(error: &BuildError) -> CommandError {
    if interrupt::happened() {
        return interrupted();
    }
    let kind = if error.is_refusal() { Kind::Refused } else { Kind::Failed };
    with_hint(CommandError::from_error(kind, error).state(NOTHING_WRITTEN), error.hint())
}

/// Packing.
pub(super) fn pack_error(error: &PackError) -> CommandError {
    if interrupt::happened() {
        return interrupted();
    }
    CommandError::from_error(Kind::Failed, error).state(NOTHING_WRITTEN)
}

/// Writing the bundle.
pub(super) fn write_error(error: &WriteError, output: &Path, lock: &Path) -> CommandError {
    CommandError::new(Kind::Failed, format!("cannot write `{}`", output.display()))
        .caused_by(Some(error))
        .state(format!("no bundle was written; `{}` is up to date, packs are in the cache", lock.display()))
}

fn interrupted() -> CommandError {
    CommandError::new(Kind::Interrupted, "interrupted").state(NOTHING_WRITTEN)
}

const NOTHING_WRITTEN: &str = "no bundle was written; what was fetched is kept in the cache";

fn with_hint(error: CommandError, hint: Option<impl Into<String>>) -> CommandError {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
