//! The air-gapped side of goferry.

pub mod key_file;
pub mod trust_store;
