//! The promises.

mod bad_bundles;
mod checksum_database;
mod fetch_faults;
mod fetch_sources;
mod fetch_world;
