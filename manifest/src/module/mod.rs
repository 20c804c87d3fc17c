//! Modules: paths, versions, and how both are spelled in proxies and caches.
//!
//! The rules are those of `golang.org/x/mod/module`, exactly.

mod escape;
mod path;
mod version;

use std::fmt;

use thiserror::Error;

pub use self::path::{ModulePath, ModulePathError};
pub use self::version::{ModuleVersion, ModuleVersionError};

/// A module at a version: what go.sum, the proxy protocol and the checksum database name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Module {
    path: ModulePath,
    version: ModuleVersion,
}

/// A path and a version that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("version `{version}` cannot belong to module `{path}`: its major version should be {expected}")]
pub struct MajorMismatch {
    path: ModulePath,
    version: ModuleVersion,
    expected: String,
}

impl Module {
    /// Joins a path and a version whose major version is the path's (`module.Check`).
    pub fn new(path: ModulePath, version: ModuleVersion) -> Result<Self, MajorMismatch> {
        match path.expected_major(&version) {
            Ok(()) => Ok(Self { path, version }),
            Err(expected) => Err(MajorMismatch { path, version, expected }),
        }
    }

    /// The module's path.
    pub fn path(&self) -> &ModulePath {
        &self.path
    }

    /// Its version.
    pub fn version(&self) -> &ModuleVersion {
        &self.version
    }

    /// `path@version/`, the prefix of every file name in the module's zip and in its h1.
    pub fn zip_prefix(&self) -> String {
        format!("{self}/")
    }

    /// `escaped-path@escaped-version`: the extracted directory below a GOMODCACHE, and the name of the look-up in a
    /// checksum database.
    pub fn escaped(&self) -> String {
        format!("{}@{}", self.path.escaped(), self.version.escaped())
    }

    /// `escaped-path/@v/escaped-version`, below a proxy or `cache/download`; `.info`, `.mod` or `.zip` comes after it.
    pub fn download_stem(&self) -> String {
        format!("{}/@v/{}", self.path.escaped(), self.version.escaped())
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, version: &str) -> Result<Module, MajorMismatch> {
        Module::new(path.parse().unwrap(), version.parse().unwrap())
    }

    #[test]
    fn upper_case_is_escaped_in_file_names_only() {
        let module = module("github.com/BurntSushi/toml", "v1.0.0-RC1").unwrap();
        assert_eq!(module.zip_prefix(), "github.com/BurntSushi/toml@v1.0.0-RC1/");
        assert_eq!(module.escaped(), "github.com/!burnt!sushi/toml@v1.0.0-!r!c1");
        assert_eq!(module.download_stem(), "github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1");
    }

    #[test]
    fn the_major_version_follows_the_path() {
        // bad-inputs #43; cases of x/mod/module's own test
        for (path, version) in [
            ("a.b/c", "v1.2.3"),
            ("a.b/c", "v0.1.0"),
            ("a.b/c", "v2.0.0+incompatible"),
            ("a.b/c/v2", "v2.0.0"),
            ("gopkg.in/yaml.v2", "v2.2.1"),
            ("gopkg.in/check.v1", "v0.0.0-20161208181325-20d25e280405"),
            ("gopkg.in/macaron.v1", "v1.0.0"),
            ("gopkg.in/a.v3-unstable", "v3.0.0"),
        ] {
            assert!(module(path, version).is_ok(), "{path}@{version}");
        }
        for (path, version) in [
            ("a.b/c", "v2.0.0"),
            ("a.b/c/v2", "v3.0.0"),
            ("a.b/c/v2", "v1.0.0"),
            ("gopkg.in/yaml.v2", "v3.0.0"),
            ("a.b/c/v2", "v2.0.0+incompatible"),
        ] {
            // The last is refused by go's `mod/modfile`; a path with its own major version is never incompatible.
            assert!(module(path, version).is_err(), "{path}@{version}");
        }
    }
}
