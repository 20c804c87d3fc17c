//! What can go wrong before anything is packed.

use std::io;
use std::path::PathBuf;

use goferry_manifest::Module;
use goferry_manifest::bundle::ManifestError;
use thiserror::Error;

use crate::cache::CacheError;
use crate::fetch::checksum_database::ProveError;
use crate::fetch::closure::Contradiction;
use crate::fetch::gosumdb::GoSumDbError;
use crate::fetch::module::ModuleError;
use crate::fetch::toolchain::LayOutError;
use crate::fetch::{DatabaseNameError, lines};
use crate::go_command::GoCommandError;
use crate::http::ClientError;
use crate::lock::LockError;
use crate::project::ProjectError;
use crate::proxy_list::DiscoverError;
use crate::release::ReleaseError;

/// Changes of a lock that a message lists.
const LISTED_CHANGES: usize = 5;

/// Why a bundle could not be prepared.
#[derive(Debug, Error)]
pub enum BuildError {
    /// No directory was named.
    #[error("no project was named")]
    NoProject,
    /// No channel follows from the directory's name.
    #[error("the name of `{}` cannot be that of a bundle", directory.display())]
    NoName {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory is no project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A project has requirements and no go.sum.
    #[error("`{}` has no go.sum", directory.display())]
    NoGoSum {
        /// The project.
        directory: PathBuf,
    },
    /// Two projects expect different things.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The user's proxies are not known.
    #[error(transparent)]
    Settings(#[from] DiscoverError),
    /// No HTTP.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No checksum database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Not in the checksum database, or not proven to be.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// No Go release for a project.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// There is no Go for this machine, whatever it is to be carried to.
    #[error("no Go release was fetched that runs on this machine")]
    NoGoForThisMachine,
    /// Something could not be fetched, or is not what it should be.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A module that is needed is nowhere.
    #[error("`{module}` is needed, and {reason}")]
    NotServed {
        /// The module.
        module: Module,
        /// What the proxies said.
        reason: String,
    },
    /// A module that no proxy could serve.
    #[error("`{}` needs `{}`, which is no module that a proxy can serve", project.display(), module.escape_debug())]
    UnknownModule {
        /// The project.
        project: PathBuf,
        /// Path and version, as go said them.
        module: String,
    },
    /// The toolchain could not be laid out.
    #[error(transparent)]
    LayOut(#[from] LayOutError),
    /// The directory in which go works.
    #[error("failed to use `{}`", directory.display())]
    Work {
        /// The directory.
        directory: PathBuf,
        /// Why; names the file.
        #[source]
        source: io::Error,
    },
    /// go could not be asked.
    #[error(transparent)]
    Go(#[from] GoCommandError),
    /// What was fetched does not hold together.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `--locked`, and nothing to compare with.
    #[error("there is no `{}`, which `--locked` asks for", path.display())]
    NoLock {
        /// The lock.
        path: PathBuf,
    },
    /// `--locked`, and something else is wanted now.
    #[error("`{}` would change, which `--locked` forbids{}", path.display(), first_of(changes))]
    LockWouldChange {
        /// The lock.
        path: PathBuf,
        /// What would.
        changes: Vec<String>,
    },
}

/// Why there is no checksum database.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// GOSUMDB=off.
    #[error("toolchains cannot be proven: GOSUMDB is `off`")]
    Off,
    /// GOSUMDB is malformed.
    #[error(transparent)]
    Malformed(GoSumDbError),
    /// Its name is no host.
    #[error(transparent)]
    Name(DatabaseNameError),
}

impl From<GoSumDbError> for BuildError {
    fn from(error: GoSumDbError) -> Self {
        DatabaseError::Malformed(error).into()
    }
}

impl BuildError {
    /// Whether a digest or a proof says no, as opposed to something failing.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Module(error) => {
                matches!(
                    error,
                    ModuleError::Hash { .. }
                        | ModuleError::Unvouched { .. }
                        | ModuleError::Zip(_)
                        | ModuleError::Info { .. }
                )
            }
            Self::Prove(error) => error.is_security(),
            Self::Contradiction(_)
            | Self::Manifest(_)
            | Self::Database(DatabaseError::Off)
            | Self::Lock(LockError::Contradiction { .. }) => true,
            _ => false,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoGoSum { .. } => Some("`go mod tidy` writes it"),
            Self::Project(error) => error.hint(),
            Self::Settings(error) => error.hint(),
            Self::Module(error) => error.hint(),
            Self::Database(DatabaseError::Off) => {
                Some("unset GOSUMDB, or name your organisation's database in it")
            }
            Self::Prove(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::NoLock { .. } => Some("build once without `--locked`, and commit the lock"),
            _ => None,
        }
    }
}

fn first_of(changes: &[String]) -> String {
    let more = changes.len().saturating_sub(LISTED_CHANGES);
    let listed = lines(&changes[..changes.len() - more]);
    if more == 0 { listed } else { format!("{listed}\n  and {more} more") }
}
