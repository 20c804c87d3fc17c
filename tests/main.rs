//! All end-to-end tests in one binary; one file a promise.

#[cfg(test)] // so that clippy takes it for what it is, and lets it unwrap
mod cases;
