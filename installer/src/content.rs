//! What a host has to hold: the union of the bundles last installed from each channel.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use goferry_manifest::bundle::{Blob, CarriedModule, Manifest, Toolchain};
use goferry_manifest::{GoRelease, Module, ModuleVersion, Platform, Sha256Digest};

use crate::tree_name::TreeName;

/// Directory of the FIPS 140 snapshots in a GOROOT.
const SNAPSHOTS: &str = "lib/fips140";

/// The toolchains for one platform and the modules of some manifests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content<'m> {
    pub(crate) toolchains: BTreeMap<GoRelease, &'m Toolchain>,
    pub(crate) modules: BTreeMap<&'m Module, &'m CarriedModule>,
}

impl<'m> Content<'m> {
    /// The union. Where two manifests have the same module, the one with files counts, else the first.
    pub(crate) fn of(manifests: impl IntoIterator<Item = &'m Manifest>, platform: Option<&Platform>) -> Self {
        let mut content = Self::default();
        for manifest in manifests {
            for toolchain in manifest.toolchains().iter().filter(|it| Some(&it.platform) == platform) {
                content.toolchains.entry(toolchain.version).or_insert(toolchain);
            }
            for carried in manifest.modules() {
                match content.modules.entry(&carried.module) {
                    Entry::Vacant(entry) => drop(entry.insert(carried)),
                    Entry::Occupied(mut entry) if entry.get().zip.is_none() => drop(entry.insert(carried)),
                    Entry::Occupied(_) => {}
                }
            }
        }
        content
    }

    /// The FIPS 140 snapshots of all toolchains. `go` would extract them into its module cache, which is read-only.
    pub(crate) fn snapshots(&self) -> BTreeMap<Module, Snapshot> {
        let mut snapshots = BTreeMap::new();
        for toolchain in self.toolchains.values() {
            for (module, blob) in snapshots_of(toolchain) {
                let release = toolchain.version;
                snapshots.entry(module).or_insert(Snapshot { release, blob });
            }
        }
        snapshots
    }

    /// The name of the module cache that holds this: it follows from what is in it.
    pub(crate) fn modcache_name(&self) -> TreeName {
        let mut list = String::from("goport modcache 1\n");
        for (module, carried) in &self.modules {
            let time = carried.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let zip = carried.zip.as_ref().map_or_else(|| "-".to_owned(), |zip| zip.h1.to_string());
            writeln!(list, "{module} {time} {} {zip}", carried.go_mod.h1)
                .expect("writing to a String does not fail");
        }
        for (module, snapshot) in self.snapshots() {
            writeln!(list, "{module} {}", snapshot.blob.sha256).expect("writing to a String does not fail");
        }
        let mut name = Sha256Digest::of(list.as_bytes()).to_string();
        name.truncate(16);
        name.parse().expect("digests are made of hexadecimal digits")
    }
}

/// The module zips of a toolchain's FIPS 140 snapshots.
pub(crate) fn snapshots_of(toolchain: &Toolchain) -> impl Iterator<Item = (Module, Blob)> {
    let zips = toolchain.files.iter().filter(|file| file.path.parent() == SNAPSHOTS);
    zips.filter_map(|file| {
        let version: ModuleVersion = file.path.file_name().strip_suffix(".zip")?.parse().ok()?;
        let path = "golang.org/fips140".parse().expect("the path is a constant");
        let module = Module::new(path, version).ok()?;
        Some((module, Blob { sha256: file.sha256, size: file.size }))
    })
}

/// A FIPS 140 snapshot: a module zip inside of a GOROOT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    /// The toolchain that has it.
    pub(crate) release: GoRelease,
    /// The zip.
    pub(crate) blob: Blob,
}

impl Snapshot {
    /// Its directory in the GOROOT.
    pub(crate) const DIR: &'static str = SNAPSHOTS;
}

/// The name of a toolchain, and of its tree.
pub(crate) fn toolchain_name(release: GoRelease) -> String {
    TreeName::of_toolchain(release).into()
}
