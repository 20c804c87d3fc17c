//! Signatures: `.minisig` files.

use thiserror::Error;

use super::{KeyId, TrustedComment, TrustedCommentError, decode, encode, excerpt, untrusted_comment};
use crate::Limits;

/// The first line of every signature that we write, without its LF. It is not signed, so that a bundle has it fixed.
pub const SIGNATURE_FIRST_LINE: &str = "untrusted comment: signature from goferry secret key";

/// What the third line starts with.
const TRUSTED: &str = "trusted comment: ";

/// Bytes of a signature file of another program: its first line may be longer than ours.
const FOREIGN_BYTES: usize = 2 << 10;

/// `ED`, key id, Ed25519 signature.
const BYTES: usize = 2 + 8 + 64;

/// A detached signature, taken apart. It proves nothing until [`PublicKey::verify`](super::PublicKey::verify) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    key_id: KeyId,
    message: [u8; 64],
    comment: TrustedComment,
    global: [u8; 64],
}

/// Bytes that are no signature.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// More than any signature has.
    #[error("the signature has {bytes} bytes, more than the {limit} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that it may have.
        limit: usize,
    },
    /// Not UTF-8, or with line ends other than LF.
    #[error("the signature is not UTF-8 text whose lines end with LF alone")]
    Text,
    /// Something is missing or follows.
    #[error(
        "a signature is four lines that each end with LF; this is another number of them, or the last LF is missing"
    )]
    Lines,
    /// In a bundle: the first line is another.
    #[error("the first line of the signature is `{actual}`, not `{SIGNATURE_FIRST_LINE}`")]
    FirstLine {
        /// Its start, escaped.
        actual: String,
    },
    /// In a file: the first line is no comment.
    #[error(
        "the first line of the signature is not `untrusted comment: ` and one short line of printable text"
    )]
    UntrustedComment,
    /// Not base64, not canonical, or of another length.
    #[error("line {line} of the signature is not {bytes} bytes in canonical base64")]
    Base64 {
        /// Which line, from 1.
        line: usize,
        /// What it should encode.
        bytes: usize,
    },
    /// minisign's old form, over the message itself.
    #[error("the signature is of minisign's legacy kind `Ed`: sign without `-l`")]
    Legacy,
    /// Some other algorithm.
    #[error("the signature is not of minisign's prehashed kind `ED`")]
    Algorithm,
    /// The third line is no trusted comment.
    #[error("line 3 of the signature does not start with `trusted comment: `")]
    NoTrustedComment,
    /// The trusted comment has characters that it may not have.
    #[error(transparent)]
    TrustedComment(TrustedCommentError),
}

impl Signature {
    pub(super) fn new(key_id: KeyId, message: [u8; 64], comment: TrustedComment, global: [u8; 64]) -> Self {
        Self { key_id, message, comment, global }
    }

    /// Takes the only form that bundles hold: what [`to_bytes`](Self::to_bytes) gives.
    pub fn parse_canonical(bytes: &[u8]) -> Result<Self, SignatureError> {
        let limit = usize::try_from(Limits::FORMAT_1.signature_bytes).unwrap_or(usize::MAX);
        let [first, rest @ ..] = lines(bytes, limit)?;
        if first != SIGNATURE_FIRST_LINE {
            return Err(SignatureError::FirstLine { actual: excerpt(first) });
        }
        Self::parse_after_first_line(rest)
    }

    /// Takes a file of the minisign command, which may have any first comment.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let [first, rest @ ..] = lines(bytes, FOREIGN_BYTES)?;
        untrusted_comment(first).ok_or(SignatureError::UntrustedComment)?;
        Self::parse_after_first_line(rest)
    }

    fn parse_after_first_line([signature, comment, global]: [&str; 3]) -> Result<Self, SignatureError> {
        let signature = decode::<BYTES>(signature).ok_or(SignatureError::Base64 { line: 2, bytes: BYTES })?;
        let (algorithm, key_id, message) = split(&signature);
        match &algorithm {
            b"ED" => {}
            b"Ed" => return Err(SignatureError::Legacy),
            _ => return Err(SignatureError::Algorithm),
        }
        let comment = comment
            .strip_prefix(TRUSTED)
            .ok_or(SignatureError::NoTrustedComment)?
            .parse()
            .map_err(SignatureError::TrustedComment)?;
        let global = *decode::<64>(global).ok_or(SignatureError::Base64 { line: 4, bytes: 64 })?;
        Ok(Self { key_id: KeyId::from_bytes(key_id), message, comment, global })
    }

    /// The file, with our own first line.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { key_id, message, comment, global } = self;
        let signature = encode(&[b"ED", key_id.as_bytes().as_slice(), message].concat());
        format!("{SIGNATURE_FIRST_LINE}\n{signature}\n{TRUSTED}{comment}\n{}\n", encode(global)).into_bytes()
    }

    /// The key that made it, as it says: a hint.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What the signer said about it, signed along once the signature verified. It decides nothing.
    pub fn trusted_comment(&self) -> &TrustedComment {
        &self.comment
    }

    /// The signature of the message's prehash.
    pub(super) fn message_signature(&self) -> &[u8; 64] {
        &self.message
    }

    /// The signature that binds the trusted comment to the one of the message.
    pub(super) fn global_signature(&self) -> &[u8; 64] {
        &self.global
    }

    /// What the global signature signs.
    pub(super) fn globally_signed(&self) -> Vec<u8> {
        self.comment.globally_signed(&self.message)
    }
}

/// The four lines of a file of at most `limit` bytes, without their LFs.
fn lines(bytes: &[u8], limit: usize) -> Result<[&str; 4], SignatureError> {
    if bytes.len() > limit {
        return Err(SignatureError::TooLong { bytes: bytes.len(), limit });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SignatureError::Text)?;
    if text.contains('\r') {
        return Err(SignatureError::Text);
    }
    let body = text.strip_suffix('\n').ok_or(SignatureError::Lines)?;
    body.split('\n').collect::<Vec<_>>().try_into().map_err(|_| SignatureError::Lines)
}

fn split(bytes: &[u8; BYTES]) -> ([u8; 2], [u8; 8], [u8; 64]) {
    let array = "the parts add up to the whole";
    let (algorithm, rest) = bytes.split_first_chunk().expect(array);
    let (id, signature) = rest.split_first_chunk().expect(array);
    (*algorithm, *id, signature.try_into().expect(array))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minisign::test_files::{MESSAGE, PUBLIC, SIGNATURE, secret_key};
    use crate::minisign::trusted_comment::TRUSTED_COMMENT_BYTES;
    use crate::minisign::{PublicKey, VerifyError};

    fn signed() -> Signature {
        secret_key().sign(MESSAGE, "goferry platform 7 0123".parse().unwrap())
    }

    fn text(signature: &Signature) -> String {
        String::from_utf8(signature.to_bytes()).unwrap()
    }

    /// `signature` with its line `number` (from 1) replaced.
    fn with_line(signature: &str, number: usize, line: &str) -> String {
        let mut lines: Vec<&str> = signature.trim_end().split('\n').collect();
        lines[number - 1] = line;
        lines.join("\n") + "\n"
    }

    #[test]
    fn a_signature_verifies_over_its_own_message_only() {
        let (key, signature) = (secret_key().public_key(), signed());
        assert_eq!(key.verify(MESSAGE, &signature), Ok(()));
        assert_eq!(key.verify(b"", &signature), Err(VerifyError::Message { key: key.key_id() }));
        // bad-inputs #6, #22
        let other: PublicKey = PUBLIC.parse().unwrap();
        let wrong = VerifyError::WrongKey { expected: other.key_id(), actual: key.key_id() };
        assert_eq!(other.verify(MESSAGE, &signature), Err(wrong));
    }

    #[test]
    fn writing_and_reading_are_inverse() {
        let bytes = signed().to_bytes();
        assert_eq!(Signature::parse_canonical(&bytes).unwrap(), signed());
        assert_eq!(Signature::parse(&bytes).unwrap(), signed());
        assert_eq!(Signature::parse_canonical(&bytes).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn a_signature_of_minisign_gets_our_first_line() {
        let theirs = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        let key: PublicKey = PUBLIC.parse().unwrap();
        assert_eq!(key.verify(MESSAGE, &theirs), Ok(()));
        assert_eq!(theirs.trusted_comment().as_str(), "timestamp:1795489169\tfile:msg\thashed");
        assert_eq!(
            Signature::parse_canonical(SIGNATURE.as_bytes()),
            Err(SignatureError::FirstLine {
                actual: "untrusted comment: signature from minisign secret key".into()
            })
        );
        let rewritten = Signature::parse_canonical(&theirs.to_bytes()).unwrap();
        assert_eq!(key.verify(MESSAGE, &rewritten), Ok(()));
    }

    #[test]
    fn no_flipped_bit_of_the_file_passes() {
        // bad-inputs #1
        let (key, bytes) = (secret_key().public_key(), signed().to_bytes());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let verified =
                    Signature::parse_canonical(&flipped).is_ok_and(|s| key.verify(MESSAGE, &s).is_ok());
                assert!(!verified, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn no_cut_and_nothing_after_the_end_passes() {
        // bad-inputs #23
        let bytes = signed().to_bytes();
        for length in 0..bytes.len() {
            assert!(Signature::parse_canonical(&bytes[..length]).is_err(), "{length}");
        }
        for more in [b"\n".as_slice(), b"\0", b" ", &bytes] {
            let longer = [&bytes, more].concat();
            assert!(Signature::parse_canonical(&longer).is_err(), "{more:?}");
            assert!(Signature::parse(&longer).is_err(), "{more:?}");
        }
    }

    #[test]
    fn signatures_with_the_group_order_added_are_refused() {
        // bad-inputs #2: S and S + L are the same number to a careless verifier.
        const L: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let add = |signature: &mut [u8; 64]| {
            let mut carry = 0;
            for (byte, l) in signature[32..].iter_mut().zip(L) {
                let sum = u16::from(*byte) + u16::from(l) + carry;
                [*byte, _] = sum.to_le_bytes();
                carry = sum >> 8;
            }
            assert_eq!(carry, 0);
        };
        let key = secret_key().public_key();
        let mut message = signed();
        add(&mut message.message);
        assert_eq!(key.verify(MESSAGE, &message), Err(VerifyError::Message { key: key.key_id() }));
        let mut global = signed();
        add(&mut global.global);
        assert_eq!(key.verify(MESSAGE, &global), Err(VerifyError::TrustedComment { key: key.key_id() }));
    }

    #[test]
    fn signatures_with_a_weak_or_second_encoding_of_r_are_refused() {
        // bad-inputs #4: R of small order, canonical and not, with the S of a good signature and with S = 0.
        let key = secret_key().public_key();
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut second_identity = [0xff; 32];
        (second_identity[0], second_identity[31]) = (0xee, 0x7f);
        for r in [identity, second_identity, [0; 32]] {
            for s in [[0; 32], signed().message[32..].try_into().unwrap()] {
                let mut weak = signed();
                weak.message = [r, s].concat().try_into().unwrap();
                assert!(key.verify(MESSAGE, &weak).is_err(), "{r:02x?}");
            }
        }
    }

    #[test]
    fn another_trusted_comment_is_refused() {
        // The minisign container list after bad-inputs #112.
        let key = secret_key().public_key();
        let text = text(&signed()).replace("platform 7", "platform 8");
        let signature = Signature::parse_canonical(text.as_bytes()).unwrap();
        let error = VerifyError::TrustedComment { key: key.key_id() };
        assert_eq!(key.verify(MESSAGE, &signature), Err(error));
        // Nor may the signature of one message be joined with the comment of another.
        let mut joined = signed();
        joined.global = secret_key().sign(b"other", joined.comment.clone()).global;
        assert_eq!(key.verify(MESSAGE, &joined), Err(error));
    }

    #[test]
    fn signatures_that_are_not_prehashed_are_refused() {
        // The minisign container list after bad-inputs #112.
        let line = |algorithm: &[u8; 2]| {
            let Signature { key_id, message, .. } = signed();
            encode(&[algorithm.as_slice(), key_id.as_bytes(), &message].concat())
        };
        let parse = |algorithm| Signature::parse(with_line(&text(&signed()), 2, &line(algorithm)).as_bytes());
        assert_eq!(parse(b"ED"), Ok(signed()));
        assert_eq!(parse(b"Ed"), Err(SignatureError::Legacy));
        assert_eq!(parse(b"eD"), Err(SignatureError::Algorithm));
    }

    #[test]
    fn other_line_ends_and_lines_are_refused() {
        // The minisign container list after bad-inputs #112.
        let good = text(&signed());
        let (first, rest) = good.split_once('\n').unwrap();
        let cases = [
            (good.replace('\n', "\r\n"), SignatureError::Text),
            (good.trim_end().to_owned(), SignatureError::Lines),
            (format!("{good}\n"), SignatureError::Lines),
            (rest.to_owned(), SignatureError::Lines),
            (format!("{first}\n{good}"), SignatureError::Lines),
            (format!("\u{feff}{good}"), SignatureError::UntrustedComment),
            (with_line(&good, 1, "untrusted comment: \u{1b}[2J"), SignatureError::UntrustedComment),
            (
                with_line(&good, 1, &format!("untrusted comment: {}", "x".repeat(1004))),
                SignatureError::UntrustedComment,
            ),
            (with_line(&good, 1, &"x".repeat(3000)), SignatureError::TooLong { bytes: 3232, limit: 2048 }),
            (with_line(&good, 2, "RUQ="), SignatureError::Base64 { line: 2, bytes: 74 }),
            (with_line(&good, 3, "comment: x"), SignatureError::NoTrustedComment),
            (with_line(&good, 4, "!"), SignatureError::Base64 { line: 4, bytes: 64 }),
        ];
        for (text, error) in cases {
            assert_eq!(Signature::parse(text.as_bytes()), Err(error), "{text:?}");
            assert!(Signature::parse_canonical(text.as_bytes()).is_err(), "{text:?}");
        }
        assert_eq!(Signature::parse(b"\xff\n\n\n\n"), Err(SignatureError::Text));
    }

    #[test]
    fn a_first_line_that_would_act_on_a_terminal_is_not_printed() {
        for character in ['\u{1b}', '\0', '\u{9b}', '\u{202e}', '\u{2028}', '\u{200b}'] {
            let file = with_line(&text(&signed()), 1, &format!("goferry{character}"));
            let shown = Signature::parse_canonical(file.as_bytes()).unwrap_err().to_string();
            assert!(!shown.contains(character), "{shown:?}");
        }
    }

    #[test]
    fn the_longest_signature_fits_the_limit_of_a_bundle() {
        let signature = secret_key().sign(MESSAGE, "x".repeat(TRUSTED_COMMENT_BYTES).parse().unwrap());
        assert_eq!(Signature::parse_canonical(&signature.to_bytes()), Ok(signature));
    }
}
