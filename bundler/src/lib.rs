//! The connected side of goferry.
