//! The connected side of goferry.

pub mod cache;
pub mod environment {
    //! Moved to the terminal crate.
    pub use goferry_terminal::Environment;
}
pub mod fetch;
pub mod fs;
pub mod http;
pub mod key_file;
pub mod parallel;
pub mod passphrase;
pub mod proxy_list;
