//! What `goferry` and `goport` agree on: names, digests, the bundle format, signatures, checksum-database proofs.
//!
//! Values in, values out: this crate reads and writes through [`std::io::Read`] and [`std::io::Write`], opens no file,
//! and looks at no clock, no environment variable and no network.

#![warn(missing_docs)]

pub mod bundle;
mod channel;
pub mod checksum_database;
pub mod crypto;
mod digest;
pub mod file_path;
mod go_release;
mod h1;
mod limits;
pub mod minisign;
pub mod module;
mod platform;
mod strict_json;
mod timestamp;
pub mod trust;

pub use self::channel::{Channel, ChannelError, Sequence, SequenceError};
pub use self::digest::{DigestError, Hashing, Sha256Digest};
pub use self::file_path::{FilePath, FilePathError, NameClash, Names};
pub use self::go_release::{GoRelease, GoReleaseError};
pub use self::h1::{DirHash, DirHashError};
pub use self::limits::Limits;
pub use self::module::{Module, ModulePath, ModuleVersion};
pub use self::platform::{Platform, PlatformError};
pub use self::strict_json::JsonError;
pub use self::timestamp::{Timestamp, TimestampError};
