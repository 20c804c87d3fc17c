//! End-to-end tests and their builders.

pub mod goproxy_tree;
pub mod scripted_server;
