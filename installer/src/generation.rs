//! Generations: small directories of links, one for each state that the host ever had.

use std::collections::BTreeMap;

use goferry_manifest::Channel;

use crate::fs::{Dir, FsError};
use crate::observe::{BUNDLES, COVER, CURRENT, GENERATIONS, MANIFEST, PREVIOUS, STAGING, signature_name};
use crate::receipt::{RECEIPT, Receipt};

/// The files of a bundle that a generation keeps.
#[derive(Clone, Debug)]
pub(crate) struct BundleFiles<'b> {
    pub(crate) cover: &'b [u8],
    pub(crate) signatures: Vec<&'b [u8]>,
    pub(crate) manifest: &'b [u8],
}

/// Writes a generation and gives it its name, durably. `current` is not touched.
pub(crate) fn write(
    generations: &Dir,
    receipt: &Receipt,
    go_env: &str,
    bundles: &BTreeMap<&Channel, BundleFiles<'_>>,
) -> Result<(), FsError> {
    let name = receipt.generation.to_string();
    let staging = format!("{STAGING}{name}");
    let result = fill(generations, &staging, receipt, go_env, bundles)
        .and_then(|()| generations.rename(&staging, &name))
        .and_then(|()| generations.sync());
    if result.is_err() {
        // The next run removes what is left.
        let _ = generations.remove_tree(&staging);
    }
    result
}

fn fill(
    generations: &Dir,
    staging: &str,
    receipt: &Receipt,
    go_env: &str,
    bundles: &BTreeMap<&Channel, BundleFiles<'_>>,
) -> Result<(), FsError> {
    let dir = generations.create_dir(staging, 0o700)?;
    dir.symlink("modcache", &format!("../../trees/modcache/{}", receipt.trees.modcache))?;
    let bin = dir.create_dir("bin", 0o700)?;
    if let Some(default) = receipt.default_go.as_ref().and_then(|it| receipt.trees.toolchain.get(&it.release))
    {
        dir.symlink("go", &format!("../../trees/toolchain/{default}"))?;
        for tool in ["go", "gofmt"] {
            bin.symlink(tool, &format!("../../../trees/toolchain/{default}/bin/{tool}"))?;
        }
    }
    for (release, tree) in &receipt.trees.toolchain {
        bin.symlink(&format!("go{release}"), &format!("../../../trees/toolchain/{tree}/bin/go"))?;
    }
    if let Some(parent) = receipt.parent {
        dir.symlink(PREVIOUS, &format!("../{}", parent.generation))?;
    }
    dir.write_file("go.env", 0o444, go_env.as_bytes())?;
    let kept = dir.create_dir(BUNDLES, 0o700)?;
    for (channel, files) in bundles {
        let dir = kept.create_dir(channel.as_str(), 0o700)?;
        dir.write_file(COVER, 0o444, files.cover)?;
        for (index, signature) in files.signatures.iter().enumerate() {
            dir.write_file(&signature_name(index + 1), 0o444, signature)?;
        }
        dir.write_file(MANIFEST, 0o444, files.manifest)?;
        dir.set_mode(0o555)?;
    }
    kept.set_mode(0o555)?;
    bin.set_mode(0o555)?;
    dir.write_file(RECEIPT, 0o444, &receipt.to_bytes())?;
    dir.set_mode(0o555)?;
    dir.sync_tree()
}

/// Makes a generation the one in use: the commit point of everything.
pub(crate) fn activate(prefix: &Dir, receipt: &Receipt) -> Result<(), FsError> {
    if receipt.parent.is_some() && prefix.kind(PREVIOUS)?.is_none() {
        prefix.symlink(PREVIOUS, "current/previous")?;
    }
    prefix.replace_symlink(CURRENT, &format!("{GENERATIONS}/{}", receipt.generation))?;
    prefix.sync()
}
