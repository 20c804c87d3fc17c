//! The comment that a signature covers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::is_printable;

/// Bytes of a trusted comment. Ours has 154 at most; with this many the file stays below [`Limits::signature_bytes`](crate::Limits).
pub(super) const TRUSTED_COMMENT_BYTES: usize = 512;

/// A comment that a signature covers: one short line of printable text. Tabs are allowed: minisign's own have them.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedComment(String);

/// A text that is no trusted comment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustedCommentError {
    /// Longer than we take.
    #[error("the trusted comment has {bytes} bytes, more than the {TRUSTED_COMMENT_BYTES} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character that would do something to a terminal, or hide or reorder text there.
    #[error("the trusted comment contains `{}`, which is not a printable character", character.escape_unicode())]
    NotPrintable {
        /// The first of them.
        character: char,
    },
}

impl TrustedComment {
    /// The comment.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the global signature signs: the message's signature, then the comment.
    pub(super) fn globally_signed(&self, message_signature: &[u8; 64]) -> Vec<u8> {
        [message_signature, self.0.as_bytes()].concat()
    }
}

impl FromStr for TrustedComment {
    type Err = TrustedCommentError;

    fn from_str(text: &str) -> Result<Self, TrustedCommentError> {
        if text.len() > TRUSTED_COMMENT_BYTES {
            return Err(TrustedCommentError::TooLong { bytes: text.len() });
        }
        match text.chars().find(|c| !is_printable(*c)) {
            Some(character) => Err(TrustedCommentError::NotPrintable { character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for TrustedComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TrustedComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedComment({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_that_would_act_on_a_terminal_are_refused_and_not_printed() {
        for character in ['\n', '\u{1b}', '\0', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2028}', '\u{200b}'] {
            let error = TrustedCommentError::NotPrintable { character };
            assert_eq!(format!("goferry{character}").parse::<TrustedComment>(), Err(error.clone()));
            assert!(!error.to_string().contains(character));
        }
    }

    #[test]
    fn comments_are_short_and_may_have_tabs() {
        for good in ["", "timestamp:1795489169\tfile:größe\thashed", &"x".repeat(TRUSTED_COMMENT_BYTES)] {
            assert_eq!(good.parse::<TrustedComment>().unwrap().as_str(), good);
        }
        let error = TrustedCommentError::TooLong { bytes: 513 };
        assert_eq!("x".repeat(513).parse::<TrustedComment>(), Err(error));
    }
}
