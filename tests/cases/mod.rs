//! The promises.

mod bad_bundles;
mod fetch_faults;
