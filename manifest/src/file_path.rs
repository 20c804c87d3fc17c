//! Paths of files inside a component, by the rules of module zips.
//!
//! `module.CheckFilePath` decides which names there are, `zip.checkZip` which names may stand side by side
//! (`golang.org/x/mod`).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::limits::Limits;

/// A slash-separated relative path of a file: no `.` or `..`, no control characters, nothing that a file system or a
/// terminal could read another way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// A text that is no such path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a file path: {reason}", path.escape_debug())]
pub struct FilePathError {
    path: String,
    reason: &'static str,
}

impl FilePath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its elements, first to last; never empty.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last element.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// What comes before the last element; empty for a file at the top.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }
}

impl FromStr for FilePath {
    type Err = FilePathError;

    fn from_str(path: &str) -> Result<Self, FilePathError> {
        match check(path) {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(reason) => Err(FilePathError { path: path.chars().take(200).collect(), reason }),
        }
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(path: String) -> Result<Self, FilePathError> {
        match check(&path) {
            Ok(()) => Ok(Self(path)),
            Err(reason) => Err(FilePathError { path: path.chars().take(200).collect(), reason }),
        }
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("empty");
    }
    if path.len() > Limits::FORMAT_1.path_bytes {
        return Err("longer than 4096 bytes");
    }
    path.split('/').try_for_each(check_element)
}

/// `checkElem` for file paths.
fn check_element(element: &str) -> Result<(), &'static str> {
    if element.is_empty() {
        return Err("empty path element");
    }
    if element.len() > Limits::FORMAT_1.path_element_bytes {
        return Err("path element longer than 255 bytes");
    }
    if element.ends_with('.') {
        return Err("path element that is only dots or ends with one");
    }
    if !element.chars().all(is_file_name_char) {
        return Err("invalid character");
    }
    if is_reserved_on_windows(element) {
        return Err("path element that Windows reserves");
    }
    Ok(())
}

/// `fileNameOK`.
fn is_file_name_char(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&()+,-.=@[]^_{}~ ".contains(c)
    } else {
        c.general_category_group() == GeneralCategoryGroup::Letter
    }
}

/// `badWindowsNames`: the part before the first dot decides, in any case.
pub(crate) fn is_reserved_on_windows(element: &str) -> bool {
    let short = element.split('.').next().unwrap_or_default();
    let numbered = |prefix: &str| {
        short.len() == 4
            && short.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && matches!(short.as_bytes()[3], b'1'..=b'9')
    };
    ["CON", "PRN", "AUX", "NUL"].iter().any(|name| short.eq_ignore_ascii_case(name))
        || numbered("COM")
        || numbered("LPT")
}

/// Two names of one component that cannot both exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameClash {
    /// The same path twice.
    #[error("`{0}` is listed twice")]
    Twice(FilePath),
    /// Names that a case-insensitive file system cannot tell apart.
    #[error("`{first}` and `{second}` differ only in case")]
    Case {
        /// The name that came first.
        first: String,
        /// The name that came after it.
        second: String,
    },
    /// One name for a file and for a directory.
    #[error("`{0}` is a file and a directory")]
    FileAndDirectory(String),
}

/// The names of one component so far (`collisionChecker` of `x/mod/zip`).
#[derive(Debug, Default)]
pub struct Names {
    /// Folded name to (name, whether it is a directory).
    seen: HashMap<String, (String, bool)>,
}

impl Names {
    /// No name yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and the directories above it.
    pub fn add(&mut self, path: &FilePath) -> Result<(), NameClash> {
        self.add_one(path.as_str(), false)?;
        let mut name = path.parent();
        while !name.is_empty() {
            self.add_one(name, true)?;
            name = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        Ok(())
    }

    fn add_one(&mut self, name: &str, is_directory: bool) -> Result<(), NameClash> {
        let Some((other, other_is_directory)) = self.seen.get(&fold(name)) else {
            self.seen.insert(fold(name), (name.to_owned(), is_directory));
            return Ok(());
        };
        if other != name {
            return Err(NameClash::Case { first: other.clone(), second: name.to_owned() });
        }
        match (is_directory, *other_is_directory) {
            (true, true) => Ok(()),
            (false, false) => Err(NameClash::Twice(FilePath(name.to_owned()))),
            _ => Err(NameClash::FileAndDirectory(name.to_owned())),
        }
    }
}

/// Simple case folding: equal for two names exactly where Go's `strToFold` is (both choose one representative of each
/// orbit of `unicode.SimpleFold`; which one does not matter).
fn fold(name: &str) -> String {
    let fold_char = |c: char| {
        unicode_case_mapping::case_folded(c).and_then(|folded| char::from_u32(folded.get())).unwrap_or(c)
    };
    if name.is_ascii() { name.to_ascii_lowercase() } else { name.chars().map(fold_char).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_all(paths: &[&str]) -> Result<(), NameClash> {
        let mut names = Names::new();
        paths.iter().try_for_each(|path| names.add(&path.parse().unwrap()))
    }

    #[test]
    fn names_that_module_zips_may_hold() {
        for path in [
            "a",
            "a/b.go",
            "LICENSE",
            ".gitignore",
            "testdata/-x",
            "a b",
            "é/ñ.txt",
            "日本.go",
            "a~1",
            "x/!#$%&()+,-.=@[]^_{}~ y",
        ] {
            assert_eq!(path.parse::<FilePath>().map(String::from).as_deref(), Ok(path));
        }
    }

    #[test]
    fn names_that_module_zips_may_not_hold() {
        // bad-inputs #30, #31
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/.",
            "a.",
            "...",
            "a\\b",
            "c:a",
            "a\0",
            "a\nb",
            "a\r",
            "\x1b[0m",
            "a*",
            "a?",
            "a<b",
            "a|b",
            "a\"b",
            "a'b",
            "a`b",
            "con",
            "a/NUL.txt",
            "com1",
            "lpt9.x",
            "a\u{301}",
            "a\u{200b}",
            "½",
        ] {
            assert!(path.parse::<FilePath>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn long_names_are_refused() {
        // bad-inputs #32
        assert!("a".repeat(255).parse::<FilePath>().is_ok());
        assert!("a".repeat(256).parse::<FilePath>().is_err());
        assert!("a/".repeat(2047).parse::<FilePath>().is_err());
        assert!(format!("{}a", "a/".repeat(2047)).parse::<FilePath>().is_ok());
        assert!(format!("{}aaa", "a/".repeat(2047)).parse::<FilePath>().is_err());
    }

    #[test]
    fn names_equal_under_case_folding_clash_as_in_x_mod_zip() {
        // bad-inputs #33: simple folding exactly, so `ß` and `ss` may stand side by side
        for pair in
            [["a.go", "A.go"], ["dir/a", "DIR/b"], ["k", "\u{212a}"], ["σ", "ς"], ["é", "É"], ["ſ", "s"]]
        {
            assert!(matches!(add_all(&pair), Err(NameClash::Case { .. })), "{pair:?}");
        }
        assert_eq!(add_all(&["ß", "ss", "i", "ı", "İ"]), Ok(()));
    }

    #[test]
    fn a_name_is_there_once_and_is_a_file_or_a_directory() {
        // bad-inputs #34, #35
        assert_eq!(add_all(&["a", "a"]), Err(NameClash::Twice("a".parse().unwrap())));
        assert_eq!(add_all(&["a/b", "a"]), Err(NameClash::FileAndDirectory("a".to_owned())));
        assert_eq!(add_all(&["a", "a/b"]), Err(NameClash::FileAndDirectory("a".to_owned())));
        assert_eq!(add_all(&["a/b", "a/c", "b"]), Ok(()));
    }
}
