//! The air-gapped side of goferry: verifies bundles and lays out Go.
//!
//! [`install`] does all of DESIGN §5: verify, observe, plan, write trees, make them durable, switch. [`verify`] and
//! [`dry_run`] are the same without its writes. Only [`command`] prints, reads the clock and looks at the environment.

#![warn(missing_docs)]

mod apply;
mod bundle_file;
pub mod command;
mod content;
mod estimate;
pub mod fs;
mod generation;
mod go_env;
pub mod host;
mod install;
pub mod key_file;
mod lock;
pub mod observe;
pub mod plan;
mod prefix;
pub mod receipt;
pub mod state;
pub mod summary;
pub mod trust_store;

pub use self::apply::{ApplyError, PackContentError, RefusedContent, Reporter, Silent, Stage};
pub use self::bundle_file::{BundleFile, OpenError};
pub use self::install::{
    Class, Effort, InstallError, InstallRequest, Installed, MEMORY, dry_run, install, open_bundle, verify,
};
pub use self::lock::LockError;
pub use self::prefix::{Prefix, PrefixError, Root};
