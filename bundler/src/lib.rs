//! The connected side of goferry.

pub mod key_file;
pub mod passphrase;
