//! From a proxy list to bytes.

pub mod checksum_database;
mod database_source;
pub mod gosumdb;
mod request;
mod transport;

pub use self::database_source::{DatabaseName, DatabaseNameError, DatabaseSource};
pub use self::request::Request;
pub use self::transport::{FetchError, Fetched, Fetcher, ProofError, ReadSeek};
