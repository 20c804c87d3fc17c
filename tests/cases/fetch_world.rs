//! What the tests of fetching share: a proxy with one module, a scripted server before it, a cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::goproxy_tree::GoProxyTree;
use e2e::scripted_server::{Fault, ScriptedServer};
use goferry::cache::{Blob, Cache};
use goferry::fetch::{FetchError, Fetcher, ProofError, Request};
use goferry::http::{Client, HttpError, Patience, Silent, Watch};
use goferry::parallel::Stop;
use goferry::proxy_list::Settings;
use goferry_manifest::{Module, Sha256Digest};
use goferry_terminal::Environment;
use tempfile::TempDir;

pub(super) const ZIP: &str = "/example.com/a/@v/v1.0.0.zip";
pub(super) const MOD: &str = "/example.com/a/@v/v1.0.0.mod";
/// Bytes of any answer at most.
pub(super) const CAP: u64 = 1 << 20;

/// A proxy with one module, a server before it, and a cache.
pub(super) struct World {
    pub(super) directory: TempDir,
    pub(super) tree: GoProxyTree,
    pub(super) server: ScriptedServer,
    pub(super) module: Module,
    pub(super) zip: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("expected {expected}, actual {actual}")]
pub(super) struct WrongDigest {
    pub(super) expected: Sha256Digest,
    pub(super) actual: Sha256Digest,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut tree = GoProxyTree::new(directory.path().join("proxy"));
        // Does not compress, so that the zip is long enough to break in many places.
        let noise: Vec<u8> =
            (0..4000_u32).flat_map(|n| Sha256Digest::of(&n.to_le_bytes()).as_bytes().to_owned()).collect();
        let module = tree.add("example.com/a", "v1.0.0", &[("a.go", b"package a\n"), ("noise", &noise)]);
        let zip = tree.read(&ZIP[1..]);
        let server = ScriptedServer::serve(tree.root());
        Self { directory, tree, server, module, zip }
    }

    pub(super) fn fetcher(&self, goproxy: &str) -> Fetcher {
        fetcher(self.directory.path(), goproxy)
    }

    /// Fetches the zip through the server and accepts only the right one.
    pub(super) fn zip(&self) -> Result<Blob, ProofError<WrongDigest>> {
        self.prove_zip(&self.server.url())
    }

    pub(super) fn prove_zip(&self, goproxy: &str) -> Result<Blob, ProofError<WrongDigest>> {
        let expected = Sha256Digest::of(&self.zip);
        let (blob, ()) = self.fetcher(goproxy).fetch_proven(
            &Request::zip(&self.module),
            CAP,
            watch(&Stop::new()),
            |zip| match zip.digest() {
                actual if actual == expected => Ok(()),
                actual => Err(WrongDigest { expected, actual }),
            },
        )?;
        Ok(blob)
    }

    pub(super) fn go_mod(&self, goproxy: &str) -> Result<Vec<u8>, FetchError> {
        self.fetcher(goproxy).read(&Request::go_mod(&self.module), CAP, watch(&Stop::new()))
    }

    /// All files of the cache that have a final name.
    pub(super) fn kept(&self) -> Vec<PathBuf> {
        kept_below(&self.directory.path().join(".cache/goferry"))
    }
}

pub(super) fn fetcher(home: &Path, goproxy: &str) -> Fetcher {
    let environment = Environment::new([("HOME", home)], "/");
    let patience = Patience {
        silence: Duration::from_millis(300),
        pause: Duration::from_millis(1),
        headway: 5000,
        longest_pause: Duration::from_millis(200),
        ..Patience::default()
    };
    Fetcher::new(
        Client::new(&environment, patience).unwrap(),
        Cache::of_user(&environment).unwrap(),
        Settings::discover(Some(goproxy), &environment).unwrap(),
    )
}

pub(super) fn kept_below(cache: &Path) -> Vec<PathBuf> {
    let files = ["blobs", "requests"].map(|part| walkdir::WalkDir::new(cache.join(part)));
    let files = files.into_iter().flatten().map(|entry| entry.unwrap());
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

pub(super) fn watch(stop: &Stop) -> Watch<'_> {
    Watch { progress: &Silent, stop }
}

pub(super) fn status(status: u16, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Fault::Status(status, headers.collect(), "because".to_owned())
}

pub(super) fn http_error<T: std::fmt::Debug>(result: Result<T, ProofError<WrongDigest>>) -> HttpError {
    match result {
        Err(ProofError::Fetch(FetchError::Http(error))) => error,
        other => panic!("not an HTTP error: {other:?}"),
    }
}
