//! Installing a bundle, in the order of DESIGN §5.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::thread;

use camino::Utf8Path;
use goferry_manifest::Timestamp;
use goferry_manifest::bundle::{BundleError, UnverifiedBundle, VerifiedBundle};
use goferry_manifest::minisign::PublicKey;
use goferry_manifest::trust::TrustPolicy;
use serde::Serialize;
use thiserror::Error;

use crate::apply::{self, Applied, ApplyError, Reporter, Run, Stage, TreeDirs};
use crate::bundle_file::{BundleFile, OpenError};
use crate::fs::{Dir, FsError, optional};
use crate::generation::{self, BundleFiles};
use crate::go_env;
use crate::host::Host;
use crate::lock::{Lock, LockError};
use crate::observe::{
    GENERATIONS, GOPATH, Leftover, MODCACHE, ObserveError, Observed, STATE, TOOLCHAIN, TREES,
    observe_to_change,
};
use crate::plan::{Action, Downgrade, Incoming, Plan, PlanError, check_room, plan};
use crate::prefix::{Prefix, Root};
use crate::receipt::{Parent, Receipt, Schema, Trees};
use crate::rooted::PLACE_MODE;

/// Bytes that packs and their decoders may take together by default: enough for two of the largest packs that goferry
/// makes, so that two cores have work.
pub const MEMORY: u64 = 168 << 20;
/// More threads than this do not lay files out faster.
const MOST_THREADS: usize = 4;

/// What to install, and where.
#[derive(Clone, Debug)]
pub struct InstallRequest<'r> {
    /// The bundle's file.
    pub bundle: &'r Utf8Path,
    /// Whose signatures count.
    pub trust: &'r TrustPolicy,
    /// Where everything lies, as the host sees it.
    pub prefix: &'r Prefix,
    /// Where the host's file system begins.
    pub root: &'r Root,
    /// Whether an older bundle may be installed.
    pub downgrade: Downgrade,
    /// A GOPATH for every user of this prefix; kept by later installs.
    pub gopath: Option<&'r Prefix>,
    /// The user, for the receipt.
    pub who: &'r str,
    /// The time, for the receipt.
    pub when: Timestamp,
    /// How to go about it.
    pub effort: Effort<'r>,
}

/// How much of the machine to use, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Effort<'r> {
    /// Threads that work at the same time.
    pub threads: usize,
    /// Bytes that packs and their decoders may take together; one pack is always admitted.
    pub memory: u64,
    /// When this becomes true, the work ends at the next opportunity and nothing is changed.
    pub interrupt: &'r AtomicBool,
}

impl<'r> Effort<'r> {
    /// What is best on most machines.
    pub fn new(interrupt: &'r AtomicBool) -> Self {
        let threads = thread::available_parallelism().map_or(2, usize::from).min(MOST_THREADS);
        Self { threads, memory: MEMORY, interrupt }
    }

    fn run(&self, reporter: &'r dyn Reporter) -> Run<'r> {
        let Self { threads, memory, interrupt } = *self;
        Run { reporter, interrupt, threads, memory }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Installed {
    /// What was done, or was there already.
    pub plan: Plan,
    /// The trusted keys that signed the bundle.
    #[serde(skip)]
    pub signers: Vec<PublicKey>,
    /// Why the log has no line about it, if so: the install itself is complete.
    #[serde(skip)]
    pub log_error: Option<FsError>,
}

/// Why a bundle was not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The bundle's file.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What is under the prefix.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The bundle does not go with what is here.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another run.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The trees.
    #[error(transparent)]
    Apply(ApplyError),
    /// Anything else that was to be written before the switch.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The switch. The new generation is complete, and in use or not.
    #[error("the switch to generation {generation} may or may not be durable: {reason}")]
    Switch {
        /// The new generation.
        generation: u64,
        /// What failed.
        reason: FsError,
    },
    /// A GOPATH where it cannot be.
    #[error("the GOPATH `{gopath}` lies in the prefix `{prefix}`, where only `{prefix}/gopath` may be one")]
    Gopath {
        /// The GOPATH.
        gopath: Prefix,
        /// The prefix.
        prefix: Prefix,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<ApplyError> for InstallError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Interrupted => Self::Interrupted,
            ApplyError::Bundle(error) => Self::Bundle(error),
            error => Self::Apply(error),
        }
    }
}

/// How an operation ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The bundle was refused.
    Refused,
    /// The host would not.
    Failed,
    /// The caller asked to stop.
    Interrupted,
}

impl InstallError {
    /// How it ended.
    pub fn class(&self) -> Class {
        match self {
            Self::Bundle(BundleError::Io(_)) => Class::Failed,
            Self::Bundle(_) | Self::Apply(ApplyError::Pack { .. } | ApplyError::Refused(_)) => Class::Refused,
            Self::Plan(error) if error.is_refusal() => Class::Refused,
            Self::Interrupted => Class::Interrupted,
            Self::Open(_)
            | Self::Gopath { .. }
            | Self::Observe(_)
            | Self::Plan(_)
            | Self::Lock(_)
            | Self::Apply(_)
            | Self::Fs(_)
            | Self::Switch { .. } => Class::Failed,
        }
    }

    /// Whether empty directories of a new prefix, and its lock, may be left.
    pub fn left_directories(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Fs(_) | Self::Lock(_) | Self::Interrupted)
    }

    /// Whether the host may be in another state than before.
    pub fn changed_anything(&self) -> bool {
        matches!(self, Self::Switch { .. })
    }
}

/// Opens a bundle and checks everything but its packs.
pub fn open_bundle(path: &Utf8Path, trust: &TrustPolicy) -> Result<VerifiedBundle<BundleFile>, InstallError> {
    Ok(UnverifiedBundle::open(BundleFile::open(path)?)?.verify(trust)?)
}

/// Checks everything about a bundle that can be known without installing it.
pub fn verify(
    path: &Utf8Path,
    trust: &TrustPolicy,
    effort: Effort<'_>,
    reporter: &dyn Reporter,
) -> Result<VerifiedBundle<BundleFile>, InstallError> {
    let bundle = open_bundle(path, trust)?;
    apply::check_contents(&bundle, &effort.run(reporter))?;
    Ok(bundle)
}

/// What [`install`] would do. Changes nothing.
pub fn dry_run(request: &InstallRequest<'_>, reporter: &dyn Reporter) -> Result<Plan, InstallError> {
    let bundle = open_bundle(request.bundle, request.trust)?;
    apply::check_packs(&bundle, &request.effort.run(reporter))?;
    let (_, host, plan) = look(request, &bundle)?;
    check_room(&plan, &host)?;
    Ok(plan)
}

/// Installs a bundle. Unless it succeeds, the host is as before.
pub fn install(request: &InstallRequest<'_>, reporter: &dyn Reporter) -> Result<Installed, InstallError> {
    let run = request.effort.run(reporter);
    let bundle = open_bundle(request.bundle, request.trust)?;
    apply::check_packs(&bundle, &run)?;
    check_gopath(request)?;
    // Once without the lock, so that what is refused leaves no trace, not even a prefix.
    let (observed, host, plan) = look(request, &bundle)?;
    if plan.action == Action::Nothing {
        return Ok(Installed { plan, signers: bundle.signers().to_vec(), log_error: None });
    }
    if observed.leftovers.is_empty() {
        check_room(&plan, &host)?;
    }
    let places = Places::make(request)?;
    let _lock = Lock::take(&places.state)?;
    // What interrupted runs left goes first: it may take the room that this one needs.
    places.remove_leftovers(&observe_to_change(request.prefix, request.root)?)?;
    let (observed, host, plan) = look(request, &bundle)?;
    if plan.action == Action::Nothing {
        return Ok(Installed { plan, signers: bundle.signers().to_vec(), log_error: None });
    }
    check_room(&plan, &host)?;
    reporter.planned(&plan);
    let incoming = incoming(&bundle);
    let manifests: Vec<_> = crate::plan::manifests(&incoming, &observed).into_values().collect();
    let applied = apply::apply(&bundle, &manifests, &observed, &plan, &places.trees, &run)?;
    let receipt = receipt(request, &observed, &plan, applied);
    make_gopath(request, &receipt)?;
    run.check_interrupt()?;
    reporter.stage(Stage::Activate);
    let go_env = go_env::content(request.prefix, receipt.gopath.as_ref().map(|path| path.as_path().as_str()));
    generation::write(&places.generations, &receipt, &go_env, &bundle_files(&bundle, &observed))?;
    generation::activate(&places.prefix, &receipt)
        .map_err(|reason| InstallError::Switch { generation: plan.generation, reason })?;
    let log_error = append_to_log(&places.state, &receipt, &plan).err();
    Ok(Installed { plan, signers: bundle.signers().to_vec(), log_error })
}

fn look(
    request: &InstallRequest<'_>,
    bundle: &VerifiedBundle<BundleFile>,
) -> Result<(Observed, Host, Plan), InstallError> {
    let observed = observe_to_change(request.prefix, request.root)?;
    let host = Host::observe(request.prefix, request.root)?;
    let plan = plan(&incoming(bundle), &observed, &host, request.downgrade)?;
    Ok((observed, host, plan))
}

/// A GOPATH below the prefix would be something foreign in it, but for the one that is its own.
fn check_gopath(request: &InstallRequest<'_>) -> Result<(), InstallError> {
    match request.gopath {
        Some(gopath)
            if gopath.as_path().starts_with(request.prefix.as_path())
                && gopath.as_path() != request.prefix.join(GOPATH) =>
        {
            Err(InstallError::Gopath { gopath: gopath.clone(), prefix: request.prefix.clone() })
        }
        _ => Ok(()),
    }
}

fn incoming(bundle: &VerifiedBundle<BundleFile>) -> Incoming<'_> {
    Incoming {
        id: bundle.id(),
        cover: bundle.cover(),
        manifest: bundle.manifest(),
        signers: bundle.signers().iter().map(PublicKey::fingerprint).collect(),
    }
}

/// Handles of the directories of a prefix.
struct Places {
    prefix: Dir,
    trees: TreeDirs,
    generations: Dir,
    state: Dir,
}

impl Places {
    /// Makes those that are missing, durably.
    fn make(request: &InstallRequest<'_>) -> Result<Self, FsError> {
        let mut made = false;
        let prefix = request.root.open_or_create(request.prefix, &mut made)?;
        let mut place = |dir: &Dir, name| dir.open_or_create_dir(name, PLACE_MODE, &mut made);
        let trees = place(&prefix, TREES)?;
        let toolchain = place(&trees, TOOLCHAIN)?;
        let modcache = place(&trees, MODCACHE)?;
        let generations = place(&prefix, GENERATIONS)?;
        let state = place(&prefix, STATE)?;
        let places = Self { prefix, trees: TreeDirs { toolchain, modcache }, generations, state };
        trees.sync()?;
        places.prefix.sync()?;
        Ok(places)
    }

    /// Removes what interrupted runs left behind. Called with the lock held.
    fn remove_leftovers(&self, observed: &Observed) -> Result<(), FsError> {
        for Leftover { place, name } in &observed.leftovers {
            let dir = match *place {
                TOOLCHAIN => &self.trees.toolchain,
                MODCACHE => &self.trees.modcache,
                _ => &self.generations,
            };
            dir.remove(name)?;
        }
        Ok(())
    }
}

fn receipt(request: &InstallRequest<'_>, observed: &Observed, plan: &Plan, applied: Applied) -> Receipt {
    let current = observed.current.as_ref();
    let toolchain = plan.toolchains.iter().map(|(release, tree)| (*release, tree.name.clone())).collect();
    Receipt {
        schema: Schema::V1,
        generation: plan.generation,
        parent: current.map(|current| Parent {
            generation: current.receipt.generation,
            receipt: current.receipt_digest,
        }),
        channels: plan.records.clone(),
        default_go: plan.default_go.clone(),
        trees: Trees { toolchain, modcache: plan.modcache.name.clone() },
        ledger: applied.ledger,
        zips: applied.zips,
        gopath: gopath(request, current.and_then(|current| current.receipt.gopath.as_ref())),
        who: request.who.to_owned(),
        when: request.when,
        goport: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The GOPATH that `go.env` sets: the one asked for, else the one there was, else one below a prefix that an ordinary
/// user owns. Below root's own, each user keeps `$HOME/go`.
fn gopath(request: &InstallRequest<'_>, held: Option<&Prefix>) -> Option<Prefix> {
    let own = || {
        let is_root = rustix::process::geteuid().is_root();
        (!is_root).then(|| request.prefix.join(GOPATH).as_str().parse().ok()).flatten()
    };
    request.gopath.or(held).cloned().or_else(own)
}

fn make_gopath(request: &InstallRequest<'_>, receipt: &Receipt) -> Result<(), FsError> {
    let Some(gopath) = &receipt.gopath else { return Ok(()) };
    let mut made = false;
    let dir = request.root.open_or_create(gopath, &mut made)?;
    for name in ["bin", "pkg", "src"] {
        dir.open_or_create_dir(name, PLACE_MODE, &mut made)?;
    }
    dir.sync()
}

fn bundle_files<'b>(
    bundle: &'b VerifiedBundle<BundleFile>,
    observed: &'b Observed,
) -> BTreeMap<&'b goferry_manifest::Channel, BundleFiles<'b>> {
    let stored = observed.current.iter().flat_map(|current| &current.bundles);
    let mut files: BTreeMap<_, _> = stored
        .map(|(channel, stored)| {
            let signatures = stored.signatures.iter().map(Vec::as_slice).collect();
            let files = BundleFiles { cover: &stored.cover, signatures, manifest: &stored.manifest_file };
            (channel, files)
        })
        .collect();
    let new = BundleFiles {
        cover: bundle.cover_bytes(),
        signatures: bundle.signature_files().collect(),
        manifest: bundle.manifest_bytes(),
    };
    files.insert(&bundle.cover().name, new);
    files
}

/// The log, in `state/`.
const LOG: &str = "log.jsonl";
/// Bytes that are more than any line of it has.
const LOG_LINE: u64 = 64 << 10;

/// A line of `log.jsonl`: for people; the receipts are what counts.
#[derive(Serialize)]
struct LogLine<'l> {
    when: Timestamp,
    who: &'l str,
    action: &'static str,
    generation: u64,
    channel: &'l goferry_manifest::Channel,
    sequence: goferry_manifest::Sequence,
    bundle: goferry_manifest::Sha256Digest,
    signers: BTreeSet<goferry_manifest::Sha256Digest>,
    goport: &'l str,
}

fn append_to_log(state: &Dir, receipt: &Receipt, plan: &Plan) -> Result<(), FsError> {
    let signers = receipt.channels.get(&plan.channel).map(|record| record.signers.clone());
    let line = LogLine {
        when: receipt.when,
        who: &receipt.who,
        action: "install",
        generation: plan.generation,
        channel: &plan.channel,
        sequence: plan.sequence,
        bundle: plan.bundle,
        signers: signers.unwrap_or_default(),
        goport: &receipt.goport,
    };
    let mut line = serde_json::to_vec(&line).expect("a line has only string keys and finite numbers");
    line.push(b'\n');
    // A line that a crash has torn is dropped, and does not swallow this one.
    let (before, tail) = optional(state.tail(LOG, LOG_LINE))?.unwrap_or_default();
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    state.write_after(LOG, 0o600, before + whole as u64, &line)
}
