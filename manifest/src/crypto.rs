//! The cryptography that everything else stands on, behind our own small types.
//!
//! No other file names `sha2`, `blake2`, `scrypt` or `ed25519_dalek`. What is here:
//!
//! - SHA-256 (FIPS 180-4), the digest of the bundle format, of h1 and of the checksum database;
//! - BLAKE2b (RFC 7693): of 512 bits for minisign's prehash, of 256 for the checksum of its secret key files;
//! - Ed25519 (RFC 8032), verified strictly: a non-canonical `S` or `R` and small-order points are refused;
//! - scrypt (RFC 7914), which turns the passphrase of a minisign secret key into a key stream.

use blake2::{Blake2b256, Blake2b512, Digest as _};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Sha256Digest;

/// A running SHA-256.
#[derive(Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// The digest of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes` to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything that was added.
    pub fn finalize(self) -> Sha256Digest {
        Sha256Digest::from_bytes(self.0.finalize().into())
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256")
    }
}

/// BLAKE2b with a 64-byte digest, over the concatenation of `parts`.
pub fn blake2b512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Blake2b512::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// BLAKE2b with a 32-byte digest, over the concatenation of `parts`. It is no prefix of the 64-byte one.
pub fn blake2b256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake2b256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A public key that is not a usable Ed25519 point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WeakKey {
    /// The 32 bytes are no point of the curve.
    #[error("not a point of the curve")]
    NotAPoint,
    /// A small-order point: any message would verify.
    #[error("a small-order point, for which anybody can make signatures")]
    SmallOrder,
    /// The point has a second, shorter encoding.
    #[error("not the canonical encoding of a point")]
    NonCanonical,
}

/// An Ed25519 public key that is neither weak nor encoded in an unusual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ed25519PublicKey(VerifyingKey);

impl Ed25519PublicKey {
    /// Takes the 32-byte encoding of RFC 8032 §5.1.2.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, WeakKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| WeakKey::NotAPoint)?;
        if key.is_weak() {
            return Err(WeakKey::SmallOrder);
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(WeakKey::NonCanonical);
        }
        Ok(Self(key))
    }

    /// The 32-byte encoding.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` is this key's signature of exactly `message`.
    #[must_use = "an unchecked signature proves nothing"]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

/// An Ed25519 secret key: never printed, wiped from memory when dropped.
pub struct Ed25519SecretKey(SigningKey);

impl Ed25519SecretKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for writing a key file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half. It is derived from the seed, never taken from outside (RUSTSEC-2022-0093).
    pub fn public_key(&self) -> Ed25519PublicKey {
        Ed25519PublicKey(self.0.verifying_key())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Ed25519SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ed25519SecretKey(…)")
    }
}

/// scrypt with `N = 2^log2_n`, `r` and `p`, filling `out`. `None` for parameters that RFC 7914 does not allow.
pub fn scrypt(passphrase: &[u8], salt: &[u8], log2_n: u8, r: u32, p: u32, out: &mut [u8]) -> Option<()> {
    let params = ::scrypt::Params::new(log2_n, r, p).ok()?;
    ::scrypt::scrypt(passphrase, salt, &params, out).ok()
}
