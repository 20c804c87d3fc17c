//! Public keys: `NAME.pub`, or the one line that `minisign -P` takes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{KeyId, Signature, UNTRUSTED, base64_len, decode, encode, untrusted_comment};
use crate::Sha256Digest;
use crate::crypto::{Ed25519PublicKey, WeakKey, blake2b512};

/// `Ed`, key id, Ed25519 public key.
const BYTES: usize = 2 + 8 + 32;

/// A minisign public key that can be relied on. As text: one line of base64.
///
/// Equality and order are those of the Ed25519 key alone: the key id is a hint that anybody can choose, and one key
/// under two ids is still one signer (bad-inputs #7, #8).
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub struct PublicKey {
    id: KeyId,
    key: Ed25519PublicKey,
}

/// A text that is no usable public key. Nothing of the text is repeated: it may be a secret (bad-inputs #21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PublicKeyError {
    /// Nothing at all.
    #[error("the public key is empty")]
    Empty,
    /// The wrong one of the two files.
    #[error("this is a secret key, not a public key: give the `.pub` file, and keep this one to yourself")]
    SecretKey,
    /// A UTF-8 byte order mark in front.
    #[error("the public key starts with a byte order mark, which minisign does not write")]
    ByteOrderMark,
    /// Line ends of Windows.
    #[error("the public key has carriage returns: lines end with LF alone")]
    CarriageReturn,
    /// Neither one line nor two.
    #[error(
        "a public key is a comment line and a line of base64, or that second line alone; these are {lines} lines"
    )]
    Lines {
        /// How many there are.
        lines: usize,
    },
    /// The first of two lines is not a comment.
    #[error(
        "the first line of a public key file is `untrusted comment: ` and one short line of printable text"
    )]
    Comment,
    /// Not base64, not canonical, or not 42 bytes.
    #[error("the public key is not {BYTES} bytes in canonical base64")]
    Base64,
    /// Another kind of key.
    #[error("the public key is not an Ed25519 key of minisign, which starts with `RW`")]
    Algorithm,
    /// A key for which signatures prove nothing.
    #[error("the public key is unsafe: {reason}")]
    Weak {
        /// What is wrong with it.
        reason: WeakKey,
    },
}

/// A signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It was made by another key.
    #[error("the signature names key {actual}, not {expected}")]
    WrongKey {
        /// The key that was to verify it.
        expected: KeyId,
        /// The key that the signature names.
        actual: KeyId,
    },
    /// It names this key, but is not that key's signature of these bytes.
    #[error("the signature of key {key} does not match the signed bytes")]
    Message {
        /// The key.
        key: KeyId,
    },
    /// The trusted comment is not the one that was signed.
    #[error("the signature of key {key} does not match its trusted comment")]
    TrustedComment {
        /// The key.
        key: KeyId,
    },
}

impl PublicKey {
    pub(super) fn new(id: KeyId, key: Ed25519PublicKey) -> Self {
        Self { id, key }
    }

    /// The hint by which signatures name this key.
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// SHA-256 of the 32 bytes of the Ed25519 key: what people compare.
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(self.key.as_bytes())
    }

    /// The content of `NAME.pub`, as minisign writes it.
    pub fn to_file_text(&self) -> String {
        format!("{UNTRUSTED}minisign public key {}\n{self}\n", self.id)
    }

    /// Checks that `signature` is this key's, of exactly `message`, with the trusted comment that it carries.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), VerifyError> {
        if signature.key_id() != self.id {
            return Err(VerifyError::WrongKey { expected: self.id, actual: signature.key_id() });
        }
        if !self.key.verifies(&blake2b512(&[message]), signature.message_signature()) {
            return Err(VerifyError::Message { key: self.id });
        }
        if !self.key.verifies(&signature.globally_signed(), signature.global_signature()) {
            return Err(VerifyError::TrustedComment { key: self.id });
        }
        Ok(())
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    /// Takes the text of a `.pub` file or its second line alone, each with or without the final LF, as minisign does.
    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        if text.is_empty() {
            return Err(PublicKeyError::Empty);
        }
        if looks_secret(text) {
            return Err(PublicKeyError::SecretKey);
        }
        if text.starts_with('\u{feff}') {
            return Err(PublicKeyError::ByteOrderMark);
        }
        if text.contains('\r') {
            return Err(PublicKeyError::CarriageReturn);
        }
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        match *lines {
            [line] if !line.starts_with(UNTRUSTED) => parse_line(line),
            [comment, line] => {
                untrusted_comment(comment).ok_or(PublicKeyError::Comment)?;
                parse_line(line)
            }
            _ => Err(PublicKeyError::Lines { lines: lines.len() }),
        }
    }
}

fn parse_line(line: &str) -> Result<PublicKey, PublicKeyError> {
    let bytes = decode::<BYTES>(line).ok_or(PublicKeyError::Base64)?;
    let (algorithm, id, key) = split(&bytes);
    if algorithm != *b"Ed" {
        return Err(PublicKeyError::Algorithm);
    }
    let key = Ed25519PublicKey::from_bytes(&key).map_err(|reason| PublicKeyError::Weak { reason })?;
    Ok(PublicKey { id: KeyId::from_bytes(id), key })
}

fn split(bytes: &[u8; BYTES]) -> ([u8; 2], [u8; 8], [u8; 32]) {
    let array = "the parts add up to the whole";
    let (algorithm, rest) = bytes.split_first_chunk().expect(array);
    let (id, key) = rest.split_first_chunk().expect(array);
    (*algorithm, *id, key.try_into().expect(array))
}

/// Whether this is a secret key of minisign, with or without passphrase, or one in PEM, be it cut short or damaged.
fn looks_secret(text: &str) -> bool {
    // `Ed`, `Sc` or two zeros, `B2` in base64. A public key may start like this too, by chance, and has its own length.
    let minisign = |line: &str| {
        (line.starts_with("RWRTY0Iy") || line.starts_with("RWQAAEIy")) && line.len() != base64_len(BYTES)
    };
    text.contains("PRIVATE KEY")
        || text.contains("minisign encrypted secret key")
        || text.lines().any(minisign)
}

impl TryFrom<std::borrow::Cow<'_, str>> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, PublicKeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode(&[b"Ed", self.id.as_bytes().as_slice(), self.key.as_bytes()].concat()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.key.as_bytes() == other.key.as_bytes()
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.as_bytes().cmp(other.key.as_bytes())
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minisign::test_files::{MESSAGE, PUBLIC, SECRET, SIGNATURE, secret_key};

    fn line_of(key: &[u8]) -> String {
        encode(&[b"Ed01234567", key].concat())
    }

    fn weak(key: &[u8; 32]) -> WeakKey {
        match line_of(key).parse::<PublicKey>() {
            Err(PublicKeyError::Weak { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_and_its_second_line_are_one_key() {
        let key: PublicKey = PUBLIC.parse().unwrap();
        let line = PUBLIC.lines().nth(1).unwrap();
        assert_eq!(key.to_string(), line);
        assert_eq!(key.to_file_text(), PUBLIC);
        assert_eq!(key.key_id().to_string(), "A25C19E8BC35EDF0");
        for text in [PUBLIC.trim_end(), line, &format!("{line}\n")] {
            assert_eq!(text.parse(), Ok(key));
        }
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{line}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
        assert!(serde_json::from_str::<PublicKey>("\"RWQ\"").is_err());
    }

    #[test]
    fn a_fingerprint_is_of_the_key_alone() {
        // The public key of RFC 8032 §7.1, test 1; the digest is that of `sha256sum`.
        let key = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
            0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ];
        let key: PublicKey = line_of(&key).parse().unwrap();
        assert_eq!(
            key.fingerprint().to_string(),
            "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
        );
    }

    #[test]
    fn one_key_under_two_ids_is_one_key() {
        // bad-inputs #7, #8
        let key: PublicKey = PUBLIC.parse().unwrap();
        let renamed = PublicKey { id: KeyId::from_bytes([0; 8]), ..key };
        assert_eq!(key, renamed);
        assert_eq!(std::collections::BTreeSet::from([key, renamed]).len(), 1);
        assert_eq!(std::collections::HashSet::from([key, renamed]).len(), 1);
        let other = PublicKey { id: key.id, ..secret_key().public_key() };
        assert_ne!(key, other);
        let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        assert_eq!(other.verify(MESSAGE, &signature), Err(VerifyError::Message { key: key.id }));
    }

    #[test]
    fn files_that_minisign_would_not_write_are_refused() {
        // bad-inputs #20
        let (comment, line) = PUBLIC.trim_end().split_once('\n').unwrap();
        let cases = [
            (String::new(), PublicKeyError::Empty),
            (format!("\u{feff}{PUBLIC}"), PublicKeyError::ByteOrderMark),
            (PUBLIC.replace('\n', "\r\n"), PublicKeyError::CarriageReturn),
            (format!("{PUBLIC}\n"), PublicKeyError::Lines { lines: 3 }),
            (format!("{PUBLIC}{PUBLIC}"), PublicKeyError::Lines { lines: 4 }),
            (format!("{comment}\n"), PublicKeyError::Lines { lines: 1 }),
            (format!("ops\n{line}\n"), PublicKeyError::Comment),
            (format!("{comment}\u{1b}[2J\n{line}\n"), PublicKeyError::Comment),
            (format!("{comment}{}\n{line}\n", "x".repeat(1024)), PublicKeyError::Comment),
            ("\n".to_owned(), PublicKeyError::Base64),
            (format!(" {line}"), PublicKeyError::Base64),
            (line[..52].to_owned(), PublicKeyError::Base64),
            (format!("{line}AAAA"), PublicKeyError::Base64),
            (line.replacen("RW", "RU", 1), PublicKeyError::Algorithm),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<PublicKey>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_secret_key_is_recognised_and_not_repeated() {
        // bad-inputs #21
        let line = SECRET.lines().nth(1).unwrap();
        let pem =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n";
        let encrypted = format!("untrusted comment: ops\nRWRTY0Iy{}\n", &line[8..]);
        for text in [SECRET, line, &SECRET[..100], &SECRET.replace('\n', "\r\n"), &encrypted, pem] {
            let error = text.parse::<PublicKey>().unwrap_err();
            assert_eq!(error, PublicKeyError::SecretKey, "{text:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&line[40..50]) && !shown.contains("b3Blb"), "{shown}");
        }
        // A signature says `secret key` in its comment, and is none.
        assert_eq!(SIGNATURE.parse::<PublicKey>(), Err(PublicKeyError::Lines { lines: 4 }));
    }

    #[test]
    fn small_order_keys_are_refused() {
        // bad-inputs #3: the eight points of small order, by their canonical encodings.
        let y8 = [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ];
        // −y = p − y, without borrow but for the lowest byte's 0xed.
        let mut minus_y8 = y8.map(|byte| 0xff - byte);
        minus_y8[0] = 0xed - 0xc7;
        minus_y8[31] = 0x7f - 0x7a;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        let signed = |mut key: [u8; 32]| {
            key[31] |= 0x80;
            key
        };
        for key in [one, minus_one, [0; 32], signed([0; 32]), y8, signed(y8), minus_y8, signed(minus_y8)] {
            assert_eq!(weak(&key), WeakKey::SmallOrder, "{key:02x?}");
        }
    }

    #[test]
    fn keys_in_a_second_encoding_are_refused() {
        // bad-inputs #4: y + p for each y that leaves room for it, with either sign.
        let mut reasons = Vec::new();
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut key = [0xff; 32];
                (key[0], key[31]) = (low, high);
                reasons.push(weak(&key));
            }
        }
        assert!(reasons.contains(&WeakKey::NonCanonical), "{reasons:?}");
    }

    #[test]
    fn bytes_that_are_no_point_are_refused() {
        let mut key = [0; 32];
        key[0] = 2;
        assert_eq!(weak(&key), WeakKey::NotAPoint);
    }
}
