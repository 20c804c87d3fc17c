//! The promises.

mod checksum_database;
mod fetch_faults;
