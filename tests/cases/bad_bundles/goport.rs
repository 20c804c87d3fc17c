//! The same table through the programs: `goport verify` and `goport install` refuse with exit code 3, say so in their
//! form, and leave nothing behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use e2e::bundle_builder::Sample;
use e2e::programs::goport_binary;
use goferry_manifest::bundle::UnverifiedBundle;

use super::{Case, cases, trust};

/// What the program did, and what is wrong with that.
struct Run<'a> {
    command: &'a str,
    output: Output,
    prefix: &'a Path,
    /// Whether nothing but a decoder can see what is wrong with the bundle.
    seen_by_decoding_only: bool,
}

impl Run<'_> {
    /// What the run left: anything at all where the bundle can be refused without decoding, else (DESIGN §5) anything
    /// but the lock and empty directories.
    fn left_behind(&self) -> Option<PathBuf> {
        let entries = walkdir::WalkDir::new(self.prefix).into_iter().filter_map(Result::ok);
        let is_lock = |path: &Path| path.ends_with("state/lock");
        let harmless = |entry: &walkdir::DirEntry| {
            self.seen_by_decoding_only && (entry.file_type().is_dir() || is_lock(entry.path()))
        };
        entries.filter(|entry| !harmless(entry)).map(walkdir::DirEntry::into_path).last()
    }

    /// What the message says of the host. An install that has begun to decode may leave empty directories.
    fn state(&self) -> &'static str {
        let decoded = self.seen_by_decoding_only && self.command == "install";
        if decoded { "nothing was installed under" } else { "nothing was changed under" }
    }

    fn complaint(&self, expected: &[i32]) -> Option<String> {
        let stderr = String::from_utf8_lossy(&self.output.stderr);
        let code = self.output.status.code();
        let wrong = if !code.is_some_and(|code| expected.contains(&code)) {
            format!("exit code {code:?} instead of {expected:?}")
        } else if !stderr.starts_with("error: ") {
            "no `error: `".to_owned()
        } else if !stderr.contains(self.state()) {
            "the state of the host is not told".to_owned()
        } else if stderr.chars().any(|c| c.is_control() && c != '\n') {
            "control characters on the terminal".to_owned()
        } else if let Some(left) = self.left_behind() {
            format!("`{}` is left", left.display())
        } else {
            return None;
        };
        Some(format!("goport {}: {wrong}\n{stderr}", self.command))
    }
}

fn goport<'a>(binary: &Path, command: &'a str, bundle: &Path, prefix: &'a Path) -> Run<'a> {
    let child = Command::new(binary)
        .arg(command)
        .arg(bundle)
        .arg("--key")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/keys/test-signer.pub"))
        .arg("--prefix")
        .arg(prefix)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Run { command, output: within(Duration::from_secs(20), child), prefix, seen_by_decoding_only: false }
}

/// Waits for a program that must end.
fn within(limit: Duration, mut child: std::process::Child) -> Output {
    let end = Instant::now() + limit;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("goport did not end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.wait_with_output().unwrap()
}

/// Whether the library refuses the bundle before it decodes a pack.
fn refused_without_decoding(bundle: &[u8]) -> bool {
    let Ok(bundle) = UnverifiedBundle::open(bundle).and_then(|bundle| bundle.verify(&trust())) else {
        return true;
    };
    (0..bundle.packs().len()).any(|index| bundle.read_pack(index).is_err())
}

/// Runs every case through `binary`; what is not as it must be.
fn run_with_goport(binary: &Path) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let (bundle, prefix) = (directory.path().join("bad.goferry"), directory.path().join("prefix"));
    let mut complaints = Vec::new();
    for Case { name, bundle: bytes, .. } in cases().iter().filter(|case| case.refusal.is_some()) {
        std::fs::write(&bundle, bytes).unwrap();
        for command in ["verify", "install"] {
            let mut run = goport(binary, command, &bundle, &prefix);
            run.seen_by_decoding_only = !refused_without_decoding(bytes);
            let complaint = run.complaint(&[3]);
            complaints.extend(complaint.map(|complaint| format!("{name}: {complaint}")));
            std::fs::remove_dir_all(&prefix).ok();
        }
    }
    complaints
}

#[test]
fn goport_refuses_each_and_leaves_nothing_behind() {
    let complaints = run_with_goport(goport_binary());
    assert!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn goport_verifies_each_that_only_looks_bad() {
    let directory = tempfile::tempdir().unwrap();
    let (bundle, prefix) = (directory.path().join("good.goferry"), directory.path().join("prefix"));
    for Case { name, bundle: bytes, .. } in cases().iter().filter(|case| case.refusal.is_none()) {
        std::fs::write(&bundle, bytes).unwrap();
        let run = goport(goport_binary(), "verify", &bundle, &prefix);
        assert!(run.output.status.success(), "{name}: {}", String::from_utf8_lossy(&run.output.stderr));
        assert!(!prefix.exists(), "{name}");
    }
}

#[test]
fn what_is_no_file_is_not_read_as_a_bundle() {
    // bad-inputs #63
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    std::fs::create_dir(place("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(place("fifo")).status().unwrap().success());
    std::os::unix::fs::symlink("nowhere", place("dangling")).unwrap();
    let files: [PathBuf; 6] = [
        place("missing"),
        place("directory"),
        place("fifo"),
        place("dangling"),
        "/dev/null".into(),
        "/dev/zero".into(),
    ];
    for file in files {
        for command in ["verify", "install"] {
            let complaint = goport(goport_binary(), command, &file, &place("prefix")).complaint(&[1, 3]);
            assert_eq!(complaint, None, "{}", file.display());
        }
    }
}

#[test]
fn a_bundle_on_read_only_media_verifies() {
    // bad-inputs #63, #64: a link to a file on a stick that cannot be written to
    let directory = tempfile::tempdir().unwrap();
    let (stick, prefix) = (directory.path().join("stick"), directory.path().join("prefix"));
    std::fs::create_dir(&stick).unwrap();
    std::fs::write(stick.join("sample.goferry"), Sample::new().build()).unwrap();
    for (path, mode) in [("sample.goferry", 0o444), (".", 0o555)] {
        std::fs::set_permissions(stick.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink("stick/sample.goferry", directory.path().join("link")).unwrap();
    let run = goport(goport_binary(), "verify", &directory.path().join("link"), &prefix);
    assert!(run.output.status.success(), "{}", String::from_utf8_lossy(&run.output.stderr));
    std::fs::set_permissions(&stick, std::fs::Permissions::from_mode(0o755)).unwrap();
}
