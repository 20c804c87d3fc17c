//! Directories that are made for one run and removed after it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use goferry_manifest::Sha256Digest;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::failure::Result;

/// A directory in which everything is removed at the end, read-only directories too.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// A new one.
    pub(crate) fn new_in(parent: &Path) -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("goferry-benchmark-").tempdir_in(parent)?))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A place in it that is empty or does not exist yet.
    pub(crate) fn absent(&self, name: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        remove_tree(&path)?;
        Ok(path)
    }

    /// An empty directory in it.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf> {
        let path = self.absent(name)?;
        fs_err::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays; there is nobody left to tell.
        let _ = remove_tree(self.0.path());
    }
}

/// Removes a tree, if it is there; installed ones are read-only.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    if !path.try_exists()? {
        return Ok(());
    }
    for entry in WalkDir::new(path) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            fs_err::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
        }
    }
    Ok(fs_err::remove_dir_all(path)?)
}

/// Bytes that do not compress, other ones for each seed.
pub(crate) fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|block| Sha256Digest::of(&[seed.to_le_bytes(), block.to_le_bytes()].concat()));
    let mut noise: Vec<u8> =
        blocks.take(bytes.div_ceil(32)).flat_map(|digest| digest.as_bytes().to_owned()).collect();
    noise.truncate(bytes);
    noise
}
