//! The air-gapped side of goferry: verifies bundles and lays out Go.
//!
//! [`install`] does all of DESIGN §5: verify, observe, plan, write trees, make them durable, switch. [`verify`] and
//! [`dry_run`] are the same without its writes. Nothing here prints, reads a clock or looks at the environment.

#![warn(missing_docs)]

mod apply;
mod bundle_file;
mod content;
mod estimate;
pub mod fs;
mod generation;
mod go_env;
pub mod host;
mod install;
mod lock;
pub mod observe;
pub mod plan;
mod prefix;
pub mod receipt;

pub use self::apply::{ApplyError, PackContentError, RefusedContent, Reporter, Silent, Stage};
pub use self::bundle_file::{BundleFile, OpenError};
pub use self::install::{
    Class, Effort, InstallError, InstallRequest, Installed, MEMORY, dry_run, install, open_bundle, verify,
};
pub use self::lock::LockError;
pub use self::prefix::{Prefix, PrefixError, Root};
