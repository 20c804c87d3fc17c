//! Projects become a lock, a manifest and the bytes of everything in it, all of it proven.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use e2e::world::kept_cache;
use goferry::build::{self, BuildError, BuildRequest, Prepared, Progress, Stage};
use goferry::fetch::closure::{Job, Observer};
use goferry::http;
use goferry::pack::Contents as _;
use goferry::parallel::Stop;
use goferry::proxy_list::go_setting;
use goferry_manifest::Platform;
use goferry_terminal::Environment;
use tempfile::TempDir;

/// Remembers what it is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) warnings: Mutex<Vec<String>>,
    pub(super) jobs: Mutex<Vec<String>>,
}

impl http::Progress for Told {
    fn received(&self, _bytes: u64) {}

    fn dropped(&self, _bytes: u64) {}
}

impl Observer for Told {
    fn started(&self, job: &Job) {
        self.jobs.lock().unwrap().push(job.name());
    }

    fn finished(&self, _job: &Job) {}
}

impl Progress for Told {
    fn stage(&self, _stage: Stage) {}

    fn planned(&self, _jobs: usize) {}

    fn warn(&self, warning: &str) {
        self.warnings.lock().unwrap().push(warning.to_owned());
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/projects").join(name)
}

fn request(projects: &[PathBuf], now: &str) -> BuildRequest {
    BuildRequest {
        projects: projects.to_vec(),
        toolchains: Vec::new(),
        platforms: vec![Platform::of_this_program().unwrap()],
        proxy: None,
        locked: false,
        now: now.parse().unwrap(),
    }
}

/// How the network is reached is the user's own; cache, home, and what is private are the test's.
fn environment(directory: &Path) -> Environment {
    let is_network = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["PATH", "GOPROXY", "GOSUMDB", "NETRC"].contains(&name.as_str())
            || name.ends_with("_PROXY")
            || name.starts_with("SSL_CERT_")
    };
    let users = Environment::of_process();
    let own = users.variables().filter(|(name, _)| name.to_str().is_some_and(is_network));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut variables: Vec<(OsString, OsString)> = own.collect();
    if let Some(proxies) = go_setting(&users, "GOPROXY").unwrap() {
        variables.push(("GOPROXY".into(), proxies.into()));
    }
    if let Some(home) = users.home().filter(|_| users.text("NETRC").is_none()) {
        variables.push(("NETRC".into(), home.join(".netrc").into()));
    }
    variables.push(("HOME".into(), directory.into()));
    variables.push(("GOFERRY_CACHE".into(), kept_cache().join("goferry").into()));
    Environment::new(variables, directory)
}

fn prepare(request: &BuildRequest, directory: &Path) -> (Result<Prepared, BuildError>, Told) {
    let told = Told::default();
    (build::prepare(request, &environment(directory), &told, &Stop::new()), told)
}

#[test]
fn the_cli_fixture_is_fetched_and_proven_and_its_lock_is_stable() {
    if std::env::var_os("GOFERRY_TEST_OFFLINE").is_some_and(|value| value == "1") {
        eprintln!("skipped without a network: the_cli_fixture_is_fetched_and_proven_and_its_lock_is_stable");
        return;
    }
    let directory = TempDir::new().unwrap();
    let cli = [fixture("cli")];
    let (first, told) = prepare(&request(&cli, "2026-11-24T08:15:00Z"), directory.path());
    let first = first.unwrap();
    assert_eq!(told.warnings.into_inner().unwrap(), Vec::<String>::new());

    let toolchains: Vec<_> = first.manifest.toolchains().iter().map(|it| it.version.to_string()).collect();
    assert_eq!(toolchains, ["1.26.8"]);
    let with_files = first.manifest.modules().iter().filter(|module| module.zip.is_some());
    let with_files: Vec<_> = with_files.map(|module| module.module.path().to_string()).collect();
    let expected =
        ["github.com/inconshreveable/mousetrap", "github.com/spf13/cobra", "github.com/spf13/pflag"];
    assert_eq!(with_files, expected);
    let go_sum = std::fs::read_to_string(cli[0].join("go.sum")).unwrap();
    let go_mod_lines = go_sum.lines().filter(|line| line.contains("/go.mod ")).count();
    assert!(first.manifest.modules().len() >= go_mod_lines);
    assert!(first.manifest.modules().iter().all(|module| module.time.is_some()));
    for blob in first.manifest.blobs().iter().step_by(17) {
        assert_eq!(first.contents.read(blob).unwrap().len() as u64, blob.size);
    }

    first.save_lock().unwrap();
    let lock_path = directory.path().join("goferry.lock");
    let lock = std::fs::read_to_string(&lock_path).unwrap();
    assert!(lock.contains("name = \"cli\"\nsequence = 1\ncreated = \"2026-11-24T08:15:00Z\"\n"), "{lock}");
    let again = BuildRequest { locked: true, ..request(&cli, "2027-01-01T00:00:00Z") };
    let (second, _) = prepare(&again, directory.path());
    let second = second.unwrap();
    second.save_lock().unwrap();
    assert_eq!(std::fs::read_to_string(&lock_path).unwrap(), lock);
    assert_eq!(second.manifest, first.manifest);
}

#[test]
fn all_fixtures_together_are_fetched_and_proven() {
    if std::env::var_os("GOFERRY_TEST_OFFLINE").is_some_and(|value| value == "1") {
        eprintln!("skipped without a network: all_fixtures_together_are_fetched_and_proven");
        return;
    }
    let directory = TempDir::new().unwrap();
    let names = ["web", "cli", "tools", "vendored", "toolchain-line"];
    let (prepared, told) = prepare(&request(&names.map(fixture), "2026-11-24T08:15:00Z"), directory.path());
    let prepared = prepared.unwrap();
    assert_eq!(told.warnings.into_inner().unwrap(), Vec::<String>::new());
    let toolchains = prepared.manifest.toolchains().iter();
    assert_eq!(toolchains.map(|it| it.version.to_string()).collect::<Vec<_>>(), ["1.26.8", "1.27.3"]);
    assert_eq!(prepared.lock.name.as_str(), "web");
    // What graph pruning keeps out of go.sum is carried too, and was proven by the checksum database.
    let go_sums: String =
        names.map(|name| std::fs::read_to_string(fixture(name).join("go.sum")).unwrap()).concat();
    let is_named = |module: &goferry_manifest::Module| {
        go_sums.contains(&format!("{} {}/go.mod ", module.path(), module.version()))
    };
    let carried = prepared.manifest.modules().iter().map(|carried| &carried.module);
    let (summed, pruned): (Vec<_>, Vec<_>) = carried.partition(|module| is_named(module));
    assert!(summed.len() > 60 && pruned.len() > 10, "{} {}", summed.len(), pruned.len());
}
