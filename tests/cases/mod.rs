//! The promises.

mod fetch_faults;
mod fetch_sources;
mod fetch_world;
