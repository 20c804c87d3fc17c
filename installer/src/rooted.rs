//! Reaching a place through the root.
//!
//! On the host itself the operator's links above a place are followed. An image's links are not: they would lead out
//! of the image (Linux before 5.6 has no `openat2` to follow them inside).

use crate::fs::{Dir, FsError, optional};
use crate::prefix::{Prefix, Root};

/// The mode of directories that are made above and at a place.
pub(crate) const PLACE_MODE: u32 = 0o755;

impl Root {
    /// Opens a place. It is not found where it, or something above it, is missing.
    pub(crate) fn open(&self, place: &Prefix) -> Result<Dir, FsError> {
        if self.is_host() {
            return Dir::open(&self.locate(place));
        }
        let top = Dir::open_following(self.path())?;
        elements(place).try_fold(top, |dir, name| dir.open_dir(name))
    }

    /// Opens a place; makes it, and what is missing above it. `made` becomes true when something was made.
    pub(crate) fn open_or_create(&self, place: &Prefix, made: &mut bool) -> Result<Dir, FsError> {
        if self.is_host() {
            return Dir::open_or_create_all(&self.locate(place), PLACE_MODE, made);
        }
        let mut dir = Dir::open_following(self.path())?;
        for name in elements(place) {
            let mut new = false;
            let below = dir.open_or_create_dir(name, PLACE_MODE, &mut new)?;
            if new {
                *made = true;
                dir.sync()?;
            }
            dir = below;
        }
        Ok(dir)
    }

    /// Opens a place, or the nearest directory above it that exists.
    pub(crate) fn open_nearest(&self, place: &Prefix) -> Result<Dir, FsError> {
        if self.is_host() {
            for path in self.locate(place).ancestors() {
                let opened =
                    if path == place.as_path() { Dir::open(path) } else { Dir::open_following(path) };
                if let Some(dir) = optional(opened)? {
                    return Ok(dir);
                }
            }
        }
        let mut dir = Dir::open_following(self.path())?;
        for name in elements(place) {
            match optional(dir.open_dir(name))? {
                Some(below) => dir = below,
                None => break,
            }
        }
        Ok(dir)
    }
}

fn elements(place: &Prefix) -> impl Iterator<Item = &str> {
    place.as_path().as_str().split('/').filter(|element| !element.is_empty())
}
