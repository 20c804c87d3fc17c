//! What is fetched over the network, and how it is checked.

pub mod checksum_database;
pub mod gosumdb;
