//! How a Go release crosses today: as a compressed tar.

use std::path::Path;

use crate::failure::Result;
use crate::measure;

/// Writes a reproducible tar of a directory. Symlinks become what they point to: a GOROOT's go.env is one here.
pub(crate) fn tar(directory: &Path, to: &Path) -> Result<()> {
    let mut tar = measure::program("tar")?;
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--dereference"]);
    measure::run(tar.arg("-cf").arg(to).arg("-C").arg(directory).arg("."))?;
    Ok(())
}

/// `gzip -9n`, which leaves the tar in its place.
pub(crate) fn gzip(tar: &Path) -> Result<()> {
    measure::run(measure::program("gzip")?.arg("-9nkf").arg(tar))?;
    Ok(())
}

/// `zstd --long=27` on all cores.
pub(crate) fn zstd(tar: &Path, level: i32) -> Result<()> {
    let mut zstd = measure::program("zstd")?;
    measure::run(zstd.args(["-q", "-f", "-T0", "--long=27", &format!("-{level}")]).arg(tar))?;
    Ok(())
}
