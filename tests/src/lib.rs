//! End-to-end tests and their builders.

pub mod bundle_builder;
pub mod checksum_database;
pub mod goproxy_tree;
pub mod offline;
pub mod old_kernel;
pub mod programs;
pub mod requirement;
pub mod scratch;
pub mod scripted_server;
pub mod snapshot;
pub mod world;
