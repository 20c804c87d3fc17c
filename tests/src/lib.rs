//! End-to-end tests and their builders.

pub mod checksum_database;
