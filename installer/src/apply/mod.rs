//! Writing the trees of a plan, up to the point where they have their names.

mod modcache;
mod module_zip;
mod snapshot;
mod toolchain;
mod tree;
mod unpack;
mod workers;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::Utf8PathBuf;
use goferry_manifest::bundle::{Blob, BundleError, Manifest, ReadAt, Toolchain, VerifiedBundle};
use goferry_manifest::{DirHash, GoRelease, Module, Sha256Digest};
use thiserror::Error;

use self::modcache::Modcache;
use self::tree::{HandleBudget, Staging, TreeSpec};
use self::unpack::Inspector;
pub use self::unpack::PackContentError;
pub(crate) use self::unpack::check_packs;
use crate::content::{Content, Snapshot, snapshots_of, toolchain_name};
use crate::fs::{Dir, FsError};
use crate::observe::Observed;
use crate::plan::{Plan, TreeState};
use crate::receipt::{Conflict, Hashes, Ledger};

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// All packs are read and their digests compared.
    Verify,
    /// Files of the module cache in use are hashed and linked.
    Link,
    /// Packs are decoded and files written.
    Unpack,
    /// Module zips are made.
    Zips,
    /// Everything is made durable.
    Sync,
    /// The new generation becomes the one in use.
    Activate,
}

/// Is told what is going on.
pub trait Reporter: Sync {
    /// The next stage begins.
    fn stage(&self, _stage: Stage) {}
    /// This is what will be done; told before anything is written.
    fn planned(&self, _plan: &Plan) {}
    /// So many bytes of the stage are done. Called from several threads.
    fn progress(&self, _done: u64, _total: u64) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Reporter for Silent {}

/// What all parts of a run share.
pub(crate) struct Run<'r> {
    pub(crate) reporter: &'r dyn Reporter,
    pub(crate) interrupt: &'r AtomicBool,
    /// Threads that work at the same time.
    pub(crate) threads: usize,
    /// Bytes that packs and their decoders may take.
    pub(crate) memory: u64,
}

impl Run<'_> {
    /// The next stage begins.
    pub(crate) fn begin(&self, stage: Stage) {
        tracing::debug!(?stage, "begin");
        self.reporter.stage(stage);
    }

    pub(crate) fn check_interrupt(&self) -> Result<(), ApplyError> {
        if self.interrupt.load(Ordering::Relaxed) { Err(ApplyError::Interrupted) } else { Ok(()) }
    }
}

/// Why trees could not be written. None of them got its name.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A pack could not be read, or is not the signed one.
    #[error(transparent)]
    Bundle(BundleError),
    /// A pack holds something else than the signed tables say.
    #[error("pack {number} of {count}: {reason}")]
    Pack {
        /// Its number, counted from 1.
        number: usize,
        /// The number of packs.
        count: usize,
        /// What is wrong.
        reason: PackContentError,
    },
    /// The content is intact and signed, and not acceptable.
    #[error(transparent)]
    Refused(RefusedContent),
    /// A system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A module zip could not be made.
    #[error("cannot make the zip of `{module}`: {reason}")]
    Zip {
        /// The module.
        module: String,
        /// What the system says.
        reason: io::Error,
    },
    /// A file that is needed again has changed, and this bundle does not carry it.
    #[error("`{path}` is not as it was installed, and the bundle does not carry it")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Signed content that cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefusedContent {
    /// The toolchain is another release than it is carried as.
    #[error("the toolchain carried as `{expected}` calls itself `{actual}` in its VERSION file")]
    Version {
        /// The release in the manifest.
        expected: String,
        /// The first line of `VERSION`.
        actual: String,
    },
    /// `go.mod` and `_go.mod` in one directory.
    #[error("in `{component}`: `{path}` would become a go.mod where there is one")]
    TwoGoMods {
        /// The toolchain.
        component: String,
        /// The file.
        path: String,
    },
    /// A FIPS 140 snapshot that cannot be extracted.
    #[error("in `{component}`: the FIPS 140 snapshot `{path}` is not a module zip: {reason}")]
    Snapshot {
        /// The toolchain.
        component: String,
        /// The zip.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is read as a whole.
    #[error("in `{component}`: `{path}` has {size} bytes, above the limit of {limit}")]
    TooLarge {
        /// The toolchain.
        component: String,
        /// The file.
        path: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A FIPS 140 snapshot that changed.
    #[error("`{name}` is not what this host has known under that name")]
    Changed {
        /// `path@version`.
        name: String,
        /// The hash known here.
        held: DirHash,
        /// The hash of what is carried.
        incoming: DirHash,
    },
}

/// What came of writing the trees.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The digest of each module zip.
    pub(crate) zips: BTreeMap<String, Sha256Digest>,
    /// The ledger, with the snapshots.
    pub(crate) ledger: Ledger,
}

/// Checks what `install` would find out only while it writes: every content, and that toolchains are what they say.
pub(crate) fn check_contents<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    run: &Run<'_>,
) -> Result<(), ApplyError> {
    let mut checks = Checks(HashMap::new());
    for toolchain in bundle.manifest().toolchains() {
        toolchain::spec(toolchain).map_err(ApplyError::Refused)?;
        match toolchain.files.iter().find(|file| file.path.as_str() == toolchain::VERSION) {
            Some(file) => checks.add(file.sha256, toolchain, Check::Version),
            None => toolchain::check_version_file(&toolchain_name(toolchain.version), &[])
                .map_err(ApplyError::Refused)?,
        }
        for (module, blob) in snapshots_of(toolchain) {
            checks.add(blob.sha256, toolchain, Check::Snapshot(module));
        }
    }
    unpack::check_contents(bundle, run, &checks)
}

/// What has to be right about the content of a toolchain's file.
enum Check {
    /// It is a `VERSION` that names the release.
    Version,
    /// It is the zip of this module.
    Snapshot(Module),
}

/// What is checked of each blob.
struct Checks<'m>(HashMap<Sha256Digest, Vec<(&'m Toolchain, Check)>>);

impl<'m> Checks<'m> {
    fn add(&mut self, digest: Sha256Digest, toolchain: &'m Toolchain, check: Check) {
        self.0.entry(digest).or_default().push((toolchain, check));
    }
}

impl Inspector for Checks<'_> {
    fn wants(&self, blob: &Blob) -> bool {
        self.0.contains_key(&blob.sha256)
    }

    fn inspect(&self, blob: &Blob, bytes: &[u8]) -> Result<(), ApplyError> {
        for (toolchain, check) in self.0.get(&blob.sha256).into_iter().flatten() {
            let name = toolchain_name(toolchain.version);
            match check {
                Check::Version => toolchain::check_version_file(&name, bytes),
                Check::Snapshot(module) => snapshot::check(&name, module, bytes).map(drop),
            }
            .map_err(ApplyError::Refused)?;
        }
        Ok(())
    }
}

/// Handles of the directories that trees lie in.
#[derive(Debug)]
pub(crate) struct TreeDirs {
    pub(crate) toolchain: Dir,
    pub(crate) modcache: Dir,
}

/// Writes the trees that the plan says are new, makes them durable, and gives them their names.
pub(crate) fn apply<S: ReadAt + Sync>(
    bundle: &VerifiedBundle<S>,
    manifests: &[&Manifest],
    observed: &Observed,
    plan: &Plan,
    dirs: &TreeDirs,
    run: &Run<'_>,
) -> Result<Applied, ApplyError> {
    let platform = goferry_manifest::Platform::of_this_program();
    let content = Content::of(manifests.iter().copied(), platform.as_ref());
    let budget = HandleBudget::new(raise_file_limit().saturating_sub(OTHER_FILES));
    let specs = specs(&content, plan)?;
    let modcache = (plan.modcache.state != TreeState::Present).then(|| Modcache::new(&content));
    let result =
        Writing { bundle, observed, plan, dirs, run, budget: &budget }.write(&specs, modcache.as_ref());
    if result.is_err() {
        // Nothing more can be done about what cannot be removed: the next run will.
        let _ = remove_stagings(plan, dirs);
    }
    result
}

/// Files that are open besides directory handles.
const OTHER_FILES: usize = 64;
/// Directory handles that are useful at once.
const MOST_FILES: u64 = 32 << 10;

/// Raises this process's limit of open files as far as it may, as `go` does.
fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current.unwrap_or(MOST_FILES), limit.maximum.unwrap_or(MOST_FILES));
    let wanted = hard.min(MOST_FILES);
    let raised = wanted > soft
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    usize::try_from(if raised { wanted } else { soft.min(MOST_FILES) }).unwrap_or(0)
}

fn specs<'c>(content: &Content<'c>, plan: &Plan) -> Result<Vec<(&'c Toolchain, TreeSpec)>, ApplyError> {
    let missing = content.toolchains.iter().filter(|(release, _)| {
        plan.toolchains.get(release).is_none_or(|tree| tree.state != TreeState::Present)
    });
    missing
        .map(|(_, toolchain)| Ok((*toolchain, toolchain::spec(toolchain).map_err(ApplyError::Refused)?)))
        .collect()
}

fn remove_stagings(plan: &Plan, dirs: &TreeDirs) -> Result<(), FsError> {
    for tree in plan.toolchains.values() {
        tree::remove_if_there(&dirs.toolchain, &format!("{}{}", crate::observe::STAGING, tree.name))?;
    }
    tree::remove_if_there(&dirs.modcache, &format!("{}{}", crate::observe::STAGING, plan.modcache.name))
}

struct Writing<'w, S> {
    bundle: &'w VerifiedBundle<S>,
    observed: &'w Observed,
    plan: &'w Plan,
    dirs: &'w TreeDirs,
    run: &'w Run<'w>,
    budget: &'w HandleBudget,
}

impl<S: ReadAt + Sync> Writing<'_, S> {
    fn write(
        &self,
        specs: &[(&Toolchain, TreeSpec)],
        modcache: Option<&Modcache<'_>>,
    ) -> Result<Applied, ApplyError> {
        let mut stagings = Vec::new();
        for (toolchain, spec) in specs {
            let name = toolchain_name(toolchain.version);
            tree::remove_if_there(&self.dirs.toolchain, &name)?;
            stagings.push(Staging::create(&self.dirs.toolchain, &name, spec, self.budget)?);
        }
        let mut done: Vec<Vec<bool>> = vec![Vec::new(); stagings.len()];
        if let Some(modcache) = modcache {
            let name = self.plan.modcache.name.as_str();
            tree::remove_if_there(&self.dirs.modcache, name)?;
            let staging = Staging::create(&self.dirs.modcache, name, &modcache.spec, self.budget)?;
            done.push(self.link(modcache, &staging)?);
            stagings.push(staging);
        }
        let targets = unpack::targets(&stagings, &done);
        self.check_carried(&targets, &stagings)?;
        unpack::unpack(self.bundle, &stagings, &targets, self.run)?;
        for (staging, done) in stagings.iter().zip(&done) {
            staging.write_known(done)?;
        }
        for ((toolchain, _), staging) in specs.iter().zip(&stagings) {
            toolchain::check_version(toolchain, staging)?;
        }
        let applied = self.complete_modcache(specs, modcache, &stagings, &done)?;
        self.publish(&stagings, modcache)?;
        Ok(applied)
    }

    fn link(&self, modcache: &Modcache<'_>, staging: &Staging<'_>) -> Result<Vec<bool>, ApplyError> {
        let Some(current) = &self.observed.current else { return Ok(Vec::new()) };
        let name = &current.receipt.trees.modcache;
        match crate::fs::optional(self.dirs.modcache.open_dir(name.as_str()))? {
            Some(previous) => modcache.link(staging, previous, &current.receipt.zips, self.budget, self.run),
            None => Ok(Vec::new()),
        }
    }

    /// What another channel's bundle carried, and is not there any more, cannot be made again.
    fn check_carried(&self, targets: &unpack::Targets, stagings: &[Staging<'_>]) -> Result<(), ApplyError> {
        let carried = self.bundle.manifest().blobs();
        for (digest, places) in targets {
            if carried.binary_search_by_key(digest, |blob| blob.sha256).is_err()
                && let Some((tree, number)) = places.first()
            {
                return Err(ApplyError::Damaged { path: stagings[*tree].path_of(*number) });
            }
        }
        Ok(())
    }

    fn complete_modcache(
        &self,
        specs: &[(&Toolchain, TreeSpec)],
        modcache: Option<&Modcache<'_>>,
        stagings: &[Staging<'_>],
        done: &[Vec<bool>],
    ) -> Result<Applied, ApplyError> {
        let held = self.observed.current.as_ref().map(|current| current.receipt.zips.clone());
        let held = held.unwrap_or_default();
        let mut ledger = self.plan.ledger.clone();
        let (Some(modcache), Some(staging), Some(done)) = (modcache, stagings.last(), done.last()) else {
            return Ok(Applied { zips: held, ledger });
        };
        let zips = modcache.write_zips(staging, done, &held, self.run)?;
        for spec in &modcache.snapshots {
            let goroot = self.goroot(spec.snapshot.release, specs, stagings)?;
            let h1 = snapshot::extract(spec, &goroot, staging)?;
            let hashes = Hashes { h1: Some(h1), go_mod: None };
            ledger.enter_hashes(&spec.module, hashes).map_err(|conflict| {
                let Conflict { name, held, incoming } = conflict;
                ApplyError::Refused(RefusedContent::Changed { name, held, incoming })
            })?;
        }
        Ok(Applied { zips, ledger })
    }

    /// The directory of snapshots in a GOROOT, which may have its name already or not.
    fn goroot(
        &self,
        release: GoRelease,
        specs: &[(&Toolchain, TreeSpec)],
        stagings: &[Staging<'_>],
    ) -> Result<Dir, FsError> {
        let staged = specs.iter().zip(stagings).find(|((toolchain, _), _)| toolchain.version == release);
        if let Some((_, staging)) = staged {
            return staging.top().open_path(Snapshot::DIR.split('/'));
        }
        let top = self.dirs.toolchain.open_dir(&toolchain_name(release))?;
        top.open_path(Snapshot::DIR.split('/'))
    }

    /// DESIGN §5, steps 4 and 5.
    fn publish(&self, stagings: &[Staging<'_>], modcache: Option<&Modcache<'_>>) -> Result<(), ApplyError> {
        self.run.check_interrupt()?;
        self.run.begin(Stage::Sync);
        self.dirs.modcache.sync_file_system()?;
        if let (Some(modcache), Some(staging)) = (modcache, stagings.last()) {
            for spec in &modcache.snapshots {
                staging.with_dir(spec.dir, snapshot::seal)?;
            }
        }
        for staging in stagings {
            self.run.check_interrupt()?;
            staging.sync(self.run.threads)?;
        }
        self.run.check_interrupt()?;
        stagings.iter().try_for_each(Staging::publish)?;
        Ok(())
    }
}
