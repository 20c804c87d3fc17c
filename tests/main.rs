//! All end-to-end tests in one binary; one file a promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod cases;
