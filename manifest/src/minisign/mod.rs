//! Keys and signatures in the files of the `minisign` command, both ways.
//!
//! The container is minisign's own (`src/minisign.c`), read more strictly than minisign reads it: canonical base64,
//! exact lengths, LF alone, nothing before or after. Only prehashed signatures (`ED`) are taken. No comment decides
//! anything, the trusted one included; DESIGN §3.
//!
//! Randomness and passphrases come in as values; files are the business of the programs.

mod key;
mod passphrase;
mod secret_key;
mod signature;
mod trusted_comment;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use self::key::{PublicKey, PublicKeyError, VerifyError};
pub use self::passphrase::{Passphrase, PassphraseError, ScryptCost};
pub use self::secret_key::{EncryptedSecretKey, Protection, SecretKey, SecretKeyError, SecretKeyFile};
pub use self::signature::{SIGNATURE_FIRST_LINE, Signature, SignatureError};
pub use self::trusted_comment::{TrustedComment, TrustedCommentError};

/// What the first line of each file starts with.
const UNTRUSTED: &str = "untrusted comment: ";

/// Bytes of a first line after [`UNTRUSTED`]. minisign reads lines into 1,024 bytes, LF and NUL among them.
const UNTRUSTED_COMMENT_BYTES: usize = 1024 - 2 - UNTRUSTED.len();

/// The eight bytes by which files say which key they mean: a hint, chosen freely by whoever makes the key, never a
/// proof. As text: 16 upper-case hexadecimal digits of the little-endian number, as minisign prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The key id of these bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order in which files hold them.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The bytes of one line of base64: `N` of them exactly, in the only encoding that they have.
fn decode<const N: usize>(line: &str) -> Option<Zeroizing<[u8; N]>> {
    if line.len() != base64_len(N) {
        return None;
    }
    let mut bytes = Zeroizing::new([0; N]);
    let written = STANDARD.decode_slice(line, bytes.as_mut_slice()).ok()?;
    (written == N).then_some(bytes)
}

fn encode(bytes: &[u8]) -> String {
    // Of the final size from the start: a secret key leaves no copy behind where a string grew.
    let mut line = String::with_capacity(base64_len(bytes.len()));
    STANDARD.encode_string(bytes, &mut line);
    line
}

const fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The comment of a first line, if that is what `line` is: printable, and no longer than minisign takes.
fn untrusted_comment(line: &str) -> Option<&str> {
    line.strip_prefix(UNTRUSTED)
        .filter(|comment| comment.len() <= UNTRUSTED_COMMENT_BYTES && comment.chars().all(is_printable))
}

/// Whether `c` may stand in a comment: minisign's own comments have tabs; other control characters, and those that
/// reorder or hide text, have no business in a line that people read.
fn is_printable(c: char) -> bool {
    use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory as _};
    c == '\t'
        || !matches!(
            c.general_category(),
            Category::Control | Category::Format | Category::LineSeparator | Category::ParagraphSeparator
        )
}

/// The start of a text from outside, fit for a message.
fn excerpt(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

/// Files that minisign 0.11 made for these tests (`minisign -GW`, `minisign -S`), and a key of our own.
#[cfg(test)]
mod test_files {
    use super::*;

    pub(super) const PUBLIC: &str = "\
        untrusted comment: minisign public key A25C19E8BC35EDF0\n\
        RWTw7TW86BlcokYt8DUzvtHZx11JqNJ70VRnCSo9fuClSp3yONIpqpWQ\n";
    pub(super) const SECRET: &str = "\
        untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8O01vOgZXKJC+oz/dKF/1OxAVZQnJ5shTONw35avKzhP/redwK5uLkYt8DUzvtHZx11JqNJ70VRnCSo9fuClSp3yONIpqpWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    pub(super) const MESSAGE: &[u8] = b"{\"type\":\"example\"}\n";
    pub(super) const SIGNATURE: &str = "\
        untrusted comment: signature from minisign secret key\n\
        RUTw7TW86Blcoj1Ng8QkacExBEn9evYewTqLGZohZ+a+kqgl8v2Gceqv2YX8XNNKj+DIexvG6ry+9dpq8Fwzjqm62do4SN/wyQY=\n\
        trusted comment: timestamp:1795489169\tfile:msg\thashed\n\
        jcxrAihRhgcDdGDetpsfkH0eCg8TZXAeMOZyB8bq/LiyJsrzGnCcG1dUC7QSORoqVWL9d0t4464Bg4BnXOfbCw==\n";

    /// A secret key with nothing random in it.
    pub(super) fn secret_key() -> SecretKey {
        SecretKey::generate(&Zeroizing::new([7; 32]), KeyId::from_bytes([8, 7, 6, 5, 4, 3, 2, 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_prints_as_minisign_prints_it() {
        assert_eq!(KeyId::from_bytes([8, 7, 6, 5, 4, 3, 2, 1]).to_string(), "0102030405060708");
        assert_eq!(KeyId::from_bytes([0xab, 0, 0, 0, 0, 0, 0, 0]).to_string(), "00000000000000AB");
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(*decode::<4>("AQIDBA==").unwrap(), [1, 2, 3, 4]);
        // Other trailing bits, no padding, padding inside, white space, the URL alphabet, other lengths.
        for bad in ["AQIDBB==", "AQIDBA", "AQID=A==", "AQIDBA= ", "AQID\nA==", "AQIDB-==", "AQIDBAUG", ""] {
            assert!(decode::<4>(bad).is_none(), "{bad:?}");
        }
    }
}
