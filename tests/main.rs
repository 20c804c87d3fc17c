//! All end-to-end tests in one binary; one file a promise.

mod cases;
