//! The air-gapped side of goferry.

pub mod trust_store;
