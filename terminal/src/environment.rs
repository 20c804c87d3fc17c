//! What the process was started with, as a value that `main` builds once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variables and current directory. Nothing below `main` asks the operating system for them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    directory: PathBuf,
}

impl Environment {
    /// An environment of these variables in this directory.
    pub fn new<K, V>(variables: impl IntoIterator<Item = (K, V)>, directory: impl Into<PathBuf>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, directory: directory.into() }
    }

    /// Those of this process.
    pub fn of_process() -> Self {
        // Without a current directory, relative paths are below the root: they will not be found, and errors say so.
        Self::new(std::env::vars_os(), std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")))
    }

    /// All variables, for the programs that goferry starts.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// A variable's value; unset, empty and not UTF-8 are the same, as nothing can be done with any of them.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// A variable's value that is an absolute path. Others are ignored, as the XDG base directory specification asks.
    pub fn absolute_path(&self, name: &str) -> Option<&Path> {
        self.os(name).map(Path::new).filter(|path| path.is_absolute())
    }

    /// A variable's value that is a path; a relative one is below the current directory.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(|path| self.directory.join(path))
    }

    /// `$HOME`.
    pub fn home(&self) -> Option<&Path> {
        self.absolute_path("HOME")
    }

    /// The current directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}
