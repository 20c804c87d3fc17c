//! How much has to be carried.

use crate::failure::Result;
use crate::table::{Goal, Row};
use crate::world::World;

/// One toolchain against the `.tar.gz` of the same files.
pub(super) fn toolchain(world: &World) -> Result<Vec<Row>> {
    let ours = fs_err::metadata(&world.toolchain()?.bundle)?.len();
    let theirs = fs_err::metadata(world.tar_gz()?)?.len();
    Ok(vec![Row::sizes(
        "bundle of one toolchain / .tar.gz (gzip -9)",
        Some(Goal::ratio(0.63, 0.60)),
        ours,
        theirs,
    )])
}

/// The modules of `web` against their zips.
pub(super) fn modules(world: &World) -> Result<Vec<Row>> {
    let zips = world.file_proxy()?.zips;
    let modules = world.modules()?;
    let bundle = fs_err::metadata(&modules.bundle)?.len();
    let added = world.packs_added_by_modules()?;
    let goal = Goal::ratio(0.50, 0.38);
    Ok(vec![
        // What is carried for them in the bundle of web, which has Go too, as every bundle of a project has.
        Row::sizes("packs of modules in the bundle of web / their zips", Some(goal), added, zips),
        Row::sizes("packs of the same modules without Go / their zips", None, modules.packs, zips),
        Row::sizes("bundle of the same modules without Go / their zips", None, bundle, zips),
    ])
}
