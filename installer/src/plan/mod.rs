//! What an install would do: decided before anything is changed, from values alone.

mod error;

use std::collections::{BTreeMap, BTreeSet};

use goferry_manifest::bundle::{CarriedModule, Cover, Manifest, Toolchain};
use goferry_manifest::{Channel, GoRelease, Platform, Sequence, Sha256Digest, Timestamp};
use serde::Serialize;

pub use self::error::PlanError;
use crate::content::{Content, toolchain_name};
pub use crate::estimate::Writes;
use crate::estimate::{check_volume, writes};
use crate::host::Host;
use crate::observe::{MODCACHE, Observed, TOOLCHAIN};
use crate::receipt::{ChannelRecord, Conflict, DefaultGo, Ledger};
use crate::tree_name::TreeName;

/// The bundle, as far as a plan depends on it.
#[derive(Clone, Debug)]
pub struct Incoming<'b> {
    /// Its id: the digest of its cover.
    pub id: Sha256Digest,
    /// Its cover.
    pub cover: &'b Cover,
    /// Its manifest.
    pub manifest: &'b Manifest,
    /// Fingerprints of the trusted keys that signed it.
    pub signers: BTreeSet<Sha256Digest>,
}

/// Whether a bundle below the channel's floor may be installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrade {
    /// It is refused.
    #[default]
    Refuse,
    /// It is installed, and lowers the floor to itself.
    Allow,
}

/// What an install would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The channel.
    pub channel: Channel,
    /// The bundle's number in it.
    pub sequence: Sequence,
    /// The bundle's id.
    pub bundle: Sha256Digest,
    /// Whether there is anything to do.
    pub action: Action,
    /// The generation in use before.
    pub parent: Option<u64>,
    /// The generation in use after.
    pub generation: u64,
    /// After this moment the signer no longer vouches for the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The Go that `current/bin/go` will be.
    pub default_go: Option<DefaultGo>,
    /// The floor that this lowers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downgrade_from: Option<Sequence>,
    /// The toolchains of the generation.
    pub toolchains: BTreeMap<GoRelease, Tree>,
    /// Its module cache.
    pub modcache: Tree,
    /// The bundle's components for this host.
    pub components: Vec<Component>,
    /// What will be written.
    pub writes: Writes,
    #[serde(skip)]
    pub(crate) records: BTreeMap<Channel, ChannelRecord>,
    #[serde(skip)]
    pub(crate) ledger: Ledger,
}

/// Whether there is anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The host is already as the bundle wants it.
    Nothing,
    /// A new generation is made.
    Install,
}

/// A tree of the generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tree {
    /// Its name below `trees/<kind>/`.
    pub name: TreeName,
    /// How it comes to be there.
    pub state: TreeState,
}

/// How a tree comes to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeState {
    /// It is written.
    New,
    /// A generation has it: it is used as it is.
    Present,
    /// It is there and no generation has it: nothing is known about it, so that it is written anew.
    Orphaned,
}

/// A component of the bundle.
#[derive(Clone, Debug, Serialize)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name and version.
    pub name: String,
    /// How it comes to be there.
    pub state: ComponentState,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// A Go toolchain.
    Toolchain,
    /// A module.
    Module,
    /// The go.mod of a module.
    GoMod,
}

/// How a component comes to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentState {
    /// It is written.
    New,
    /// It is in a tree that is used as it is.
    Present,
    /// Its files are in the module cache before this one, and are linked from there.
    Linked,
}

/// Decides what installing the bundle would do.
pub fn plan(
    incoming: &Incoming<'_>,
    observed: &Observed,
    host: &Host,
    downgrade: Downgrade,
) -> Result<Plan, PlanError> {
    let Incoming { id, cover, manifest, signers: _ } = incoming;
    check_platform(manifest, host.platform.as_ref())?;
    check_kernel(manifest, &host.kernel)?;
    let current = observed.current.as_ref();
    let mut records = current.map(|current| current.receipt.channels.clone()).unwrap_or_default();
    let held = records.get(&cover.name);
    let up_to_date = held.is_some_and(|held| held.bundle == *id);
    let known = held.map(|held| held.manifests.clone()).unwrap_or_default();
    check_sequence(cover, &known)?;
    let floor = if up_to_date { None } else { held.map(|held| held.floor) };
    let downgrade_from = floor.map_or(Ok(None), |floor| check_floor(cover, floor, downgrade))?;
    let ledger = ledger(manifest, observed, host)?;
    let manifests = manifests(incoming, observed);
    let content = Content::of(manifests.values().copied(), host.platform.as_ref());
    let toolchain =
        |release: &GoRelease| (*release, tree(observed, TOOLCHAIN, TreeName::of_toolchain(*release)));
    let toolchains: BTreeMap<_, _> = content.toolchains.keys().map(toolchain).collect();
    let modcache = tree(observed, MODCACHE, content.modcache_name());
    let default_go = default_go(&cover.name, observed, &manifests, &content);
    if !up_to_date {
        records.insert(cover.name.clone(), record(incoming, known));
    }
    let parent = current.map(|current| current.receipt.generation);
    // A tree that is gone is made again, by a new generation.
    let complete = toolchains.values().chain([&modcache]).all(|tree| tree.state == TreeState::Present);
    let action = if up_to_date && complete { Action::Nothing } else { Action::Install };
    let mut plan = Plan {
        channel: cover.name.clone(),
        sequence: cover.sequence,
        bundle: *id,
        expires: cover.expires,
        action,
        parent,
        generation: parent
            .map_or(1, |parent| if action == Action::Nothing { parent } else { parent.saturating_add(1) }),
        default_go,
        downgrade_from,
        toolchains,
        modcache,
        components: Vec::new(),
        writes: Writes::default(),
        records,
        ledger,
    };
    let linked = linked_modules(observed);
    plan.components = components(manifest, &content, &plan, &linked);
    if plan.action == Action::Install {
        plan.writes = writes(&content, &plan, &linked);
    }
    Ok(plan)
}

/// Whether the host has room for what the plan writes. Not part of [`plan`]: what interrupted runs left behind may take
/// that room, and goes first.
pub fn check_room(plan: &Plan, host: &Host) -> Result<(), PlanError> {
    if plan.action == Action::Nothing { Ok(()) } else { check_volume(plan, host) }
}

/// The ledger with what the bundle carries for this host.
fn ledger(manifest: &Manifest, observed: &Observed, host: &Host) -> Result<Ledger, PlanError> {
    let mut ledger =
        observed.current.as_ref().map(|current| current.receipt.ledger.clone()).unwrap_or_default();
    if let Some(platform) = &host.platform {
        ledger.enter(manifest, platform).map_err(|Conflict { name, held, incoming }| PlanError::Changed {
            name,
            held,
            incoming,
        })?;
    }
    Ok(ledger)
}

/// The manifest of each channel after the install; the incoming one replaces its channel's.
pub(crate) fn manifests<'m>(
    incoming: &Incoming<'m>,
    observed: &'m Observed,
) -> BTreeMap<&'m Channel, &'m Manifest> {
    let stored = observed.current.iter().flat_map(|current| &current.bundles);
    let mut manifests: BTreeMap<_, _> = stored.map(|(channel, bundle)| (channel, &bundle.manifest)).collect();
    manifests.insert(&incoming.cover.name, incoming.manifest);
    manifests
}

fn check_platform(manifest: &Manifest, host: Option<&Platform>) -> Result<(), PlanError> {
    let carried: BTreeSet<_> = manifest.toolchains().iter().map(|it| it.platform.clone()).collect();
    if carried.is_empty() || host.is_some_and(|host| carried.contains(host)) {
        return Ok(());
    }
    Err(PlanError::Platform { host: host.cloned(), carried })
}

/// A sequence number is given once, also if the host has gone back since.
fn check_sequence(cover: &Cover, known: &BTreeMap<Sequence, Sha256Digest>) -> Result<(), PlanError> {
    let incoming = cover.manifest.content_sha256;
    match known.get(&cover.sequence) {
        Some(installed) if *installed != incoming => Err(PlanError::SameSequence {
            channel: cover.name.clone(),
            sequence: cover.sequence,
            installed: *installed,
            incoming,
        }),
        _ => Ok(()),
    }
}

/// The oldest Linux that Go runs on, since Go 1.24: <https://go.dev/wiki/MinimumRequirements>.
const OLDEST_LINUX: (u32, u32) = (3, 2);

/// A release that cannot be read says nothing.
fn check_kernel(manifest: &Manifest, release: &str) -> Result<(), PlanError> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|text| text.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST_LINUX && !manifest.toolchains().is_empty() => {
            Err(PlanError::Kernel { release: release.to_owned() })
        }
        _ => Ok(()),
    }
}

fn check_floor(cover: &Cover, floor: Sequence, downgrade: Downgrade) -> Result<Option<Sequence>, PlanError> {
    let (channel, sequence) = (&cover.name, cover.sequence);
    match (sequence < floor, downgrade) {
        (false, _) => Ok(None),
        (true, Downgrade::Allow) => Ok(Some(floor)),
        (true, Downgrade::Refuse) => Err(PlanError::Rollback { channel: channel.clone(), sequence, floor }),
    }
}

/// What is remembered of the channel once the bundle is installed.
fn record(incoming: &Incoming<'_>, mut known: BTreeMap<Sequence, Sha256Digest>) -> ChannelRecord {
    let Incoming { id, cover, manifest: _, signers } = incoming;
    let (sequence, manifest) = (cover.sequence, cover.manifest.content_sha256);
    known.insert(sequence, manifest);
    ChannelRecord {
        floor: sequence,
        manifests: known,
        sequence,
        bundle: *id,
        manifest,
        signers: signers.clone(),
    }
}

fn tree(observed: &Observed, kind: &'static str, name: TreeName) -> Tree {
    let key = (kind, name);
    let state = match (observed.trees.contains(&key), observed.referenced.contains(&key)) {
        (false, _) => TreeState::New,
        (true, false) => TreeState::Orphaned,
        (true, true) => TreeState::Present,
    };
    Tree { name: key.1, state }
}

/// What `use` chose, as long as it is there; else the newest release of the channel that gave the default so far.
fn default_go(
    channel: &Channel,
    observed: &Observed,
    manifests: &BTreeMap<&Channel, &Manifest>,
    content: &Content<'_>,
) -> Option<DefaultGo> {
    let held = observed.current.as_ref().and_then(|current| current.receipt.default_go.clone());
    if let Some(held) = held.as_ref().filter(|held| held.chosen)
        && content.toolchains.contains_key(&held.release)
    {
        return Some(held.clone());
    }
    let newest_of = |channel: &Channel| {
        let toolchains = manifests.get(channel)?.toolchains().iter().map(|toolchain| toolchain.version);
        let release = toolchains.filter(|release| content.toolchains.contains_key(release)).max()?;
        Some(DefaultGo { release, channel: channel.clone(), chosen: false })
    };
    let others = || manifests.keys().filter_map(|channel| newest_of(channel)).max_by_key(|it| it.release);
    held.and_then(|held| newest_of(&held.channel)).or_else(|| newest_of(channel)).or_else(others)
}

/// Names of modules whose files the module cache in use holds.
fn linked_modules(observed: &Observed) -> BTreeSet<String> {
    let receipt = observed.current.as_ref().map(|current| &current.receipt);
    let receipt = receipt.filter(|it| observed.trees.contains(&(MODCACHE, it.trees.modcache.clone())));
    receipt.iter().flat_map(|receipt| receipt.zips.keys()).cloned().collect()
}

fn components(
    manifest: &Manifest,
    content: &Content<'_>,
    plan: &Plan,
    linked: &BTreeSet<String>,
) -> Vec<Component> {
    let toolchains = manifest.toolchains().iter().filter_map(|toolchain| {
        let tree = plan.toolchains.get(&toolchain.version)?;
        content.toolchains.get(&toolchain.version).filter(|it| it.platform == toolchain.platform)?;
        let state = match tree.state {
            TreeState::New | TreeState::Orphaned => ComponentState::New,
            TreeState::Present => ComponentState::Present,
        };
        Some(toolchain_component(toolchain, state))
    });
    let modules = manifest.modules().iter().map(|carried| {
        let state = match plan.modcache.state {
            TreeState::Present => ComponentState::Present,
            _ if linked.contains(&carried.module.to_string()) => ComponentState::Linked,
            _ => ComponentState::New,
        };
        module_component(carried, state)
    });
    toolchains.chain(modules).collect()
}

fn toolchain_component(toolchain: &Toolchain, state: ComponentState) -> Component {
    Component {
        kind: ComponentKind::Toolchain,
        name: toolchain_name(toolchain.version),
        state,
        files: toolchain.files.len(),
        bytes: toolchain.files.iter().map(|file| file.size).sum(),
    }
}

fn module_component(carried: &CarriedModule, state: ComponentState) -> Component {
    let name = carried.module.to_string();
    match &carried.zip {
        Some(zip) => Component {
            kind: ComponentKind::Module,
            name,
            state,
            files: zip.files.len(),
            bytes: zip.files.iter().map(|file| file.size).sum(),
        },
        None => Component { kind: ComponentKind::GoMod, name, state, files: 1, bytes: carried.go_mod.size },
    }
}

#[cfg(test)]
mod tests {
    use goferry_manifest::DirHash;
    use goferry_manifest::bundle::{File, Table};

    use super::*;
    use crate::host::Volume;

    fn manifest() -> Manifest {
        let file = File { path: "VERSION".parse().unwrap(), size: 1 << 20, sha256: Sha256Digest::of(b"any") };
        let mut toolchain = Toolchain {
            version: "1.27.3".parse().unwrap(),
            platform: "linux/amd64".parse().unwrap(),
            h1: DirHash::of_files([]),
            files: vec![file.clone()],
        };
        let prefix = toolchain.module().zip_prefix();
        toolchain.h1 = DirHash::of_prefixed(&prefix, [("VERSION", file.sha256)]);
        Manifest::new(vec![toolchain], Vec::new()).unwrap()
    }

    fn plan_with(volume: impl FnOnce(&mut Volume)) -> Result<Plan, PlanError> {
        plan_on("4.18.0", volume)
    }

    fn plan_on(kernel: &str, volume: impl FnOnce(&mut Volume)) -> Result<Plan, PlanError> {
        let digest = Sha256Digest::of(b"");
        let table = Table { sha256: digest, size: 0, content_sha256: digest, content_size: 0 };
        let created = "2026-11-24T08:15:00Z".parse().unwrap();
        let cover = Cover::new("web".parse().unwrap(), Sequence::FIRST, created, [table; 3]);
        let manifest = manifest();
        let incoming = Incoming { id: digest, cover: &cover, manifest: &manifest, signers: BTreeSet::new() };
        let mut host = Host {
            platform: "linux/amd64".parse().ok(),
            kernel: kernel.to_owned(),
            uid: 0,
            volume: Volume {
                free_bytes: 1 << 30,
                free_inodes: Some(1 << 20),
                read_only: false,
                no_exec: false,
            },
        };
        volume(&mut host.volume);
        let plan = plan(&incoming, &Observed::default(), &host, Downgrade::Refuse)?;
        check_room(&plan, &host)?;
        Ok(plan)
    }

    #[test]
    fn a_plan_is_made_where_there_is_room() {
        let plan = plan_with(|_| {}).unwrap();
        assert_eq!((plan.generation, plan.parent), (1, None));
        assert!(plan.writes.bytes >= 1 << 20);
        assert!(plan_with(|volume| volume.free_inodes = None).is_ok());
    }

    #[test]
    fn where_there_is_none_it_says_so_before_anything_is_written() {
        // bad-inputs #72, #73, #77, #78
        let refused = |volume: fn(&mut Volume)| {
            let error = plan_with(volume).unwrap_err();
            assert!(!error.is_refusal());
            error
        };
        assert!(matches!(refused(|it| it.free_bytes = 1 << 20), PlanError::Space { free: 0x10_0000, .. }));
        assert!(matches!(refused(|it| it.free_inodes = Some(3)), PlanError::Inodes { free: 3, .. }));
        assert!(matches!(refused(|it| it.read_only = true), PlanError::ReadOnly));
        assert!(matches!(refused(|it| it.no_exec = true), PlanError::NoExec));
    }

    #[test]
    fn a_kernel_on_which_go_does_not_start_is_told_before_anything_is_written() {
        for old in ["2.6.32-754.el6.x86_64", "3.1.10", "3.1"] {
            assert!(matches!(plan_on(old, |_| {}), Err(PlanError::Kernel { .. })), "{old}");
        }
        for new in ["3.2.0", "3.10.0-1160.el7.x86_64", "4.18.0", "6.12-rc1", "unknown"] {
            assert!(plan_on(new, |_| {}).is_ok(), "{new}");
        }
    }
}
