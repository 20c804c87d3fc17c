//! The air-gapped side of goferry.
