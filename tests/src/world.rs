//! The whole road for real, once per test process: fixture projects bundled by `goferry`, installed by `goport`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::offline::{Account, Shell};
use crate::old_kernel;
use crate::programs::{carried_goport, goferry_binary};
use crate::requirement::is_root;
use crate::scratch::Scratch;
use crate::snapshot::Snapshot;

/// A host with a bundle of both Go releases and these projects.
#[derive(Debug)]
pub struct World {
    scratch: Scratch,
    prefix: PathBuf,
    /// The words before `goport`.
    installed_by: Vec<String>,
    /// One case at a time: each compares the prefix before and after.
    turn: Mutex<()>,
}

/// One case on a world: a home, project copies, commands, and a look at the prefix afterwards.
#[derive(Debug)]
pub struct Visit<'a> {
    world: &'a World,
    account: Account,
    /// What belongs to this visit.
    directory: PathBuf,
    before: Snapshot,
}

/// The fixture projects of the bundle `all`. `web` has other versions of the same modules, so that `go get -u` finds
/// versions that no go.sum names: it has a world of its own.
pub const PROJECTS: [&str; 4] = ["cli", "tools", "toolchain-line", "vendored"];

impl World {
    /// Both Go releases with [`PROJECTS`]; 1.27.3 is the default.
    pub fn all() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| Self::new("all", &PROJECTS.map(fixture), &["1.27.3", "1.26.8"], vec![]))
    }

    /// The road of the README: `web`, with the release that it asks for; installed as on Linux 4.18.
    pub fn web() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| Self::new("web", &[fixture("web")], &[], old_kernel::words()))
    }

    fn new(name: &str, projects: &[PathBuf], toolchains: &[&str], installed_by: Vec<String>) -> Self {
        let scratch = Scratch::new(name).expect("a temporary directory");
        let prefix = scratch.path().join("there");
        let world = Self { scratch, prefix, installed_by, turn: Mutex::new(()) };
        fs::create_dir(world.cache()).expect("a new directory");
        let mut keygen = goferry(world.path());
        succeed(keygen.args(["keygen", "-o", "demo", "--no-passphrase"]));
        world.build(&format!("{name}.goferry"), projects, toolchains);
        world.install(&format!("{name}.goferry"));
        world
    }

    /// The directory of everything: keys, bundles, the lock, the prefix, homes.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Where it is installed.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Builds a bundle at the fastest level, with the lock in [`Self::path`].
    pub fn build(&self, bundle: &str, projects: &[PathBuf], toolchains: &[&str]) {
        let mut command = goferry(self.path());
        command.arg("build").args(projects).args(["--key", "demo.key", "--level", "1", "-o", bundle]);
        for toolchain in toolchains {
            command.args(["--toolchain", toolchain]);
        }
        succeed(&mut command);
    }

    /// Installs a bundle of [`Self::path`] under the prefix. What `goport` printed.
    pub fn install(&self, bundle: &str) -> String {
        let before = self.installed_by.iter().map(OsString::from);
        let words: Vec<_> = before.chain([carried_goport().into()]).collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.path())
            .args(["install", bundle, "--key", "demo.pub", "--prefix", "there"]);
        succeed(&mut command)
    }

    /// What `goport list --json` says.
    pub fn list(&self) -> serde_json::Value {
        let mut command = Command::new(carried_goport());
        let command = command.args(["list", "--json", "--prefix"]).arg(&self.prefix);
        serde_json::from_str(&succeed(command)).expect("one JSON object")
    }

    /// Waits for this case's turn.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a case of an account: with a home of its own, in which only the build cache is everybody's.
    pub fn visit(&self, case: &str, account: Account) -> Visit<'_> {
        let directory = self.path().join(format!("{case}-{}", account.name()));
        let cache = directory.join("home/.cache");
        fs::create_dir_all(&cache).expect("a new directory");
        std::os::unix::fs::symlink(self.cache(), cache.join("go-build")).expect("a new symlink");
        account.own(&directory);
        account.own(&self.cache());
        Visit { world: self, account, directory, before: Snapshot::of(&self.prefix) }
    }

    /// Does the case for every account, in its turn, and expects the prefix to be unchanged afterwards.
    pub fn for_each_account(&self, case: &str, check: impl Fn(&Visit<'_>)) {
        let _turn = self.turn();
        for account in Account::all() {
            let visit = self.visit(case, *account);
            check(&visit);
            visit.end();
        }
    }

    /// The build cache, which the visitor of the hour owns: every package is compiled once.
    fn cache(&self) -> PathBuf {
        self.path().join("go-build")
    }
}

impl Visit<'_> {
    /// Who.
    pub fn account(&self) -> Account {
        self.account
    }

    /// A fresh copy of a fixture project, outside of any checkout, that belongs to the account.
    pub fn project(&self, name: &str) -> Shell {
        let copy = self.directory.join(name);
        copy_tree(&fixture(name), &copy);
        self.account.own(&copy);
        self.shell().at(copy)
    }

    /// A shell outside of any module.
    pub fn shell(&self) -> Shell {
        Shell {
            account: self.account,
            path: format!("{}:/usr/bin:/bin", self.world.prefix.join("current/bin").display()),
            home: self.directory.join("home"),
            directory: self.directory.clone(),
        }
    }

    /// Compares the prefix with what it was. Ordinary users can change nothing; what root's `go` is known to leave
    /// behind (go-offline §11) is removed.
    pub fn end(self) {
        let changes = self.before.changes_to(&Snapshot::of(&self.world.prefix));
        let (known, other): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| self.account == Account::Owner && is_known(change));
        assert!(other.is_empty(), "the prefix was changed by the {}: {other:#?}", self.account.name());
        // Deepest first.
        for change in known.iter().rev().filter(|_| is_root()) {
            remove(&self.world.prefix.join(change.trim_start_matches("+ ")));
        }
    }
}

/// What `go` leaves behind in a read-only module cache that it may write to all the same: locks of modules that are
/// not carried, and what it remembers of the main module, a project of the fixtures.
fn is_known(change: &str) -> bool {
    let Some(path) = change.strip_prefix("+ ") else { return false };
    let Some((_, download)) = path.split_once("/cache/download/") else { return false };
    let download = Path::new(download);
    download.starts_with("goferry.example") || download.extension().is_some_and(|it| it == "lock")
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.expect("root may remove it");
}

/// A project of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/projects");
    fs::canonicalize(fixtures.join(name)).expect("a fixture project")
}

/// `goferry`, in this directory, with a cache that is kept for the next run of the tests.
pub fn goferry(directory: &Path) -> Command {
    let mut command = Command::new(goferry_binary());
    command.current_dir(directory).env("XDG_CACHE_HOME", kept_cache());
    command
}

/// Where the tests keep what they fetched: in the target directory of the program that runs.
pub fn kept_cache() -> PathBuf {
    let program = std::env::current_exe().expect("the path of the test program");
    let target = program.ancestors().nth(3).expect("it lies in target/<profile>/deps");
    target.join("tmp/goferry-cache")
}

/// Runs a program that has to succeed. What it printed.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}

/// Copies files and directories.
pub fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("a readable fixture");
        let target = to.join(entry.path().strip_prefix(from).expect("below the fixture"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).expect("a new directory");
        } else {
            fs::copy(entry.path(), &target).expect("a new file");
        }
    }
}
