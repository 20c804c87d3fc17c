//! One run at a time under a prefix.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};

use camino::Utf8PathBuf;
use thiserror::Error;

use crate::fs::{Dir, FsError};

/// The lock's file in `state/`. It stays when the lock is released: a removed file would give two locks.
const LOCK: &str = "lock";

/// The lock, held until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the lock cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another run is going on.
    #[error("another run holds `{path}`{}", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held {
        /// The lock.
        path: Utf8PathBuf,
        /// The process that wrote its number there last.
        holder: Option<u32>,
    },
    /// The file system has no locks.
    #[error("cannot lock `{path}`: {reason}")]
    Lock {
        /// The lock.
        path: Utf8PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl Lock {
    /// Takes the lock in `state/`, or fails at once.
    pub(crate) fn take(state: &Dir) -> Result<Self, LockError> {
        let mut file = state.open_lock_file(LOCK, 0o600)?;
        let path = || state.path().join(LOCK);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = (&file).take(32).read_to_string(&mut text);
                let holder = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { path: path(), holder });
            }
            Err(TryLockError::Error(reason)) => return Err(LockError::Lock { path: path(), reason }),
        }
        // Who holds it is only told in messages.
        let pid = format!("{}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Self { _file: file })
    }
}
