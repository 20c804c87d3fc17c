//! How much an install writes, and whether there is room for it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::content::Content;
use crate::host::Host;
use crate::plan::{Plan, PlanError, TreeState};

/// What an install writes, by estimate: never less than what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// Files, directories and links.
    pub inodes: u64,
    /// Bytes, in whole blocks.
    pub bytes: u64,
}

/// Bytes of a block of common file systems.
const BLOCK: u64 = 4096;
/// Bytes that a module zip needs for each file besides its content and twice its name.
const ZIP_ENTRY: u64 = 128;

pub(crate) fn writes(content: &Content<'_>, plan: &Plan, linked: &BTreeSet<String>) -> Writes {
    let mut writes = Writes::default();
    for (release, toolchain) in &content.toolchains {
        if plan.toolchains.get(release).is_some_and(|tree| tree.state != TreeState::Present) {
            toolchain.files.iter().for_each(|file| writes.add(file.size));
            writes.add_dirs(toolchain.files.iter().map(|file| file.path.parent()));
        }
    }
    if plan.modcache.state != TreeState::Present {
        for (module, carried) in &content.modules {
            // `.info`, `.mod`, `.ziphash`, `list` and two directories.
            (0..6).for_each(|_| writes.add(1));
            let Some(zip) = &carried.zip else { continue };
            writes.add_dirs(zip.files.iter().map(|file| file.path.parent()));
            if linked.contains(&module.to_string()) {
                continue;
            }
            zip.files.iter().for_each(|file| writes.add(file.size));
            let name = module.zip_prefix().len();
            let entries = zip.files.iter().map(|file| {
                let names = (name + file.path.as_str().len()) as u64 * 2;
                file.size.saturating_add(names + ZIP_ENTRY)
            });
            writes.add(entries.fold(0, u64::saturating_add));
        }
        for snapshot in content.snapshots().values() {
            // Go's own source, which compresses to about a quarter; some hundred small files.
            writes.add(snapshot.blob.size.saturating_mul(6));
            writes.inodes = writes.inodes.saturating_add(1000);
        }
    }
    (0..64).for_each(|_| writes.add(1));
    writes
}

impl Writes {
    fn add(&mut self, bytes: u64) {
        self.inodes = self.inodes.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.div_ceil(BLOCK).saturating_mul(BLOCK));
    }

    fn add_dirs<'p>(&mut self, parents: impl Iterator<Item = &'p str>) {
        let mut dirs = BTreeSet::new();
        for parent in parents {
            let mut dir = Some(parent);
            while let Some(path) = dir.filter(|path| dirs.insert(*path)) {
                dir = path.rsplit_once('/').map(|(above, _)| above);
            }
        }
        for _ in dirs {
            self.add(BLOCK);
        }
    }
}

pub(crate) fn check_volume(plan: &Plan, host: &Host) -> Result<(), PlanError> {
    let volume = &host.volume;
    if volume.read_only {
        return Err(PlanError::ReadOnly);
    }
    if volume.no_exec && !plan.toolchains.is_empty() {
        return Err(PlanError::NoExec);
    }
    if plan.writes.bytes > volume.free_bytes {
        return Err(PlanError::Space { needed: plan.writes.bytes, free: volume.free_bytes });
    }
    match volume.free_inodes {
        Some(free) if plan.writes.inodes > free => {
            Err(PlanError::Inodes { needed: plan.writes.inodes, free })
        }
        _ => Ok(()),
    }
}
