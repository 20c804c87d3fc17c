//! Small bundles, and places to install them to.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]
#![allow(clippy::large_stack_arrays, reason = "constants")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use goferry_manifest::bundle::{
    Blob, CarriedModule, Evidence, File, GoMod, Manifest, Pack, PackTable, Toolchain, UnsignedBundle, Zip,
    frame,
};
use goferry_manifest::minisign::{KeyId, SecretKey};
use goferry_manifest::trust::{Scope, TrustPolicy};
use goferry_manifest::{DirHash, Module, Platform, Sequence, Sha256Digest};
use goport::plan::Downgrade;
use goport::{Effort, InstallError, InstallRequest, Installed, Prefix, Root, Silent};

/// The go.mod of most modules here.
pub(crate) fn go_mod(path: &str) -> String {
    format!("module {path}\n")
}

/// Collects components and their contents.
#[derive(Clone, Default)]
pub(crate) struct Builder {
    toolchains: Vec<Toolchain>,
    modules: Vec<CarriedModule>,
    contents: BTreeMap<Sha256Digest, Vec<u8>>,
    /// Overrides of packed content, to make packs that lie.
    pub(crate) lies: BTreeMap<Sha256Digest, Vec<u8>>,
}

impl Builder {
    fn files(&mut self, files: &[(&str, &[u8])]) -> Vec<File> {
        files
            .iter()
            .map(|(path, content)| File {
                path: path.parse().unwrap(),
                size: content.len() as u64,
                sha256: self.blob(content),
            })
            .collect()
    }

    fn blob(&mut self, content: &[u8]) -> Sha256Digest {
        let digest = Sha256Digest::of(content);
        self.contents.insert(digest, content.to_vec());
        digest
    }

    pub(crate) fn toolchain(mut self, release: &str, platform: &str, files: &[(&str, &[u8])]) -> Self {
        let files = self.files(files);
        let (version, platform): (_, Platform) = (release.parse().unwrap(), platform.parse().unwrap());
        let mut toolchain = Toolchain { version, platform, h1: DirHash::of_files([]), files };
        toolchain.h1 = hash(&toolchain.module(), &toolchain.files);
        self.toolchains.push(toolchain);
        self
    }

    /// A toolchain for this host with one of each kind of file.
    pub(crate) fn toy_toolchain(self, release: &str) -> Self {
        let snapshot = snapshot_zip("v1.0.0-c2097c7c");
        let version = format!("go{release}\ntime 2026-08-28T16:20:06Z\n");
        let platform = Platform::of_this_program().unwrap().to_string();
        self.toolchain(
            release,
            &platform,
            &[
                ("VERSION", version.as_bytes()),
                ("_go.mod", b"module golang.org/toolchain\n"),
                ("bin/go", b"#!/bin/sh\n"),
                ("bin/gofmt", b"#!/bin/sh\n"),
                ("go.env", b"GOPROXY=https://example.com\n"),
                ("lib/fips140/v1.0.0-c2097c7c.zip", &snapshot),
                ("lib/wasm/go_js_wasm_exec", b"#!/bin/sh\n"),
                ("lib/wasm/wasm_exec.js", b"// js\n"),
                ("pkg/tool/linux_amd64/compile", &[7; 300_000]),
                ("src/_go.mod", b"module std\n"),
                ("src/fmt/print.go", b"package fmt\n"),
                ("src/make.bash", b"#!/bin/sh\n"),
            ],
        )
    }

    pub(crate) fn module(mut self, path: &str, version: &str, files: &[(&str, &[u8])]) -> Self {
        let module = Module::new(path.parse().unwrap(), version.parse().unwrap()).unwrap();
        let content = files.iter().find(|(name, _)| *name == "go.mod");
        let content = content.map_or_else(|| go_mod(path).into_bytes(), |(_, content)| content.to_vec());
        let sha256 = self.blob(&content);
        let go_mod = GoMod { size: content.len() as u64, sha256, h1: DirHash::of_go_mod(sha256) };
        let files = self.files(files);
        let zip = (!files.is_empty()).then(|| Zip { h1: hash(&module, &files), files });
        let time = Some("2024-01-02T03:04:05Z".parse().unwrap());
        self.modules.push(CarriedModule { module, time, go_mod, zip });
        self
    }

    /// Two modules with files, one of them in capitals, and one of which only the go.mod is needed.
    pub(crate) fn toy_modules(self) -> Self {
        self.module(
            "example.com/Upper",
            "v1.0.0-RC1",
            &[
                ("go.mod", b"module example.com/Upper\n"),
                ("LICENSE", b"mine\n"),
                ("a/b/c.go", b"package b\n"),
            ],
        )
        .module(
            "example.com/low",
            "v0.2.0",
            &[("LICENSE", b"mine\n"), ("x.go", b"package x\n"), ("empty", b"")],
        )
        .module("example.com/low", "v0.10.0", &[("big.bin", &[3; 400_000]), ("copy.bin", &[3; 400_000])])
        .module("example.com/pruned", "v1.5.0", &[])
    }

    /// The bundle, signed with the key of [`trust`].
    pub(crate) fn build(&self, channel: &str, sequence: u64) -> Vec<u8> {
        let manifest = Manifest::new(self.toolchains.clone(), self.modules.clone()).unwrap();
        let (mut packs, mut frames) = (Vec::new(), BTreeMap::new());
        for blobs in manifest.blobs().chunks(3) {
            let content: Vec<u8> = blobs
                .iter()
                .flat_map(|blob| self.lies.get(&blob.sha256).unwrap_or(&self.contents[&blob.sha256]).clone())
                .collect();
            let frame = frame::compress(&content, frame::Parameters::of_packs(3)).unwrap();
            let sha256 = Sha256Digest::of(&frame);
            let content_size = content.len() as u64;
            packs.push(Pack { sha256, size: frame.len() as u64, content_size, blobs: blobs.to_vec() });
            frames.insert(sha256, frame);
        }
        let table = PackTable::new(packs, manifest.blobs()).unwrap();
        let unsigned = UnsignedBundle::new(
            channel.parse().unwrap(),
            Sequence::try_from(sequence).unwrap(),
            "2026-11-24T08:15:00Z".parse().unwrap(),
            &manifest,
            table,
            &Evidence::default(),
        )
        .unwrap();
        let signature = key().sign(unsigned.cover(), "goferry test".parse().unwrap());
        let mut bundle = Vec::new();
        unsigned.write(&[signature], |pack| Ok(Cursor::new(&frames[&pack.sha256])), &mut bundle).unwrap();
        bundle
    }

    pub(crate) fn blobs(&self) -> Vec<Blob> {
        Manifest::new(self.toolchains.clone(), self.modules.clone()).unwrap().blobs().to_vec()
    }
}

fn hash(module: &Module, files: &[File]) -> DirHash {
    DirHash::of_prefixed(&module.zip_prefix(), files.iter().map(|file| (file.path.as_str(), file.sha256)))
}

/// A FIPS 140 snapshot as GOROOTs have them.
pub(crate) fn snapshot_zip(version: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [("fips140/a.go", "package fips140\n"), ("fips140/sha/s.go", "package sha\n")] {
        zip.start_file(format!("golang.org/fips140@{version}/{name}"), options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn key() -> SecretKey {
    SecretKey::generate(&zeroize::Zeroizing::new([7; 32]), KeyId::from_bytes([7; 8]))
}

/// Trusts the key that bundles here are signed with.
pub(crate) fn trust() -> TrustPolicy {
    TrustPolicy::any_of([(key().public_key(), Scope::EveryChannel)])
}

/// A scratch directory with a prefix in it.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) prefix: Prefix,
    pub(crate) root: Root,
    pub(crate) downgrade: Downgrade,
    pub(crate) memory: u64,
    pub(crate) threads: usize,
    pub(crate) gopath: Option<Prefix>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::named("there")
    }

    pub(crate) fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join(name).to_str().unwrap().parse().unwrap();
        let (downgrade, memory, threads) = (Downgrade::Refuse, goport::MEMORY, 3);
        Self { dir, prefix, root: Root::host(), downgrade, memory, threads, gopath: None }
    }

    /// A path below the prefix, as it is now.
    pub(crate) fn path(&self, below: &str) -> Utf8PathBuf {
        self.root.locate(&self.prefix).join(below)
    }

    pub(crate) fn install(&self, bundle: &[u8]) -> Result<Installed, InstallError> {
        let interrupt = AtomicBool::new(false);
        self.with_request(bundle, &interrupt, |request| goport::install(request, &Silent))
    }

    pub(crate) fn with_request<T>(
        &self,
        bundle: &[u8],
        interrupt: &AtomicBool,
        act: impl FnOnce(&InstallRequest<'_>) -> T,
    ) -> T {
        let file = Utf8PathBuf::from_path_buf(self.dir.path().join("bundle.goferry")).unwrap();
        fs::write(&file, bundle).unwrap();
        act(&InstallRequest {
            bundle: &file,
            trust: &trust(),
            prefix: &self.prefix,
            root: &self.root,
            downgrade: self.downgrade,
            gopath: self.gopath.as_ref(),
            who: "tester",
            when: "2026-11-25T00:00:00Z".parse().unwrap(),
            effort: Effort { threads: self.threads, memory: self.memory, interrupt },
        })
    }

    /// Everything below the prefix, one line each.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut lines = Vec::new();
        list(self.path("").as_std_path(), "", &mut lines);
        lines
    }

    pub(crate) fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }

    pub(crate) fn inode(&self, below: &str) -> u64 {
        fs::metadata(self.path(below)).unwrap().ino()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Read-only directories would stay behind for an ordinary user.
        make_writable(self.dir.path());
    }
}

fn make_writable(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

fn list(dir: &Path, below: &str, lines: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names {
        let (path, below) = (dir.join(&name), format!("{below}{name}"));
        let metadata = path.symlink_metadata().unwrap();
        let mode = metadata.mode() & 0o7777;
        if metadata.is_symlink() {
            lines.push(format!("{below} -> {}", fs::read_link(&path).unwrap().display()));
        } else if metadata.is_dir() {
            lines.push(format!("{below}/ {mode:04o}"));
            list(&path, &format!("{below}/"), lines);
        } else {
            lines.push(format!("{below} {mode:04o}"));
        }
    }
}

/// Whether a path is there, whatever it is.
pub(crate) fn exists(path: &Utf8Path) -> bool {
    path.as_std_path().symlink_metadata().is_ok()
}
