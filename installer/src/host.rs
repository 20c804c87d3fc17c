//! Facts about the host that a plan depends on.

use goferry_manifest::Platform;
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::fs::{Dir, FsError};
use crate::prefix::{Prefix, Root};

/// What the host is.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// The platform whose toolchains run here; `None` on one that Go does not have.
    pub platform: Option<Platform>,
    /// The kernel's release.
    pub kernel: String,
    /// The effective user.
    pub uid: u32,
    /// Where the prefix lies.
    pub volume: Volume,
}

/// The file system that a prefix lies on, or will.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Volume {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Files that may still be made; `None` where the file system has no such limit.
    pub free_inodes: Option<u64>,
    /// Mounted read-only.
    pub read_only: bool,
    /// Mounted so that nothing on it can be run.
    pub no_exec: bool,
}

impl Host {
    /// Looks at the host, and at the file system of the nearest directory above `prefix` that exists.
    pub fn observe(prefix: &Prefix, root: &Root) -> Result<Self, FsError> {
        let uid = rustix::process::geteuid().as_raw();
        Ok(Self {
            platform: Platform::of_this_program(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            uid,
            volume: volume(&root.open_nearest(prefix)?, uid)?,
        })
    }
}

fn volume(dir: &Dir, uid: u32) -> Result<Volume, FsError> {
    let stat = dir.statvfs()?;
    let blocks = if uid == 0 { stat.f_bfree } else { stat.f_bavail };
    Ok(Volume {
        free_bytes: blocks.saturating_mul(stat.f_frsize),
        free_inodes: (stat.f_files > 0).then_some(stat.f_favail),
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        no_exec: stat.f_flag.contains(StatVfsMountFlags::NOEXEC),
    })
}
