//! What the program says when it is called wrongly, or cannot say it.

#![allow(clippy::unwrap_used, reason = "tests fail by it")]

use std::fs::File;
use std::process::{Command, Output, Stdio};

fn goport(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goport"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = goport(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = goport(&["completions", "bash"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: cannot write the result to stdout: "), "{stderr}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = goport(&["completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_wrong_command_line_is_told_on_stdout_to_those_who_read_json() {
    let (code, stdout, stderr) = output(&["list", "--nonsense", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, stderr.as_str()), (Some(2), ""));
    assert_eq!((&object["schema"], &object["error"]["kind"]), (&1.into(), &"usage".into()));
    let (code, stdout, stderr) = output(&["list", "--nonsense"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("--nonsense"), "{stderr}");
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [["--help", "--json"], ["--version", "--json"]] {
        let (code, stdout, stderr) = output(&arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(stdout.contains("goport"), "{stdout}");
    }
}

#[test]
fn an_empty_prefix_is_a_usage_error() {
    let (code, _, stderr) = output(&["list", "--prefix", ""]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.starts_with("error: `--prefix` is empty\n"), "{stderr}");
}

#[test]
fn verbose_tells_what_the_library_does() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");
    let (bundle, key) =
        (format!("{fixtures}/golden/sample-1.goferry"), format!("{fixtures}/keys/test-signer.pub"));
    let place = tempfile::tempdir().unwrap();
    let prefix = place.path().join("there").to_str().unwrap().to_owned();
    let arguments = ["verify", &bundle, "--key", &key, "--prefix", &prefix, "-v"];
    let (code, _, stderr) = output(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("begin stage=Unpack"), "{stderr}");
    let (_, _, quiet) = output(&arguments[..6]);
    assert!(!quiet.contains("stage"), "{quiet}");
}
