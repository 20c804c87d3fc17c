//! What a database answers to a look-up.

use thiserror::Error;

use super::tree::parse_number;
use super::{NoteError, SignedNote, record_hash};
use crate::Sha256Digest;

/// The answer to `lookup/<module>@<version>`: a record's number and text, and some signed head.
///
/// Nothing in it is proven. The text is read by [`super::AuthenticTiles::prove`] only. The head is any that the
/// database has signed since the record came in, often an old one; the record is not bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    id: u64,
    text: String,
    note: SignedNote,
}

/// Bytes that are no answer to a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LookupError {
    /// The part before the signed head.
    #[error("malformed look-up: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The signed head.
    #[error("malformed look-up")]
    Note(#[from] NoteError),
}

impl Lookup {
    /// Bytes of an answer: a record has two lines with a module path and a version each.
    pub const MAX_BYTES: usize = SignedNote::MAX_BYTES + (64 << 10);

    /// Takes an answer apart: `<id>\n<text>\n<signed note>`, where the text has no empty line (`tlog.ParseRecord`).
    pub fn parse(answer: &[u8]) -> Result<Self, LookupError> {
        let fail = |reason| LookupError::Malformed { reason };
        if answer.len() > Self::MAX_BYTES {
            return Err(fail("too long"));
        }
        let answer = std::str::from_utf8(answer).map_err(|_| fail("not UTF-8"))?;
        let (id, rest) = answer.split_once('\n').ok_or(fail("no end of line after the record's number"))?;
        let id = parse_number(id).ok_or(fail("the record's number is not a number"))?;
        let end = rest.find("\n\n").ok_or(fail("no empty line after the record"))?;
        let (text, note) = (&rest[..=end], &rest[end + 2..]);
        if text.starts_with('\n') || text.bytes().any(|c| c < 0x20 && c != b'\n') {
            return Err(fail("an empty line or a control character in the record"));
        }
        let note = SignedNote::parse(note.as_bytes())?;
        Ok(Self { id, text: text.to_owned(), note })
    }

    /// The record's number, counted from 0.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The signed head that came with the record.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn record_hash(&self) -> Sha256Digest {
        record_hash(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_log::TestLog;
    use super::*;

    fn answer() -> String {
        let mut log = TestLog::new("a.b", 1);
        log.add("a.b/c", "v1.0.0");
        String::from_utf8(log.lookup(0, 1)).unwrap()
    }

    #[test]
    fn an_answer_has_a_number_a_record_and_a_note() {
        let lookup = Lookup::parse(answer().as_bytes()).unwrap();
        assert_eq!(lookup.id(), 0);
        assert!(lookup.text().starts_with("a.b/c v1.0.0 h1:") && lookup.text().ends_with("=\n"));
        assert!(lookup.note().as_bytes().starts_with(b"go.sum database tree\n1\n"));
    }

    #[test]
    fn malformed_answers_are_refused() {
        let good = answer();
        let record = &good[2..good.find("\n\n").unwrap()];
        for bad in [
            String::new(),
            "0".to_owned(),
            "0\n".to_owned(),
            format!("0\n{record}\n"),
            format!("0\n{record}\n\n"),
            good.replacen("0\n", "\n", 1),
            good.replacen("0\n", "00\n", 1),
            good.replacen("0\n", "+0\n", 1),
            good.replacen("0\n", "-1\n", 1),
            good.replacen("0\n", "0x1\n", 1),
            good.replacen("0\n", " 0\n", 1),
            good.replacen("0\n", "9223372036854775808\n", 1),
            good.replacen("0\n", "0\r\n", 1),
            good.replacen("0\n", "0\n\n", 1),
            good.replacen("a.b/c", "a.b\t/c", 1),
            good.replacen("\n\n", "\n", 1),
            format!("{good}x"),
            format!("0\n{}\n{}", "x".repeat(70_000), &good[2..]).repeat(2),
        ] {
            assert!(Lookup::parse(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(300)]);
        }
        assert!(Lookup::parse(b"0\n\xff\n\n").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut: usize, at: usize, byte: u8) {
            let _ = Lookup::parse(&bytes);
            let mut answer = answer().into_bytes();
            let at = at % answer.len();
            answer[at] = byte;
            answer.truncate(cut % 2000);
            if let Ok(lookup) = Lookup::parse(&answer) {
                let again = format!("{}\n{}\n", lookup.id(), lookup.text()).into_bytes();
                prop_assert_eq!([&again, lookup.note().as_bytes()].concat(), answer);
            }
        }
    }
}
