//! What samples hold.

use goferry_manifest::bundle::{CarriedModule, File, GoMod, Toolchain, Zip};
use goferry_manifest::{DirHash, GoRelease, Module, Platform, Sha256Digest};

/// A toolchain that is no compiler: the files by which one is recognised.
#[derive(Clone, Debug)]
pub struct SampleToolchain {
    /// The release.
    pub release: GoRelease,
    /// GOOS and GOARCH.
    pub platform: Platform,
    /// Path and content, in any order.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A module.
#[derive(Clone, Debug)]
pub struct SampleModule {
    /// Path and version.
    pub module: Module,
    /// The `Time` of its `.info`.
    pub time: Option<String>,
    /// Its go.mod.
    pub go_mod: Vec<u8>,
    /// Path and content, in any order; `None` for a module of which only the go.mod is carried.
    pub files: Option<Vec<(String, Vec<u8>)>>,
}

impl SampleToolchain {
    /// The toy of one release, for linux/amd64.
    pub fn toy(release: &str) -> Self {
        let go = format!("#!/bin/sh\necho \"go version go{release} linux/amd64\"\n");
        let files = [
            ("VERSION", format!("go{release}\n")),
            ("_go.mod", "module std\n\ngo 1.26\n".to_owned()),
            ("bin/go", go),
            ("bin/gofmt", "#!/bin/sh\nexit 0\n".to_owned()),
            ("go.env", "GOPROXY=off\nGOSUMDB=off\nGOTOOLCHAIN=auto\n".to_owned()),
            ("lib/wasm/go_js_wasm_exec", "#!/bin/sh\nexit 0\n".to_owned()),
            ("pkg/tool/linux_amd64/compile", format!("\x7fELF compile of {release}\n")),
            ("src/fmt/print.go", "package fmt\n".to_owned()),
        ];
        Self {
            release: release.parse().expect("a release"),
            platform: "linux/amd64".parse().expect("a platform"),
            files: files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect(),
        }
    }

    pub(super) fn component(&self) -> Toolchain {
        let module = self.release.toolchain_module(&self.platform);
        Toolchain {
            version: self.release,
            platform: self.platform.clone(),
            h1: h1(&module.zip_prefix(), &self.files),
            files: files(&self.files),
        }
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|(_, content)| content.as_slice())
    }
}

impl SampleModule {
    /// A module with a go.mod and these files.
    pub fn new(path: &str, version: &str, files: &[(&str, &str)]) -> Self {
        let go_mod = format!("module {path}\n\ngo 1.26\n").into_bytes();
        let mut all = vec![("go.mod".to_owned(), go_mod.clone())];
        all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
        let module = Module::new(path.parse().expect("a module path"), version.parse().expect("a version"));
        let module = module.expect("a version of the path's major version");
        Self { module, time: Some("2026-01-02T03:04:05Z".to_owned()), go_mod, files: Some(all) }
    }

    /// The same module, of which only the go.mod is carried.
    #[must_use]
    pub fn without_files(mut self) -> Self {
        self.files = None;
        self
    }

    pub(super) fn component(&self) -> CarriedModule {
        let sha256 = Sha256Digest::of(&self.go_mod);
        let go_mod = GoMod { size: self.go_mod.len() as u64, sha256, h1: DirHash::of_go_mod(sha256) };
        let zip = self
            .files
            .as_ref()
            .map(|contents| Zip { h1: h1(&self.module.zip_prefix(), contents), files: files(contents) });
        let time = self.time.as_ref().map(|time| time.parse().expect("a time"));
        CarriedModule { module: self.module.clone(), time, go_mod, zip }
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        let files = self.files.iter().flatten().map(|(_, content)| content.as_slice());
        std::iter::once(self.go_mod.as_slice()).chain(files)
    }
}

/// Modules in which everything occurs that paths and contents can do.
pub(super) fn modules() -> Vec<SampleModule> {
    let licence = ("LICENSE", "Do as you like.\n");
    let mut without_time = SampleModule::new("gopkg.in/yaml.v3", "v3.0.1", &[licence]);
    without_time.time = None;
    vec![
        SampleModule::new("example.com/only/gomod", "v0.3.0", &[]).without_files(),
        SampleModule::new(
            "github.com/BurntSushi/toml",
            "v1.2.0-RC1",
            &[licence, ("toml.go", "package toml\n")],
        ),
        SampleModule::new(
            "example.com/deep",
            "v1.0.0",
            &[
                licence,
                ("a/b/c/d/e/f/deep.go", "package f\n"),
                ("a/b/c/d/e/f/same.go", "package f\n"),
                ("empty", ""),
                ("testdata/é ~1/[x]!.txt", "odd names\n"),
            ],
        ),
        SampleModule::new("example.com/deep", "v1.10.0", &[licence, ("deep.go", "package deep\n")]),
        SampleModule::new("example.com/deep", "v1.9.0", &[licence, ("deep.go", "package deep\n")]),
        SampleModule::new("example.com/old", "v2.0.0+incompatible", &[("old.go", "package old\n")]),
        without_time,
    ]
}

fn files(contents: &[(String, Vec<u8>)]) -> Vec<File> {
    let file = |(path, content): &(String, Vec<u8>)| File {
        path: path.parse().expect("a file path"),
        size: content.len() as u64,
        sha256: Sha256Digest::of(content),
    };
    contents.iter().map(file).collect()
}

fn h1(prefix: &str, contents: &[(String, Vec<u8>)]) -> DirHash {
    let digests = contents.iter().map(|(path, content)| (path.as_str(), Sha256Digest::of(content)));
    DirHash::of_prefixed(prefix, digests)
}
