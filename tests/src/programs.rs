//! The programs under test, as files to run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `goport`: what `GOFERRY_TEST_GOPORT` names, else the one of this source tree, built once.
pub fn goport_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| binary("GOFERRY_TEST_GOPORT", "goport"))
}

/// The `goport` that is carried to hosts: the static executable that `GOFERRY_TEST_STATIC_GOPORT` names, else
/// [`goport_binary`].
pub fn carried_goport() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let named = || std::env::var_os("GOFERRY_TEST_STATIC_GOPORT").map(PathBuf::from);
    BINARY.get_or_init(|| named().unwrap_or_else(|| goport_binary().to_owned()))
}

/// `goferry`: what `GOFERRY_TEST_GOFERRY` names, else the one of this source tree, built once.
pub fn goferry_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| binary("GOFERRY_TEST_GOFERRY", "goferry"))
}

/// Builds in the profile and target directory of the running test, of which it asks cargo.
fn binary(variable: &str, package: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--message-format=json-render-diagnostics",
            "-p",
            package,
            "--bin",
            package,
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo runs, as it runs this test");
    assert!(output.status.success(), "cargo build -p {package}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executables.next_back().expect("cargo names the executable that it built")
}
