//! The connected side of goferry.

pub mod build;
pub mod cache;
pub mod command;
pub mod contents;
pub mod fetch;
pub mod fs;
pub mod go_command;
pub mod http;
pub mod key_file;
pub mod lock;
pub mod module_zip;
pub mod pack;
pub mod parallel;
pub mod passphrase;
pub mod project;
pub mod proxy_list;
pub mod release;
pub mod write;
