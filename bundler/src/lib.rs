//! The connected side of goferry.

pub mod cache;
pub mod environment;
pub mod fetch;
pub mod fs;
pub mod http;
pub mod parallel;
pub mod proxy_list;
