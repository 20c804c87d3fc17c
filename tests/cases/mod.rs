//! The promises.

mod acceptance;
mod acceptance_build;
mod acceptance_layout;
mod acceptance_modules;
mod acceptance_switch;
mod acceptance_web;
mod bad_bundles;
mod bundles;
mod checksum_database;
mod fetch_faults;
mod fetch_sources;
mod fetch_world;
mod goferry_cli;
mod goport_host;
mod prepare;
mod prepare_toy;
mod reproducible;
mod toy_world;
