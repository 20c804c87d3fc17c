//! A Go module proxy as a directory, written from modules in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use goferry_manifest::{DirHash, Module, Sha256Digest};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The time in each `.info`.
const TIME: &str = "2026-01-02T03:04:05Z";

/// A directory that `GOPROXY=file://…` and any web server can serve.
#[derive(Debug)]
pub struct GoProxyTree {
    root: PathBuf,
    go_sum: String,
}

impl GoProxyTree {
    /// An empty proxy in a directory, which is made if it is not there.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        std::fs::create_dir_all(&root).expect("the test directory is writable");
        Self { root, go_sum: String::new() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What GOPROXY is to be.
    pub fn url(&self) -> String {
        format!("file://{}", self.root.display())
    }

    /// The go.sum lines of all modules that were added.
    pub fn go_sum(&self) -> &str {
        &self.go_sum
    }

    /// Adds a module with these files (name, content); without a go.mod it gets one that names only the module.
    pub fn add(&mut self, path: &str, version: &str, files: &[(&str, &[u8])]) -> Module {
        let module = module(path, version);
        let mut files: BTreeMap<&str, &[u8]> = files.iter().copied().collect();
        let default_go_mod = format!("module {path}\n");
        let go_mod = *files.entry("go.mod").or_insert(default_go_mod.as_bytes());
        self.put(&format!("{}.info", module.download_stem()), info(version).as_bytes());
        self.put(&format!("{}.mod", module.download_stem()), go_mod);
        self.put(&format!("{}.zip", module.download_stem()), &zip(&module.zip_prefix(), &files));
        self.list(&module);
        let digests = files.iter().map(|(name, content)| (*name, Sha256Digest::of(content)));
        let (h1, go_mod_h1) = (
            DirHash::of_prefixed(&module.zip_prefix(), digests),
            DirHash::of_go_mod(Sha256Digest::of(go_mod)),
        );
        writeln!(self.go_sum, "{path} {version} {h1}\n{path} {version}/go.mod {go_mod_h1}")
            .expect("a String takes everything");
        module
    }

    /// Writes any file below the root, such as a bad zip or `sumdb/NAME/supported`.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.root.join(name);
        let directory = path.parent().expect("below the root");
        std::fs::create_dir_all(directory).expect("the test directory is writable");
        std::fs::write(path, bytes).expect("the test directory is writable");
    }

    /// Reads any file below the root.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.root.join(name)).expect("the file is in the tree")
    }

    fn list(&self, module: &Module) {
        let name = format!("{}/@v/list", module.path().escaped());
        let mut list = std::fs::read(self.root.join(&name)).unwrap_or_default();
        writeln!(list, "{}", module.version()).expect("a Vec takes everything");
        self.put(&name, &list);
    }
}

/// A module of known-good path and version.
pub fn module(path: &str, version: &str) -> Module {
    let path = path.parse().expect("a module path");
    Module::new(path, version.parse().expect("a version")).expect("they belong together")
}

/// A module zip: each file below `prefix`.
pub fn zip(prefix: &str, files: &BTreeMap<&str, &[u8]>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(format!("{prefix}{name}"), SimpleFileOptions::default()).expect("a new name");
        zip.write_all(content).expect("a Vec takes everything");
    }
    zip.finish().expect("a Vec takes everything").into_inner()
}

fn info(version: &str) -> String {
    format!("{{\"Version\":\"{version}\",\"Time\":\"{TIME}\"}}")
}
