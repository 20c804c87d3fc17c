//! The connected side of goferry.

pub mod cache;
pub mod environment;
pub mod fetch;
pub mod fs;
pub mod http;
pub mod key_file;
pub mod parallel;
pub mod passphrase;
pub mod proxy_list;
