//! End-to-end tests and their builders.

pub mod bundle_builder;
pub mod checksum_database;
pub mod goproxy_tree;
pub mod programs;
pub mod scripted_server;
