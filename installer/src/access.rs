//! Whose a file is, and who else may write to it: what others can change is not trusted.

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

/// What something under the prefix is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It may belong to anybody: users read what root installed.
    Read,
    /// It must be one's own.
    Change,
}

/// Why something under the prefix is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessError {
    /// It belongs to somebody else.
    #[error("`{path}` belongs to user {owner}, not to you (user {user})")]
    OtherOwner {
        /// What.
        path: Utf8PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// Anybody may write there.
    #[error("`{path}` may be written by everybody (mode {mode:04o})")]
    WorldWritable {
        /// What.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its group may write there.
    #[error("`{path}` may be written by its group (mode {mode:04o})")]
    GroupWritable {
        /// What.
        path: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Checks owner and permission bits, as `fstat` tells them of what is open.
pub(crate) fn check(
    path: &Utf8Path,
    owner_and_mode: (u32, u32),
    purpose: Purpose,
) -> Result<(), AccessError> {
    check_as(rustix::process::geteuid().as_raw(), path, owner_and_mode, purpose)
}

fn check_as(
    user: u32,
    path: &Utf8Path,
    (owner, mode): (u32, u32),
    purpose: Purpose,
) -> Result<(), AccessError> {
    let path = || path.to_owned();
    if mode & 0o002 != 0 {
        return Err(AccessError::WorldWritable { path: path(), mode });
    }
    if purpose == Purpose::Read {
        return Ok(());
    }
    if owner != user {
        return Err(AccessError::OtherOwner { path: path(), owner, user });
    }
    if mode & 0o020 != 0 {
        return Err(AccessError::GroupWritable { path: path(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_write_is_changed_and_root_is_no_exception() {
        use Purpose::{Change, Read};
        let check = |user, owner, mode, purpose| check_as(user, "/p".into(), (owner, mode), purpose);
        for user in [0, 1000] {
            assert_eq!(check(user, user, 0o755, Change), Ok(()));
            let path = || "/p".into();
            assert_eq!(
                check(user, 7, 0o755, Change),
                Err(AccessError::OtherOwner { path: path(), owner: 7, user })
            );
            let mode = 0o775;
            assert_eq!(
                check(user, user, mode, Change),
                Err(AccessError::GroupWritable { path: path(), mode })
            );
            let mode = 0o1777;
            for purpose in [Read, Change] {
                assert_eq!(
                    check(user, user, mode, purpose),
                    Err(AccessError::WorldWritable { path: path(), mode })
                );
            }
            assert_eq!(check(user, 7, 0o775, Read), Ok(()));
        }
    }
}
