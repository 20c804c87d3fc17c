//! Toolchains: fetched as modules, and laid out so that their `go` runs here.

use std::io;
use std::path::{Path, PathBuf};

use goferry_manifest::bundle::Toolchain;
use goferry_manifest::{FilePath, GoRelease, Module, Platform, Sha256Digest};
use thiserror::Error;

use super::Fetcher;
use super::module::{Expected, ModuleError, ProvenZip, Voucher, fetch_zip};
use crate::fs;
use crate::http::Watch;
use crate::module_zip;
use goferry_manifest::checksum_database::ProvenRecord;

/// Modes of files in a GOROOT.
const FILE: u32 = 0o644;
const EXECUTABLE: u32 = 0o755;
/// Files that tell a whole GOROOT from a damaged one.
const WITNESSES: [&str; 3] = ["bin/go", "go.env", "VERSION"];

/// A toolchain whose h1 the checksum database has proven.
#[derive(Clone, Debug)]
pub struct FetchedToolchain {
    /// What is carried of it.
    pub toolchain: Toolchain,
    /// Its zip.
    pub source: ProvenZip,
}

/// Why a toolchain cannot be laid out.
#[derive(Debug, Error)]
pub enum LayOutError {
    /// A file cannot be read or written; the cause names it.
    #[error("failed to lay out `{module}`")]
    Io {
        /// The toolchain.
        module: Module,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Fetches a toolchain and compares it with its record.
pub fn fetch_toolchain(
    fetcher: &Fetcher,
    release: GoRelease,
    platform: &Platform,
    record: &ProvenRecord,
    watch: Watch<'_>,
) -> Result<FetchedToolchain, ModuleError> {
    let module = release.toolchain_module(platform);
    let h1 = record.h1_of(&module).ok_or_else(|| ModuleError::Info {
        module: module.clone(),
        reason: format!("its record is about `{}`", record.module()),
    })?;
    let source = {
        let expected = Expected { h1, voucher: Voucher::ChecksumDatabase };
        fetch_zip(fetcher, &module, &expected, watch)?
    };
    let toolchain =
        Toolchain { version: release, platform: platform.clone(), h1, files: source.zip.files.clone() };
    Ok(FetchedToolchain { toolchain, source })
}

/// The GOROOT of a toolchain below `directory`, made if it is not there yet. Several runs may do so at once.
pub fn lay_out(fetched: &FetchedToolchain, directory: &Path) -> Result<PathBuf, LayOutError> {
    let module = fetched.toolchain.module();
    let goroot = directory.join(format!("go{}", module.version().as_str().trim_start_matches("v0.0.1-go")));
    if is_complete(fetched, &goroot) {
        return Ok(goroot);
    }
    let lay_out = || {
        fs::create_private_directories(directory)?;
        let staged = fs::temporary_directory(directory)?;
        unpack(fetched, staged.path())?;
        fs::persist_directory(staged, &goroot, || is_complete(fetched, &goroot))
    };
    lay_out().map_err(|source| LayOutError::Io { module, source })?;
    Ok(goroot)
}

/// A GOROOT gets its name when it is complete. What may happen to it later shows at the `go` that is run, and at what
/// that reads first.
fn is_complete(fetched: &FetchedToolchain, goroot: &Path) -> bool {
    let mut files = fetched.toolchain.files.iter().filter(|file| WITNESSES.contains(&file.path.as_str()));
    files.all(|file| {
        let bytes = std::fs::read(goroot.join(file.path.as_str()));
        bytes.is_ok_and(|bytes| Sha256Digest::of(&bytes) == file.sha256)
    }) && goroot.join("bin/go").is_file()
}

fn unpack(fetched: &FetchedToolchain, staged: &Path) -> io::Result<()> {
    let mut archive = module_zip::open(io::BufReader::new(fs_err::File::open(&fetched.source.path)?))?;
    for (index, file) in fetched.source.zip.files.iter().enumerate() {
        let mode = if is_executable(&file.path) { EXECUTABLE } else { FILE };
        let path = staged.join(name_in_goroot(&file.path));
        let mut target = goferry_manifest::Hashing::new(fs::create_staged(&path, mode)?);
        io::copy(&mut archive.by_index(index)?, &mut target)?;
        if target.finish().1 != file.sha256 {
            return Err(io::Error::other(format!("`{}` changed while it was in use", file.path)));
        }
    }
    Ok(())
}

/// `_go.mod` is how a module zip carries a go.mod that is not at its top (`toolchain.Exec` in cmd/go).
fn name_in_goroot(path: &FilePath) -> PathBuf {
    let name = if path.file_name() == "_go.mod" { "go.mod" } else { path.file_name() };
    Path::new(path.parent()).join(name)
}

/// Which files `toolchain.Exec` in cmd/go makes executable: zips of modules carry no modes.
fn is_executable(path: &FilePath) -> bool {
    let below = |directory: &str| path.as_str().starts_with(directory);
    below("bin/") || below("pkg/tool/") || (below("lib/") && is_exec_wrapper(path.file_name()))
}

/// `go_?*_?*_exec`
fn is_exec_wrapper(name: &str) -> bool {
    let middle = name.strip_prefix("go_").and_then(|name| name.strip_suffix("_exec"));
    middle
        .is_some_and(|middle| middle.char_indices().skip(1).any(|(at, c)| c == '_' && at + 1 < middle.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_names_follow_go_s_own_rule() {
        let path = |text: &str| text.parse::<FilePath>().unwrap();
        for name in
            ["bin/go", "pkg/tool/linux_amd64/asm", "lib/wasm/go_js_wasm_exec", "lib/x/y/go_ios_arm64_exec"]
        {
            assert!(is_executable(&path(name)), "{name}");
        }
        for name in [
            "src/bin/go",
            "pkg/include/x.h",
            "lib/go__wasm_exec",
            "lib/go_js__exec",
            "misc/go_js_wasm_exec",
            "lib/go_x_exec",
        ] {
            assert!(!is_executable(&path(name)), "{name}");
        }
        assert_eq!(name_in_goroot(&path("src/_go.mod")), Path::new("src/go.mod"));
        assert_eq!(name_in_goroot(&path("_go.mod")), Path::new("go.mod"));
        assert_eq!(name_in_goroot(&path("src/x_go.mod")), Path::new("src/x_go.mod"));
    }
}
