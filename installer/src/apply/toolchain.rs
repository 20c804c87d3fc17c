//! The tree of a toolchain: a GOROOT.

use goferry_manifest::bundle::{Blob, File, Toolchain};

use super::tree::{Source, Staging, TreeSpec};
use super::{ApplyError, RefusedContent, snapshot};
use crate::content::{Snapshot, snapshots_of};

/// Where the `go.env` of every GOROOT leads: to that of the generation in use.
const GO_ENV: &str = "../../../current/go.env";
/// The file that names the release.
pub(crate) const VERSION: &str = "VERSION";
/// Bytes of the largest `VERSION` that is read.
const VERSION_BYTES: u64 = 4096;

/// What the tree is to hold: read-only, as `go` keeps the toolchains that it downloads. The stock `go.env` is not
/// written; a link stands in its place.
pub(crate) fn spec(toolchain: &Toolchain) -> Result<TreeSpec, RefusedContent> {
    check_sizes(toolchain)?;
    let mut spec = TreeSpec::new(0o555);
    for file in &toolchain.files {
        let (path, name) = (file.path.as_str(), file.path.file_name());
        if path == "go.env" {
            continue;
        }
        let dir = spec.dir(file.path.parent());
        // The module form cannot hold other modules, so their go.mod files are renamed in it (`cmd/distpack`).
        let name = if name == "_go.mod" { "go.mod" } else { name };
        if name != file.path.file_name() && has_go_mod_beside(toolchain, file) {
            return Err(RefusedContent::TwoGoMods {
                component: toolchain.to_string(),
                path: path.to_owned(),
            });
        }
        let mode = if is_executable(path) { 0o555 } else { 0o444 };
        spec.file(dir, name, mode, Source::Blob(Blob { sha256: file.sha256, size: file.size }));
    }
    let top = spec.dir("");
    spec.file(top, "go.env", 0o777, Source::Symlink(GO_ENV));
    Ok(spec)
}

/// Files that are read into memory may not be of any size.
fn check_sizes(toolchain: &Toolchain) -> Result<(), RefusedContent> {
    let check = |path: String, size: u64, limit: u64| {
        let component = toolchain.to_string();
        if size > limit { Err(RefusedContent::TooLarge { component, path, size, limit }) } else { Ok(()) }
    };
    if let Some(file) = toolchain.files.iter().find(|file| file.path.as_str() == VERSION) {
        check(VERSION.to_owned(), file.size, VERSION_BYTES)?;
    }
    for (module, blob) in snapshots_of(toolchain) {
        check(format!("{}/{}.zip", Snapshot::DIR, module.version()), blob.size, snapshot::BYTES)?;
    }
    Ok(())
}

fn has_go_mod_beside(toolchain: &Toolchain, file: &File) -> bool {
    let beside = match file.path.parent() {
        "" => "go.mod".to_owned(),
        parent => format!("{parent}/go.mod"),
    };
    toolchain.files.binary_search_by(|other| other.path.as_str().cmp(&beside)).is_ok()
}

/// `cmd/go/internal/toolchain`, `Exec`: all of `bin` and `pkg/tool`, and in `lib` what matches `go_?*_?*_exec`.
fn is_executable(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("bin/")
        || path.starts_with("pkg/tool/")
        || path.starts_with("lib/") && is_exec_wrapper(name)
}

/// The pattern `go_?*_?*_exec`: at least one character in each place.
fn is_exec_wrapper(name: &str) -> bool {
    let middle = name.strip_prefix("go_").and_then(|rest| rest.strip_suffix("_exec"));
    let border =
        |middle: &str| middle.char_indices().skip(1).any(|(at, c)| c == '_' && at + 1 < middle.len());
    middle.is_some_and(border)
}

/// Whether the tree says itself that it is the release that it is carried as (bad-inputs #46).
pub(crate) fn check_version(toolchain: &Toolchain, staging: &Staging<'_>) -> Result<(), ApplyError> {
    let expected = format!("go{}", toolchain.version);
    let content = match staging.top().kind(VERSION)? {
        Some(_) => staging.top().read_file(VERSION, VERSION_BYTES)?,
        None => Vec::new(),
    };
    check_version_file(&expected, &content).map_err(ApplyError::Refused)
}

/// The first line of a `VERSION` file names the release.
pub(crate) fn check_version_file(expected: &str, content: &[u8]) -> Result<(), RefusedContent> {
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line == expected.as_bytes() {
        return Ok(());
    }
    let actual = String::from_utf8_lossy(&line[..line.len().min(80)]).escape_debug().to_string();
    Err(RefusedContent::Version { expected: expected.to_owned(), actual })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_makes_executable_is_executable() {
        for path in [
            "bin/go",
            "bin/gofmt",
            "pkg/tool/linux_amd64/compile",
            "lib/wasm/go_js_wasm_exec",
            "lib/wasm/go_wasip1_wasm_exec",
            "lib/go_a_b_exec",
        ] {
            assert!(is_executable(path), "{path}");
        }
        for path in [
            "VERSION",
            "src/make.bash",
            "src/bin/x",
            "pkg/include/x.h",
            "lib/wasm/wasm_exec.js",
            "lib/go_js_exec",
            "lib/go__b_exec",
            "lib/go_a__exec",
            "misc/go_js_wasm_exec",
        ] {
            assert!(!is_executable(path), "{path}");
        }
    }

    #[test]
    fn the_first_line_of_version_decides() {
        assert!(check_version_file("go1.27.3", b"go1.27.3\ntime 2026-08-28T16:20:06Z\n").is_ok());
        assert!(check_version_file("go1.27.3", b"go1.27.3").is_ok());
        for other in [&b"go1.27.30\n"[..], b"", b"1.27.3\n", b"go1.27.3\r\n", b"\x1b[2J"] {
            assert!(check_version_file("go1.27.3", other).is_err());
        }
    }
}
