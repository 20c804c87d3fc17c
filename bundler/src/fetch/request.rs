//! What a module proxy can be asked for.

use std::fmt;

use goferry_manifest::{Module, ModulePath};

/// A request below the address of a proxy (<https://go.dev/ref/mod#goproxy-protocol>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    module: ModulePath,
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Another answer is possible tomorrow.
    Changing,
    /// The answer never changes.
    Small,
    /// The answer never changes, and may be long.
    Large,
}

impl Request {
    /// `@v/VERSION.info`: version and time.
    pub fn info(module: &Module) -> Self {
        Self::of(module.path(), format!("{}.info", module.download_stem()), Kind::Small)
    }

    /// `@v/VERSION.mod`: its go.mod.
    pub fn go_mod(module: &Module) -> Self {
        Self::of(module.path(), format!("{}.mod", module.download_stem()), Kind::Small)
    }

    /// `@v/VERSION.zip`: its files.
    pub fn zip(module: &Module) -> Self {
        Self::of(module.path(), format!("{}.zip", module.download_stem()), Kind::Large)
    }

    /// `@v/list`: the released versions.
    pub fn list(path: &ModulePath) -> Self {
        Self::of(path, format!("{}/@v/list", path.escaped()), Kind::Changing)
    }

    /// `@latest`: the newest version, where there is no list.
    pub fn latest(path: &ModulePath) -> Self {
        Self::of(path, format!("{}/@latest", path.escaped()), Kind::Changing)
    }

    /// The module that is asked for.
    pub fn module(&self) -> &ModulePath {
        &self.module
    }

    /// The path below a proxy, such as `golang.org/x/text/@v/v0.3.0.zip`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the answer is the same whenever and whomever one asks, so that it can be kept.
    pub fn is_immutable(&self) -> bool {
        self.kind != Kind::Changing
    }

    /// Whether the answer goes through a file, so that it can be continued when it breaks off.
    pub(super) fn is_large(&self) -> bool {
        self.kind == Kind::Large
    }

    fn of(path: &ModulePath, name: String, kind: Kind) -> Self {
        Self { module: path.clone(), name, kind }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}
