//! The promises.

mod bad_bundles;
mod bundles;
mod fetch_faults;
