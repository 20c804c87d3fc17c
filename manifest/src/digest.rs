//! SHA-256 digests and streams that compute them.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::crypto::Sha256;

/// A SHA-256 digest. As text: 64 lower-case hexadecimal digits, no prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub struct Sha256Digest([u8; 32]);

/// A text that is no SHA-256 digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a SHA-256 digest of 64 lower-case hexadecimal digits", text.escape_debug())]
pub struct DigestError {
    text: String,
}

impl Sha256Digest {
    /// The digest whose 32 bytes these are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(bytes);
        hasher.finalize()
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 hexadecimal digits and an ellipsis, for messages in which the whole digest would not be read.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(16);
        text.push('…');
        text
    }
}

impl FromStr for Sha256Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let parse = || {
            let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
            let mut bytes = [0; 32];
            for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
            }
            Some(Self(bytes))
        };
        parse().ok_or_else(|| DigestError { text: text.chars().take(80).collect() })
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for Sha256Digest {
    type Error = DigestError;

    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0_u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// Counts and hashes what passes through to a writer or from a reader.
#[derive(Debug)]
pub struct Hashing<S> {
    inner: S,
    hasher: Sha256,
    bytes: u64,
}

impl<S> Hashing<S> {
    /// Nothing has passed yet.
    pub fn new(inner: S) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// The inner stream, and digest and number of the bytes that passed.
    pub fn finish(self) -> (S, Sha256Digest, u64) {
        (self.inner, self.hasher.finalize(), self.bytes)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_convert_both_ways() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Digest::of(b"abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Sha256Digest::of(b"abc")));
        assert_eq!(
            serde_json::from_str::<Sha256Digest>(&format!("\"{text}\"")).unwrap(),
            Sha256Digest::of(b"abc")
        );
    }

    #[test]
    fn other_lengths_upper_case_and_algorithm_names_are_refused() {
        // bad-inputs #41
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let prefixed = format!("sha256:{good}");
        for bad in
            ["", &good[1..], &good.to_uppercase(), &prefixed, &good.replace('b', "g"), &format!("{good}0")]
        {
            assert!(bad.parse::<Sha256Digest>().is_err(), "{bad}");
            assert!(serde_json::from_str::<Sha256Digest>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stream_is_hashed_and_counted() {
        let mut stream = Hashing::new(Vec::new());
        stream.write_all(b"ab").unwrap();
        stream.write_all(b"c").unwrap();
        assert_eq!(stream.finish(), (b"abc".to_vec(), Sha256Digest::of(b"abc"), 3));
    }
}
