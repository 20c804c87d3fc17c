//! From a proxy list to bytes.

pub mod checksum_database;
pub mod closure;
mod database_source;
mod error;
mod fetched;
pub mod gosumdb;
pub mod module;
mod request;
pub mod toolchain;
mod transport;

pub use self::database_source::{DatabaseName, DatabaseNameError, DatabaseSource};
pub(crate) use self::error::lines;
pub use self::error::{FetchError, ProofError};
pub use self::fetched::{Fetched, ReadSeek};
pub use self::request::Request;
pub use self::transport::Fetcher;
