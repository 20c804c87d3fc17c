//! Asking for passphrases: on the terminal without echo, or, where standard input is no terminal, one line of it.

use std::io::{self, BufRead, IsTerminal as _, Read as _};

use goferry_manifest::minisign::{Passphrase, PassphraseError};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a line that is read before giving up: a few more than a passphrase may have.
const LINE_BYTES: usize = 2048;

/// A passphrase that was not given.
#[derive(Debug, Error)]
pub enum AskError {
    /// Terminal or standard input failed.
    #[error("cannot read the passphrase")]
    Read {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard input ended.
    #[error("no passphrase was given: standard input is empty and no terminal")]
    None,
    /// What was given is none.
    #[error(transparent)]
    Invalid(PassphraseError),
    /// The two differ.
    #[error("the two passphrases differ")]
    Differ,
    /// An empty one protects nothing.
    #[error("the passphrase is empty: give one, or ask for a key without any")]
    Empty,
}

/// Asks for the passphrase of a key that exists.
pub fn ask(prompt: &str) -> Result<Passphrase, AskError> {
    let stdin = io::stdin();
    if stdin.is_terminal() { ask_terminal(prompt) } else { read_line(&mut stdin.lock()) }
}

/// Asks for the passphrase of a new key: twice on a terminal, where it cannot be seen.
pub fn ask_new(prompt: &str) -> Result<Passphrase, AskError> {
    let passphrase = ask(prompt)?;
    if passphrase.is_empty() {
        return Err(AskError::Empty);
    }
    if io::stdin().is_terminal() && ask_terminal("the same again: ")? != passphrase {
        return Err(AskError::Differ);
    }
    Ok(passphrase)
}

fn ask_terminal(prompt: &str) -> Result<Passphrase, AskError> {
    let line = rpassword::prompt_password(prompt).map_err(|source| AskError::Read { source })?;
    Passphrase::new(Zeroizing::new(line.into_bytes())).map_err(AskError::Invalid)
}

/// One line, without its end; the last one may have none.
fn read_line(input: &mut impl BufRead) -> Result<Passphrase, AskError> {
    // Of the final size from the start, so that no copy stays behind where it grew.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    input.take(LINE_BYTES as u64).read_until(b'\n', &mut line).map_err(|source| AskError::Read { source })?;
    if line.is_empty() {
        return Err(AskError::None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    Passphrase::new(line).map_err(AskError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn one_line_of_standard_input_is_a_passphrase() {
        for input in ["open sesame", "open sesame\n", "open sesame\r\n", "open sesame\nand more\n"] {
            assert_eq!(read_line(&mut input.as_bytes()).unwrap(), passphrase("open sesame"), "{input:?}");
        }
        assert_eq!(read_line(&mut "\n".as_bytes()).unwrap(), passphrase(""));
        assert_eq!(read_line(&mut " x \n".as_bytes()).unwrap(), passphrase(" x "));
    }

    #[test]
    fn the_next_line_stays_for_the_next_reader() {
        let mut input = "one\ntwo\n".as_bytes();
        assert_eq!(read_line(&mut input).unwrap(), passphrase("one"));
        assert_eq!(read_line(&mut input).unwrap(), passphrase("two"));
        assert!(matches!(read_line(&mut input), Err(AskError::None)));
    }

    #[test]
    fn what_minisign_could_not_read_is_refused() {
        for input in ["a\0b\n".to_owned(), "a\rb\n".to_owned(), "x".repeat(1023), "x".repeat(1 << 20)] {
            assert!(matches!(read_line(&mut input.as_bytes()), Err(AskError::Invalid(_))));
        }
    }
}
