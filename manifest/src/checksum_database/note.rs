//! Signed notes (`golang.org/x/mod/sumdb/note`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::key::hex;
use super::{DatabaseName, VerifierKey};

/// A note that is well formed. Nothing is known about its signatures, so its text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    /// What was parsed, byte for byte.
    whole: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    hash: [u8; 4],
    bytes: Vec<u8>,
}

/// Bytes that are no signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed signed note: {reason}")]
pub struct NoteError {
    reason: &'static str,
}

/// A note that the key does not vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A signature that claims to be the key's and is not.
    #[error("security: wrong signature by key `{name}+{}`", hex(*hash))]
    Wrong {
        /// The database of the key.
        name: DatabaseName,
        /// The hash of the key.
        hash: [u8; 4],
    },
    /// Only other keys have signed.
    #[error("security: not signed by key `{name}+{}`", hex(*hash))]
    Missing {
        /// The database of the key.
        name: DatabaseName,
        /// The hash of the key.
        hash: [u8; 4],
    },
}

impl SignedNote {
    /// Bytes of a note. The notes of a database have about 200; each witness's signature adds about 150.
    pub const MAX_BYTES: usize = 64 << 10;
    /// Signatures of a note, as in `note.Open`.
    pub const MAX_SIGNATURES: usize = 100;

    /// Takes a note apart: text, an empty line, and lines `— <name> <base64 of key hash and signature>`.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        let fail = |reason| NoteError { reason };
        if note.len() > Self::MAX_BYTES {
            return Err(fail("too long"));
        }
        let whole = std::str::from_utf8(note).map_err(|_| fail("not UTF-8"))?;
        if whole.bytes().any(|c| c < 0x20 && c != b'\n') {
            return Err(fail("a control character"));
        }
        let end = whole.rfind("\n\n").ok_or(fail("no empty line before the signatures"))?;
        let (text, lines) = (&whole[..=end], &whole[end + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(fail("no end of line after the signatures"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == Self::MAX_SIGNATURES {
                return Err(fail("too many signatures"));
            }
            signatures.push(NoteSignature::parse(line).ok_or(fail("a malformed signature line"))?);
        }
        Ok(Self { text: text.to_owned(), whole: whole.to_owned(), signatures })
    }

    /// Checks every signature by `key`, of which there must be one. Those by other keys are ignored.
    pub fn verify(&self, key: &VerifierKey) -> Result<VerifiedNote, SignatureError> {
        let mut verified = false;
        for signature in &self.signatures {
            if signature.name != key.name().as_str() || signature.hash != key.hash() {
                continue;
            }
            if !key.verifies(&self.text, &signature.bytes) {
                return Err(SignatureError::Wrong { name: key.name().clone(), hash: key.hash() });
            }
            verified = true;
        }
        if verified {
            Ok(VerifiedNote { text: self.text.clone() })
        } else {
            Err(SignatureError::Missing { name: key.name().clone(), hash: key.hash() })
        }
    }

    /// The note as it was parsed, with all its signatures.
    pub fn as_bytes(&self) -> &[u8] {
        self.whole.as_bytes()
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        // `isValidName`: not only names of databases sign, and theirs need not be ours to read
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return None;
        }
        let decoded = STANDARD.decode(encoded).ok()?;
        let (hash, bytes) = decoded.split_first_chunk()?;
        (!bytes.is_empty()).then(|| Self { name: name.to_owned(), hash: *hash, bytes: bytes.to_vec() })
    }
}

/// The text of a note that a trusted key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
}

impl VerifiedNote {
    /// The signed text. It ends with a newline.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_log::{TestLog, sign};
    use super::*;

    fn key() -> VerifierKey {
        TestLog::new("db.example/sum", 1).key()
    }

    fn other_key() -> VerifierKey {
        TestLog::new("db.example/sum", 2).key()
    }

    fn note(text: &str, seeds: &[u8]) -> String {
        let lines: String = seeds.iter().map(|seed| sign("db.example/sum", *seed, text)).collect();
        format!("{text}\n{lines}")
    }

    fn verify(note: &str) -> Result<VerifiedNote, SignatureError> {
        SignedNote::parse(note.as_bytes()).unwrap().verify(&key())
    }

    #[test]
    fn a_signed_text_can_be_read_only_after_its_signature_was_verified() {
        let whole = note("some\n\ntext\n", &[1]);
        assert_eq!(verify(&whole).unwrap().text(), "some\n\ntext\n");
        assert_eq!(SignedNote::parse(whole.as_bytes()).unwrap().as_bytes(), whole.as_bytes());
    }

    #[test]
    fn unknown_keys_are_ignored_and_a_bad_signature_of_the_known_one_is_an_error() {
        let (missing, wrong) = (
            SignatureError::Missing { name: key().name().clone(), hash: key().hash() },
            SignatureError::Wrong { name: key().name().clone(), hash: key().hash() },
        );
        assert!(verify(&note("text\n", &[2, 1, 3])).is_ok());
        assert_eq!(verify(&note("text\n", &[2, 3])), Err(missing));
        assert_ne!(key().hash(), other_key().hash());
        assert_eq!(verify(&note("text\n", &[1]).replace("text", "tent")), Err(wrong.clone()));
        // a good one does not make up for a bad one, before or after it
        let good = sign("db.example/sum", 1, "text\n");
        let bad = sign("db.example/sum", 1, "tent\n");
        assert_eq!(verify(&format!("text\n\n{good}{bad}")), Err(wrong.clone()));
        assert_eq!(verify(&format!("text\n\n{bad}{good}")), Err(wrong.clone()));
        // a signature of another length
        let short = format!("— db.example/sum {}\n", STANDARD.encode([&key().hash()[..], &[7; 63]].concat()));
        assert_eq!(verify(&format!("text\n\n{short}")), Err(wrong));
    }

    #[test]
    fn the_same_key_bytes_under_another_name_are_another_key() {
        let renamed = format!("text\n\n{}", sign("db.example/sun", 1, "text\n"));
        assert!(matches!(verify(&renamed), Err(SignatureError::Missing { .. })));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let whole = note("go.sum database tree\n1\nx\n", &[1]).into_bytes();
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = SignedNote::parse(&changed).is_ok_and(|note| note.verify(&key()).is_ok());
            assert!(!accepted, "bit {bit}");
        }
    }

    #[test]
    fn malformed_notes_are_refused() {
        let good = note("text\n", &[1]);
        let line = sign("db.example/sum", 1, "text\n");
        let many = |n: usize| format!("text\n\n{}", line.repeat(n));
        assert!(SignedNote::parse(many(16).as_bytes()).is_ok());
        assert!(SignedNote::parse(many(100).as_bytes()).is_ok());
        for bad in [
            String::new(),
            "\n\n".to_owned(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            "text\n\n\n".to_owned(),
            good.replace("\n\n", "\n"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            format!("{good}x\n"),
            good.replace("— ", "- "),
            good.replace("— ", "—"),
            good.replace("— ", "—  "),
            good.replace("db.example", "db+example"),
            good.replace('\n', "\r\n"),
            good.replace("text", "te\0xt"),
            good.replace("=\n", "\n"),
            good.replace("=\n", "=\t\n"),
            "text\n\n— a AAAAAA==\n".to_owned(),
            many(101),
            format!("{}\n{line}", "x\n".repeat(40_000)),
        ] {
            assert!(SignedNote::parse(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(200)]);
        }
        assert!(SignedNote::parse(b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n").is_err());
    }
}
