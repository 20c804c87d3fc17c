//! From projects to everything that their bundle holds, fetched and proven.

mod error;
mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use goferry_manifest::bundle::{CarriedModule, GoMod, Manifest, Zip};
use goferry_manifest::checksum_database::{ProvenRecord, VerifierKey};
use goferry_manifest::{Channel, DirHash, GoRelease, Module, Platform, Sha256Digest, Timestamp};

pub use self::error::{BuildError, DatabaseError};
use self::graph::Graph;
use crate::cache::Cache;
use crate::contents::FetchedContents;
use crate::fetch::checksum_database::{ChecksumDatabase, Online};
use crate::fetch::closure::{Harvest, Job, Observer, Vouched};
use crate::fetch::gosumdb::GoSumDb;
use crate::fetch::module::ModuleError;
use crate::fetch::{Fetcher, toolchain};
use crate::http::{self, Client, Patience, Watch};
use crate::lock::{self, Lock, LockedContent, Reconciled};
use crate::parallel::Stop;
use crate::project::Project;
use crate::proxy_list::{ModulePatterns, ProxyUrl, Settings, go_setting};
use crate::release::{self, Chosen};
use goferry_terminal::Environment;

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The projects: at least one.
    pub projects: Vec<PathBuf>,
    /// `--toolchain`: these releases instead of those that the projects ask for.
    pub toolchains: Vec<GoRelease>,
    /// What the toolchains are to run on: at least one.
    pub platforms: Vec<Platform>,
    /// `--proxy`.
    pub proxy: Option<String>,
    /// `--locked`: fail where the lock would change.
    pub locked: bool,
    /// What a changed lock gets as `created`.
    pub now: Timestamp,
}

/// All of a bundle but its packs.
#[derive(Debug)]
pub struct Prepared {
    /// The lock, which names the bundle.
    pub lock: Lock,
    /// Whether the lock has to be written, and where it lies.
    pub lock_file: (PathBuf, Reconciled),
    /// The lock as it was.
    pub old_lock: Option<Lock>,
    /// What is inside.
    pub manifest: Manifest,
    /// The bytes of it.
    pub contents: FetchedContents,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The checksum database is asked for proofs.
    Prove,
    /// Toolchains and modules come.
    Fetch,
    /// The bundled `go` lists the modules of the projects.
    List,
}

/// Told how it goes.
pub trait Progress: http::Progress + Observer {
    /// Another stage begins.
    fn stage(&self, stage: Stage);

    /// So many more things are to be fetched.
    fn planned(&self, jobs: usize);

    /// Something that the user should know, and that ends nothing.
    fn warn(&self, warning: &str);
}

/// Fetches and proves everything that the projects need.
pub fn prepare(
    request: &BuildRequest,
    environment: &Environment,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Prepared, BuildError> {
    let projects = request.projects.iter().map(|directory| Project::read(directory, environment));
    let projects: Vec<Project> = projects.collect::<Result<_, _>>()?;
    let name = channel_of(projects.first().ok_or(BuildError::NoProject)?.directory())?;
    let lock_path = environment.directory().join(lock::FILE_NAME);
    let old = Lock::read(&lock_path)?;
    match &old {
        Some(old) => old.check_name(&name, &lock_path)?,
        None if request.locked => return Err(BuildError::NoLock { path: lock_path }),
        None => {}
    }
    let session = Session::new(request, environment, progress, stop)?;

    let releases = session.releases(&projects, old.as_ref())?;
    let mut vouched = Vouched::by_projects(&projects)?;
    let mut harvest = session.fetch_named(&releases, &vouched, old.as_ref())?;
    progress.stage(Stage::List);
    let graph = session.graph(&projects, &harvest)?;
    graph.check_served(&harvest, progress)?;
    session.fetch_missing(&graph, &mut vouched, &mut harvest)?;

    let manifest = session.manifest(&graph, &harvest)?;
    let content = LockedContent::of_manifest(&manifest, graph.wanted_by());
    let (lock, state) = Lock::reconcile(old.as_ref(), &lock_path, &name, content, request.now)?;
    if let Some(old) = old.as_ref().filter(|_| request.locked && state == Reconciled::Changed) {
        let changes = old.content.differences(&lock.content);
        return Err(BuildError::LockWouldChange { path: lock_path, changes });
    }
    let contents = contents_of(harvest);
    Ok(Prepared { lock, lock_file: (lock_path, state), old_lock: old, manifest, contents })
}

impl Prepared {
    /// Writes the lock where it changed, unless somebody else did. To be done before the bundle gets its name: a number
    /// must not come twice.
    pub fn save_lock(&self) -> Result<(), BuildError> {
        let (path, state) = &self.lock_file;
        if *state == Reconciled::Changed {
            self.lock.succeed(self.old_lock.as_ref(), path)?;
        }
        Ok(())
    }
}

/// What all stages use.
struct Session<'a> {
    request: &'a BuildRequest,
    environment: &'a Environment,
    progress: &'a dyn Progress,
    stop: &'a Stop,
    fetcher: Fetcher,
    database: Option<(VerifierKey, Option<ProxyUrl>)>,
    /// GONOSUMDB, else GOPRIVATE: modules that no database knows.
    private: ModulePatterns,
    runner: Platform,
}

impl<'a> Session<'a> {
    fn new(
        request: &'a BuildRequest,
        environment: &'a Environment,
        progress: &'a dyn Progress,
        stop: &'a Stop,
    ) -> Result<Self, BuildError> {
        let settings = Settings::discover(request.proxy.as_deref(), environment)?;
        warn_of_other_logins(environment, progress)?;
        let client = Client::new(environment, Patience::default())?;
        let fetcher = Fetcher::new(client, Cache::of_user(environment)?, settings);
        let database = match go_setting(environment, "GOSUMDB")?.unwrap_or_default().parse()? {
            GoSumDb::Off => None,
            GoSumDb::Database { key, url } => Some((*key, url)),
        };
        let private = match go_setting(environment, "GONOSUMDB")? {
            Some(patterns) => patterns,
            None => go_setting(environment, "GOPRIVATE")?.unwrap_or_default(),
        };
        let private = ModulePatterns::new(private);
        let runner = Platform::of_this_program().ok_or(BuildError::NoGoForThisMachine)?;
        Ok(Self { request, environment, progress, stop, fetcher, database, private, runner })
    }

    fn watch(&self) -> Watch<'_> {
        Watch { progress: self.progress, stop: self.stop }
    }

    fn releases(&self, projects: &[Project], old: Option<&Lock>) -> Result<BTreeSet<GoRelease>, BuildError> {
        let platforms = &self.request.platforms;
        let locked = old.into_iter().flat_map(|lock| lock.content.toolchains.keys());
        let locked = locked.map(|(release, _)| *release).collect();
        let chosen = Chosen { requested: &self.request.toolchains, locked: &locked };
        let newest = |minor| {
            let skipped = |warning: &str| self.progress.warn(warning);
            release::newest_served(&self.fetcher, minor, platforms, self.watch(), skipped)
        };
        Ok(release::choose(projects, chosen, newest)?)
    }

    /// The toolchains, and everything that a go.sum names.
    fn fetch_named(
        &self,
        releases: &BTreeSet<GoRelease>,
        vouched: &Vouched,
        old: Option<&Lock>,
    ) -> Result<Harvest, BuildError> {
        self.progress.stage(Stage::Prove);
        let mut toolchains: BTreeSet<(GoRelease, &Platform)> = releases
            .iter()
            .flat_map(|release| self.request.platforms.iter().map(|it| (*release, it)))
            .collect();
        toolchains.extend(releases.last().map(|newest| (*newest, &self.runner)));
        let modules: Vec<_> =
            toolchains.iter().map(|(release, platform)| release.toolchain_module(platform)).collect();
        let records = self.prove(&modules)?;
        let toolchains = toolchains.into_iter().zip(records);
        let toolchains =
            toolchains.map(|((release, platform), record)| Job::Toolchain(release, platform.clone(), record));
        let zips = vouched.zips.keys();
        let described: BTreeSet<&Module> = vouched.go_mods.keys().chain(vouched.zips.keys()).collect();
        let mut harvest = Harvest { times: old.map(locked_times).unwrap_or_default(), ..Harvest::default() };
        let go_mods = described.iter().map(|it| Job::GoMod((*it).clone()));
        let times = described.iter().filter(|it| !harvest.times.contains_key(**it));
        let times = times.map(|it| Job::Time((*it).clone()));
        let jobs = toolchains.chain(go_mods).chain(times).chain(zips.cloned().map(Job::Zip)).collect();
        self.fetch(jobs, vouched, &mut harvest)?;
        Ok(harvest)
    }

    /// What the bundled go says that the projects need.
    fn graph(&self, projects: &[Project], harvest: &Harvest) -> Result<Graph, BuildError> {
        let fetched = harvest.toolchains.iter().filter(|it| it.toolchain.platform == self.runner);
        let newest = fetched.max_by_key(|it| it.toolchain.version).ok_or(BuildError::NoGoForThisMachine)?;
        let cache = self.fetcher.cache().directory();
        let goroot = toolchain::lay_out(newest, &cache.join("toolchains"))?;
        Graph::ask(projects, &goroot, &self.fetcher, harvest, self.environment, self.stop)
    }

    /// What go named and no go.sum did.
    fn fetch_missing(
        &self,
        graph: &Graph,
        vouched: &mut Vouched,
        harvest: &mut Harvest,
    ) -> Result<(), BuildError> {
        let go_mods = graph.modules().filter(|it| !harvest.go_mods.contains_key(it));
        let times = graph.modules().filter(|it| !harvest.times.contains_key(it));
        let zips = graph.required().filter(|it| !harvest.zips.contains_key(it));
        let jobs = go_mods.cloned().map(Job::GoMod).chain(times.cloned().map(Job::Time));
        let jobs: Vec<_> = jobs.chain(zips.cloned().map(Job::Zip)).collect();
        self.vouch(&jobs, vouched)?;
        self.fetch(jobs, vouched, harvest)?;
        graph.check_complete(harvest)
    }

    /// Asks the checksum database for what no go.sum names, except for what is none of its business.
    ///
    /// Of those no files are carried, as go refuses them too: only a go.mod that nothing is built from may go unproven.
    fn vouch(&self, jobs: &[Job], vouched: &mut Vouched) -> Result<(), BuildError> {
        let mut public = BTreeSet::new();
        for job in jobs {
            let (module, is_vouched) = match job {
                Job::GoMod(module) => (module, vouched.go_mods.contains_key(module)),
                Job::Zip(module) => (module, vouched.zips.contains_key(module)),
                Job::Toolchain(..) | Job::Time(_) => continue,
            };
            if is_vouched {
                continue;
            }
            if !self.private.matches(module.path().as_str()) {
                public.insert(module.clone());
            } else if matches!(job, Job::Zip(_)) {
                return Err(ModuleError::Unvouched { module: module.clone() }.into());
            } else if vouched.unvouched_go_mods.insert(module.clone()) {
                self.progress.warn(&format!(
                    "nobody vouches for the go.mod of `{module}`: no go.sum names it, and no database is asked for it"
                ));
            }
        }
        if !public.is_empty() {
            let public: Vec<_> = public.into_iter().collect();
            self.progress.stage(Stage::Prove);
            self.prove(&public)?.iter().for_each(|record| vouched.add_record(record));
        }
        Ok(())
    }

    fn prove(&self, modules: &[Module]) -> Result<Vec<ProvenRecord>, BuildError> {
        let (key, url) = self.database.clone().ok_or(DatabaseError::Off)?;
        let name = key.name().as_str().parse().map_err(DatabaseError::Name)?;
        let source = match url {
            Some(url) => self.fetcher.database_source_at(name, url),
            None => self.fetcher.database_source(name),
        };
        let tiles = self.fetcher.cache().directory().join("checksum-databases");
        let database = ChecksumDatabase::new(key, Online { source, watch: self.watch() }, tiles);
        Ok(database.prove(modules, self.stop)?.records)
    }

    fn fetch(&self, jobs: Vec<Job>, vouched: &Vouched, harvest: &mut Harvest) -> Result<(), BuildError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.progress.stage(Stage::Fetch);
        self.progress.planned(jobs.len());
        let observer: &dyn Observer = self.progress;
        Ok(harvest.fetch(jobs, &self.fetcher, vouched, self.watch(), observer)?)
    }

    fn manifest(&self, graph: &Graph, harvest: &Harvest) -> Result<Manifest, BuildError> {
        let wanted = harvest.toolchains.iter().map(|fetched| &fetched.toolchain);
        let wanted = wanted.filter(|toolchain| self.request.platforms.contains(&toolchain.platform)).cloned();
        let modules = harvest.go_mods.iter().filter(|(module, _)| graph.wanted_by().contains_key(*module));
        let modules = modules.map(|(module, go_mod)| {
            let sha256 = Sha256Digest::of(go_mod);
            let zip = harvest.zips.get(module);
            CarriedModule {
                module: module.clone(),
                time: harvest.times.get(module).copied().flatten(),
                go_mod: GoMod { size: go_mod.len() as u64, sha256, h1: DirHash::of_go_mod(sha256) },
                zip: zip.map(|proven| Zip { h1: proven.zip.h1, files: proven.zip.files.clone() }),
            }
        });
        Ok(Manifest::new(wanted.collect(), modules.collect())?)
    }
}

/// Of GOAUTH's methods only `.netrc` is there: who relies on another one should not have to guess why a proxy says 401.
fn warn_of_other_logins(environment: &Environment, progress: &dyn Progress) -> Result<(), BuildError> {
    let goauth = go_setting(environment, "GOAUTH")?.unwrap_or_default();
    let methods = goauth.split(';').filter_map(|method| method.split_whitespace().next());
    for method in methods.filter(|method| !matches!(*method, "netrc" | "off")) {
        let method = method.escape_debug();
        progress.warn(&format!("`{method}` of GOAUTH is not used: logins come from `.netrc` alone"));
    }
    Ok(())
}

fn contents_of(harvest: Harvest) -> FetchedContents {
    let mut contents = FetchedContents::new();
    for (path, proven) in harvest.all_zips() {
        contents.add_zip(path, &proven.zip.files);
    }
    for go_mod in harvest.go_mods.into_values() {
        contents.add_bytes(go_mod);
    }
    contents
}

/// The times that a lock has settled: what a proxy says of them today must not change a bundle.
fn locked_times(lock: &Lock) -> BTreeMap<Module, Option<Timestamp>> {
    let modules = lock.content.modules.iter();
    modules.filter_map(|(module, locked)| Some((module.clone(), Some(locked.time?)))).collect()
}

/// The name of a project's directory, as far as it can be one of a channel.
fn channel_of(directory: &Path) -> Result<Channel, BuildError> {
    let fail = || BuildError::NoName { directory: directory.to_owned() };
    let real = std::fs::canonicalize(directory).map_err(|_| fail())?;
    let name = real.file_name().ok_or_else(fail)?.to_string_lossy().to_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(64)
        .collect();
    name.parse().map_err(|_| fail())
}

/// The projects, by the paths of their modules, that want a module.
type WantedBy = BTreeMap<Module, BTreeSet<String>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_after_its_first_project() {
        let parent = tempfile::tempdir().unwrap();
        let name = |directory: &str| {
            let directory = parent.path().join(directory);
            std::fs::create_dir_all(&directory).unwrap();
            channel_of(&directory).map(|channel| channel.to_string())
        };
        for (directory, expected) in
            [("web", "web"), ("web/.", "web"), ("My Service", "my-service"), ("_x.y", "x.y"), (".éa", "a")]
        {
            assert_eq!(name(directory).unwrap(), expected);
        }
        assert!(matches!(name("é"), Err(BuildError::NoName { .. })));
        assert!(matches!(channel_of(&parent.path().join("none")), Err(BuildError::NoName { .. })));
        assert_eq!(name(&"a".repeat(100)).unwrap().len(), 64);
    }
}
