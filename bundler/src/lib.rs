//! The connected side of goferry.

pub mod environment;
pub mod fs;
pub mod module_zip;
pub mod pack;
pub mod parallel;
pub mod project;
pub mod proxy_list;
