//! What rows measure: the two programs, bundles, a GOROOT, module zips. Each is made when it is first asked for.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use goferry::cache::Cache;
use goferry::fetch::{Fetched, Fetcher, Request};
use goferry::http::{Client, Patience, Silent, Watch};
use goferry::parallel::Stop;
use goferry::proxy_list::Settings;
use goferry_manifest::bundle::CarriedModule;
use goferry_manifest::minisign::SecretKey;
use goferry_manifest::{Module, Sha256Digest};
use goferry_terminal::Environment;

use crate::failure::{Failure, Result};
use crate::measure::{self, Measured};
use crate::options::Options;
use crate::scratch::Scratch;
use crate::subset::Making;
use crate::{archive, subset};

/// The Go release that is measured.
const RELEASE: &str = "1.27.3";
/// Bytes of a module zip at most, and of the other files of a module.
const CAP: u64 = 500 << 20;
/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS: u64 = 0x0102_1994;

/// Everything that rows share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    level: i32,
    scratch: Scratch,
    /// Downloads, kept from run to run.
    cache: PathBuf,
    goferry: PathBuf,
    goport: PathBuf,
    toolchain: OnceCell<Built>,
    web: OnceCell<Built>,
    modules: OnceCell<Subset>,
    small: OnceCell<Subset>,
    goroot: OnceCell<PathBuf>,
    tar_gz: OnceCell<PathBuf>,
    tar_zst: OnceCell<PathBuf>,
    proxy: OnceCell<FileProxy>,
}

/// A bundle, and what building it took.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) bundle: Utf8PathBuf,
    pub(crate) measured: Measured,
}

/// A bundle of modules alone.
#[derive(Debug)]
pub(crate) struct Subset {
    pub(crate) bundle: Utf8PathBuf,
    /// Bytes of its packs.
    pub(crate) packs: u64,
}

/// A directory that is a Go module proxy.
#[derive(Debug)]
pub(crate) struct FileProxy {
    pub(crate) directory: PathBuf,
    pub(crate) modules: Vec<Module>,
    /// Bytes of all zips.
    pub(crate) zips: u64,
}

impl World {
    /// Builds the programs, unless there are some, and makes a key.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let [goferry, goport] = match (&options.goferry, &options.goport) {
            (Some(goferry), Some(goport)) => [goferry.canonicalize()?, goport.canonicalize()?],
            _ => build_programs(&workspace)?,
        };
        let cache = workspace.join("target/benchmark-cache");
        // Otherwise the peak of `goferry build` would be that of reading packs of an earlier run.
        crate::scratch::remove_tree(&cache.join("packs"))?;
        let world = Self {
            rounds: options.rounds(),
            quick: options.quick,
            level: options.level(),
            scratch: Scratch::new_in(&options.dir)?,
            cache,
            goferry,
            goport,
            toolchain: OnceCell::new(),
            web: OnceCell::new(),
            modules: OnceCell::new(),
            small: OnceCell::new(),
            goroot: OnceCell::new(),
            tar_gz: OnceCell::new(),
            tar_zst: OnceCell::new(),
            proxy: OnceCell::new(),
        };
        let mut keygen = measure::program(&world.goferry)?;
        measure::run(keygen.args(["keygen", "--no-passphrase", "-o"]).arg(world.path("benchmark")))?;
        Ok(world)
    }

    /// Where and with what it is measured.
    pub(crate) fn describe(&self) -> Result<String> {
        let file_system = rustix::fs::statfs(self.scratch.path())?;
        let tmpfs = u64::try_from(file_system.f_type).is_ok_and(|magic| magic == TMPFS);
        let kind = if tmpfs { "tmpfs" } else { "NOT a tmpfs: times are those of a disk" };
        Ok(format!("go{RELEASE}, level {}, in {} ({kind})", self.level, self.scratch.path().display()))
    }

    /// Says what is being done.
    #[expect(clippy::unused_self, reason = "there is one world, and it speaks")]
    pub(crate) fn say(&self, what: fmt::Arguments<'_>) {
        let _ = writeln!(io::stderr(), "{what}");
    }

    /// The directory of everything that is measured.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The bundle of a project that needs nothing but Go.
    pub(crate) fn toolchain(&self) -> Result<&Built> {
        once(&self.toolchain, || {
            let project = self.scratch.empty("toolchain-project")?;
            fs_err::write(project.join("go.mod"), format!("module goferry.example/empty\n\ngo {RELEASE}\n"))?;
            fs_err::write(project.join("main.go"), "package main\n\nfunc main() {}\n")?;
            self.build(&project, "toolchain.goferry")
        })
    }

    /// The bundle of `fixtures/projects/web`.
    pub(crate) fn web(&self) -> Result<&Built> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/projects/web");
        once(&self.web, || self.build(&project, "web.goferry"))
    }

    /// A bundle of the modules of `web`.
    pub(crate) fn modules(&self) -> Result<&Subset> {
        once(&self.modules, || self.subset("modules", self.carried_modules()?))
    }

    /// A bundle of the smallest module of `web`.
    pub(crate) fn small(&self) -> Result<&Subset> {
        once(&self.small, || {
            let modules = self.carried_modules()?.into_iter().filter(|module| module.zip.is_some());
            self.subset("small", modules.min_by_key(size).into_iter().collect())
        })
    }

    /// An installed GOROOT.
    pub(crate) fn goroot(&self) -> Result<&Path> {
        once(&self.goroot, || {
            let prefix = self.scratch.absent("goroot-prefix")?;
            measure::run(&mut self.install(&self.toolchain()?.bundle, &prefix)?)?;
            Ok(prefix.join(format!("trees/toolchain/go{RELEASE}")))
        })
        .map(PathBuf::as_path)
    }

    /// The GOROOT as `.tar.gz`, made by `gzip -9n`.
    pub(crate) fn tar_gz(&self) -> Result<&Path> {
        once(&self.tar_gz, || {
            self.say(format_args!("preparing: tar and gzip -9 of the GOROOT"));
            let tar = self.path("goroot.tar");
            archive::tar(self.goroot()?, &tar)?;
            archive::gzip(&tar)?;
            Ok(self.path("goroot.tar.gz"))
        })
        .map(PathBuf::as_path)
    }

    /// The GOROOT as `.tar.zst` with a long window.
    pub(crate) fn tar_zst(&self) -> Result<&Path> {
        once(&self.tar_zst, || {
            self.tar_gz()?;
            self.say(format_args!("preparing: zstd -{} of the GOROOT", self.level));
            archive::zstd(&self.path("goroot.tar"), self.level)?;
            Ok(self.path("goroot.tar.zst"))
        })
        .map(PathBuf::as_path)
    }

    /// The modules of `web` that have files, as a directory for `GOPROXY=file://…`.
    pub(crate) fn file_proxy(&self) -> Result<&FileProxy> {
        once(&self.proxy, || {
            let modules = self.carried_modules()?.into_iter().filter(|module| module.zip.is_some());
            let modules: Vec<Module> = modules.map(|carried| carried.module).collect();
            let directory = self.scratch.empty("file-proxy")?;
            // Building the bundle has left all of it in the cache.
            let fetcher = self.fetcher()?;
            let mut zips = 0;
            for module in &modules {
                for request in [Request::info(module), Request::go_mod(module), Request::zip(module)] {
                    let bytes = fetch(&fetcher, &request)?;
                    let path = directory.join(request.name());
                    fs_err::create_dir_all(path.parent().unwrap_or(&directory))?;
                    fs_err::write(&path, &bytes)?;
                    if path.extension().is_some_and(|it| it == "zip") {
                        zips += bytes.len() as u64;
                    }
                }
            }
            Ok(FileProxy { directory, modules, zips })
        })
    }

    /// `goport install`, measured.
    pub(crate) fn install(&self, bundle: &Utf8Path, prefix: &Path) -> Result<Command> {
        let mut install = measure::program(&self.goport)?;
        install.arg("install").arg(bundle).arg("--key").arg(self.path("benchmark.pub"));
        install.arg("--prefix").arg(prefix);
        Ok(install)
    }

    /// `goport verify`, measured.
    pub(crate) fn verify(&self, bundle: &Utf8Path) -> Result<Command> {
        let mut verify = measure::program(&self.goport)?;
        verify.arg("verify").arg(bundle).arg("--key").arg(self.path("benchmark.pub"));
        Ok(verify)
    }

    /// The `go` of the GOROOT, measured, with nothing of the user's settings and this proxy.
    pub(crate) fn go(&self, proxy: &str, modcache: &Path) -> Result<Command> {
        let home = self.scratch.path();
        let mut go = measure::program(self.goroot()?.join("bin/go"))?;
        go.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("GOENV", "off");
        go.env("GOPROXY", proxy).env("GOMODCACHE", modcache).env("GOPATH", home.join("gopath"));
        // The download itself: ours compares every hash, `go` may leave out the checksum database.
        go.env("GOSUMDB", "off").env("GOFLAGS", "-modcacherw").env("GOTOOLCHAIN", "local");
        Ok(go)
    }

    fn build(&self, project: &Path, name: &str) -> Result<Built> {
        self.say(format_args!("preparing: goferry build {name} at level {}", self.level));
        let bundle = self.path(name);
        let mut build = measure::program(&self.goferry)?;
        build.arg("build").arg(project).arg("--key").arg(self.path("benchmark.key")).arg("-o").arg(&bundle);
        build.args(["--toolchain", RELEASE, "--level", &self.level.to_string()]);
        build.env("GOFERRY_CACHE", &self.cache).current_dir(self.scratch.empty("lock")?);
        let measured = measure::run(&mut build)?;
        Ok(Built { bundle: utf8(bundle)?, measured })
    }

    fn subset(&self, name: &str, modules: Vec<CarriedModule>) -> Result<Subset> {
        self.say(format_args!("preparing: {name}.goferry at level {}", self.level));
        let bundle = self.path(&format!("{name}.goferry"));
        let key = &self.key()?;
        let making = Making { key, level: self.level, cache: &self.cache };
        let source = subset::open(&self.web()?.bundle, key)?;
        let packs = subset::write(&source, modules, &name.parse()?, &making, &bundle)?;
        Ok(Subset { bundle: utf8(bundle)?, packs })
    }

    /// Bytes of the packs of `web` in which nothing of the toolchain lies: what its modules add to a bundle with Go.
    pub(crate) fn packs_added_by_modules(&self) -> Result<u64> {
        let web = subset::open(&self.web()?.bundle, &self.key()?)?;
        let files = web.manifest().toolchains().iter().flat_map(|toolchain| &toolchain.files);
        let of_toolchains: HashSet<Sha256Digest> = files.map(|file| file.sha256).collect();
        let packs = web.packs().iter();
        let added = packs.filter(|pack| pack.blobs.iter().all(|blob| !of_toolchains.contains(&blob.sha256)));
        Ok(added.map(|pack| pack.size).sum())
    }

    fn carried_modules(&self) -> Result<Vec<CarriedModule>> {
        Ok(subset::open(&self.web()?.bundle, &self.key()?)?.manifest().modules().to_vec())
    }

    fn key(&self) -> Result<SecretKey> {
        subset::read_key(&self.path("benchmark.key"))
    }

    fn fetcher(&self) -> Result<Fetcher> {
        let environment = Environment::of_process();
        let settings = Settings::discover(None, &environment)?;
        let client = Client::new(&environment, Patience::default())?;
        Ok(Fetcher::new(client, Cache::open(&self.cache)?, settings))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

fn fetch(fetcher: &Fetcher, request: &Request) -> Result<Vec<u8>> {
    let stop = Stop::new();
    let watch = Watch { progress: &Silent, stop: &stop };
    let (_, bytes) = fetcher.fetch_proven(request, CAP, watch, Fetched::bytes)?;
    Ok(bytes)
}

fn size(module: &CarriedModule) -> u64 {
    module.zip.iter().flat_map(|zip| &zip.files).map(|file| file.size).sum()
}

fn build_programs(workspace: &Path) -> Result<[PathBuf; 2]> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--locked", "--release", "--bin", "goferry", "--bin", "goport"]);
    if !build.current_dir(workspace).status()?.success() {
        return Err(Failure::Wrong("the programs could not be built".to_owned()).into());
    }
    Ok(["goferry", "goport"].map(|name| workspace.join("target/release").join(name)))
}

fn utf8(path: PathBuf) -> Result<Utf8PathBuf> {
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| Failure::Wrong(format!("`{}` is not UTF-8", path.display())).into())
}

fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
