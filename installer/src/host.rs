//! Facts about the host that a plan depends on.

use camino::Utf8Path;
use goferry_manifest::Platform;
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::fs::{Dir, FsError, optional};

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
    pub fn observe(prefix: &Utf8Path) -> Result<Self, FsError> {
        let uid = rustix::process::geteuid().as_raw();
        Ok(Self {
            platform: Platform::of_this_program(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            uid,
            volume: volume(prefix, uid)?,
        })
    }
}

fn volume(prefix: &Utf8Path, uid: u32) -> Result<Volume, FsError> {
    let mut dir = None;
    for path in prefix.ancestors() {
        // With a slash at its end a link is followed, as it will be in a path.
        let path = if path == prefix { path.to_owned() } else { path.join("") };
        dir = optional(Dir::open(&path))?;
        if dir.is_some() {
            break;
        }
    }
    let dir = dir.map_or_else(|| Dir::open("/".into()), Ok)?;
    let stat = dir.statvfs()?;
    let blocks = if uid == 0 { stat.f_bfree } else { stat.f_bavail };
    Ok(Volume {
        free_bytes: blocks.saturating_mul(stat.f_frsize),
        free_inodes: (stat.f_files > 0).then_some(stat.f_favail),
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        no_exec: stat.f_flag.contains(StatVfsMountFlags::NOEXEC),
    })
}
