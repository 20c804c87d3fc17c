//! scratch
use std::fmt;
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; 8]);
#[derive(Clone, Debug)]
pub struct Signature(KeyId);
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct SignatureError;
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
impl PublicKey {
    pub fn key_id(&self) -> KeyId {
        KeyId([0; 8])
    }
    pub fn verify(&self, _: &[u8], _: &Signature) -> Result<(), SignatureError> {
        Ok(())
    }
}
impl Signature {
    pub fn key_id(&self) -> KeyId {
        self.0
    }
    pub fn parse_canonical(_: &[u8]) -> Result<Self, SignatureError> {
        Err(SignatureError)
    }
    pub fn to_bytes(&self) -> Vec<u8> {
        vec![]
    }
}
