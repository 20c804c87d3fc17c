//! The promises.

mod fetch_faults;
