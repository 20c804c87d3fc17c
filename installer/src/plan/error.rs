//! Why a bundle is not installed.

use std::collections::BTreeSet;

use goferry_manifest::{Channel, DirHash, Platform, Sequence, Sha256Digest};
use thiserror::Error;

/// Why a bundle is not installed.
#[derive(Debug, Error)]
pub enum PlanError {
    /// An older bundle than the channel's newest.
    #[error("bundle {sequence} of channel `{channel}` is older than what was installed already")]
    Rollback {
        /// The channel.
        channel: Channel,
        /// The bundle's number.
        sequence: Sequence,
        /// The lowest number that is accepted.
        floor: Sequence,
    },
    /// Another bundle with the number of one that is known.
    #[error(
        "another bundle {sequence} of channel `{channel}` with other content was installed: one of the two is not genuine"
    )]
    SameSequence {
        /// The channel.
        channel: Channel,
        /// The bundles' number.
        sequence: Sequence,
        /// The digest of the installed one's manifest.
        installed: Sha256Digest,
        /// The digest of this one's manifest.
        incoming: Sha256Digest,
    },
    /// A module version or toolchain that changed.
    #[error("`{name}` is not what this host has known under that name")]
    Changed {
        /// `path@version`.
        name: String,
        /// The hash known here.
        held: DirHash,
        /// The hash in the bundle.
        incoming: DirHash,
    },
    /// Toolchains for other hosts only.
    #[error("the bundle has Go for {}, not for this host", list(carried))]
    Platform {
        /// This host, if Go has a name for it.
        host: Option<Platform>,
        /// The platforms of the bundle's toolchains.
        carried: BTreeSet<Platform>,
    },
    /// Too little space.
    #[error("too little space under the prefix")]
    Space {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Too few inodes.
    #[error("too few free inodes under the prefix")]
    Inodes {
        /// Needed.
        needed: u64,
        /// Free.
        free: u64,
    },
    /// Go would not start.
    #[error("the kernel is too old for Go")]
    Kernel {
        /// Its release.
        release: String,
    },
    /// Nothing can be written.
    #[error("the file system of the prefix is mounted read-only")]
    ReadOnly,
    /// Go could not be run.
    #[error("the file system of the prefix is mounted `noexec`: Go could not be run from it")]
    NoExec,
}

impl PlanError {
    /// Whether it is the bundle that is refused; otherwise the host lacks something.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Rollback { .. }
            | Self::SameSequence { .. }
            | Self::Changed { .. }
            | Self::Platform { .. } => true,
            Self::Space { .. }
            | Self::Inodes { .. }
            | Self::Kernel { .. }
            | Self::ReadOnly
            | Self::NoExec => false,
        }
    }
}

fn list(platforms: &BTreeSet<Platform>) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
