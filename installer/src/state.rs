//! The trust store's place on the host: read by anyone, changed under the lock.

use goferry_manifest::Limits;
use thiserror::Error;

use crate::fs::{Dir, FsError, optional};
use crate::lock::{Lock, LockError};
use crate::observe::{ObserveError, STATE, observe};
use crate::prefix::{Prefix, Root};
use crate::trust_store::{TrustStore, TrustStoreError};

/// The trust store's file in `state/`.
const TRUST: &str = "trust.json";

/// Why the trust store cannot be read or changed.
#[derive(Debug, Error)]
pub enum StateError {
    /// The prefix.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Another run.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The file is there and is not a trust store.
    #[error("`{path}`: {reason}")]
    TrustStore {
        /// The file.
        path: camino::Utf8PathBuf,
        /// What is wrong with it.
        reason: TrustStoreError,
    },
}

/// The keys that the prefix trusts: none where there is no store yet.
pub fn read_trust(prefix: &Prefix, root: &Root) -> Result<TrustStore, StateError> {
    let path = root.locate(prefix);
    let state = optional(Dir::open(&path))?.map(|prefix| optional(prefix.open_dir(STATE)));
    match state.transpose()?.flatten() {
        Some(state) => read(&state),
        None => Ok(TrustStore::default()),
    }
}

/// Changes the store, durably and at once; makes it, and the prefix, where they are missing.
///
/// `change` says whether it changed anything; if not, nothing is written.
pub fn change_trust(
    prefix: &Prefix,
    root: &Root,
    change: impl FnOnce(&mut TrustStore) -> bool,
) -> Result<(TrustStore, bool), StateError> {
    // What is there must be ours before anything is made.
    observe(prefix, root)?;
    let dir = Dir::open_or_create_all(&root.locate(prefix), 0o755)?;
    let state = dir.open_or_create_dir(STATE, 0o755)?;
    dir.sync()?;
    let _lock = Lock::take(&state)?;
    let mut store = read(&state)?;
    let changed = change(&mut store);
    if changed {
        // Anyone may verify a bundle, so that anyone may read the keys.
        state.replace_file(TRUST, 0o644, &store.to_bytes())?;
    }
    Ok((store, changed))
}

fn read(state: &Dir) -> Result<TrustStore, StateError> {
    let Some(bytes) = optional(state.read_file(TRUST, Limits::FORMAT_1.table_bytes))? else {
        return Ok(TrustStore::default());
    };
    let named = |reason| StateError::TrustStore { path: state.path().join(TRUST), reason };
    TrustStore::parse(&bytes).map_err(named)
}
