//! From a proxy list to bytes.

mod database_source;
mod request;
mod transport;

pub use self::database_source::{DatabaseName, DatabaseNameError, DatabaseSource};
pub use self::request::Request;
pub use self::transport::{FetchError, Fetched, Fetcher, ProofError, ReadSeek};
