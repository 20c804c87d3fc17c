//! The trust store's place on the host: read by anyone, changed under the lock.

use goferry_manifest::Limits;
use thiserror::Error;

use crate::access::{self, AccessError, Purpose};
use crate::fs::{Dir, FsError, optional};
use crate::lock::{Lock, LockError};
use crate::observe::{self, ObserveError, STATE};
use crate::prefix::{Prefix, Root};
use crate::rooted::PLACE_MODE;
use crate::trust_store::{TrustStore, TrustStoreError};

/// The trust store's file in `state/`.
const TRUST: &str = "trust.json";

/// Why the trust store cannot be read or changed.
#[derive(Debug, Error)]
pub enum StateError {
    /// The prefix.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Others own the store, or may write to it.
    #[error(transparent)]
    Access(#[from] AccessError),
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

/// The keys that the prefix trusts: none where there is no store yet. Anybody may ask.
pub fn read_trust(prefix: &Prefix, root: &Root) -> Result<TrustStore, StateError> {
    let Some(dir) = observe::open(prefix, root)? else { return Ok(TrustStore::default()) };
    let Some(state) = optional(dir.open_dir(STATE))? else { return Ok(TrustStore::default()) };
    for dir in [&dir, &state] {
        access::check(dir.path(), dir.owner_and_mode()?, Purpose::Read)?;
    }
    read(&state, Purpose::Read)
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
    observe::check_to_change(prefix, root)?;
    let mut made = false;
    let dir = root.open_or_create(prefix, &mut made)?;
    let state = dir.open_or_create_dir(STATE, PLACE_MODE, &mut made)?;
    dir.sync()?;
    let _lock = Lock::take(&state)?;
    let mut store = read_own(&state)?;
    let changed = change(&mut store);
    if changed {
        write_own(&state, &store)?;
    }
    Ok((store, changed))
}

/// The store as it is to be changed, or to decide about changes. Called with the lock held.
pub(crate) fn read_own(state: &Dir) -> Result<TrustStore, StateError> {
    read(state, Purpose::Change)
}

/// Writes the store, durably. Called with the lock held.
pub(crate) fn write_own(state: &Dir, store: &TrustStore) -> Result<(), FsError> {
    // Anyone may verify a bundle, so that anyone may read the keys.
    state.replace_file(TRUST, 0o644, &store.to_bytes())
}

fn read(state: &Dir, purpose: Purpose) -> Result<TrustStore, StateError> {
    let path = || state.path().join(TRUST);
    let file = optional(state.read_file_of(TRUST, Limits::FORMAT_1.table_bytes))?;
    let Some((bytes, owner_and_mode)) = file else { return Ok(TrustStore::default()) };
    access::check(&path(), owner_and_mode, purpose)?;
    TrustStore::parse(&bytes).map_err(|reason| StateError::TrustStore { path: path(), reason })
}
