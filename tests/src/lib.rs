//! End-to-end tests and their builders.
