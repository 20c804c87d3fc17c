//! `goferry` as a program: what it prints, where, and how it ends. With the toy toolchain, so that it takes no network.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::programs::goferry_binary;
use serde_json::Value;

use super::toy_world::World;

/// How long a program is waited for that should end at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn goferry(world: &World, arguments: &str) -> Command {
    let mut command = Command::new(goferry_binary());
    command.args(arguments.split(' ')).current_dir(world.directory.path()).stdin(Stdio::null());
    command.env_clear().envs(world.variables()).env("GOPROXY", world.proxy.url());
    command.env("SOURCE_DATE_EPOCH", "1795507200"); // 2026-11-24T08:00:00Z
    command
}

/// Exit code, stdout, stderr.
fn run(world: &World, arguments: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = goferry(world, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn succeed(world: &World, arguments: &str) -> String {
    let (code, stdout, stderr) = run(world, arguments);
    assert_eq!(code, Some(0), "{arguments}: {stdout}{stderr}");
    stdout
}

/// A world with the project `simple` and the key `ops`.
fn world() -> World {
    let mut world = World::new();
    world.simple();
    world.publish();
    succeed(&world, "keygen -o ops --no-passphrase");
    world
}

#[test]
fn a_bundle_is_built_built_again_and_inspected() {
    let world = world();
    let there = |name: &str| Path::new(&world.in_directory(name)).exists();
    let first = succeed(&world, "build simple --key ops.key --level 1");
    assert!(first.contains("simple-1.goferry: bundle `simple`, sequence 1, "), "{first}");
    assert!(first.contains("goferry.lock is new or changed: commit it"), "{first}");
    let lock = std::fs::read(world.in_directory("goferry.lock")).unwrap();

    let again = succeed(&world, "build simple --key ops.key --level 1 --locked -o again.goferry --json");
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["sequence"], &again["lock_changed"]), (&1.into(), &false.into()));
    assert_eq!(again["created"], "2026-11-24T08:00:00Z");
    assert_eq!(std::fs::read(world.in_directory("goferry.lock")).unwrap(), lock);
    let bundle = |name: &str| std::fs::read(world.in_directory(name)).unwrap();
    assert_eq!(bundle("simple-1.goferry"), bundle("again.goferry"));
    assert!(!there("simple-2.goferry"));

    let shown = succeed(&world, "inspect simple-1.goferry --key ops.pub --modules");
    assert!(shown.contains("simple") && shown.contains("a.example/m"), "{shown}");
    let (code, stdout, stderr) = run(&world, "inspect simple-1.goferry");
    assert_eq!(code, Some(0));
    assert!(stdout.contains("not verified") && !stdout.contains("a.example/m"), "{stdout}");
    assert!(stderr.contains("warning: nothing in it was checked"), "{stderr}");
    succeed(&world, "keygen -o other --no-passphrase");
    let (code, _, stderr) = run(&world, "inspect simple-1.goferry --key other.pub");
    assert_eq!(code, Some(3), "{stderr}");
}

#[test]
fn each_way_to_fail_has_its_exit_code_and_says_what_to_do() {
    let world = world();
    let state = "no bundle was written; what was fetched is kept in the cache";
    let fails = |arguments: &str, code: i32, parts: &[&str]| {
        let (actual, stdout, stderr) = run(&world, arguments);
        assert_eq!(actual, Some(code), "{arguments}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{arguments}");
        for part in parts {
            assert!(stderr.contains(part), "{arguments}: `{part}` is not in: {stderr}");
        }
    };
    fails("build", 2, &["Usage"]);
    fails("build simple --key ops.key --level 23", 2, &["23"]);
    fails("build simple --key none.key", 1, &["error: ", "none.key"]);
    fails("build nowhere --key ops.key", 1, &["error: ", "nowhere", state]);
    fails(
        "build simple --key ops.key --locked",
        1,
        &["error: there is no `", state, "hint: build once without"],
    );
    fails("keygen -o ops --no-passphrase", 1, &["error: ", "ops."]);
    fails("inspect none.goferry", 1, &["error: ", "none.goferry"]);
    assert!(!Path::new(&world.in_directory("goferry.lock")).exists(), "a failed build leaves no lock");

    world.proxy.put("a.example/m/@v/v1.0.0.mod", b"module a.example/evil\n");
    fails(
        "build simple --key ops.key",
        3,
        &[
            "error: `a.example/m@v1.0.0/go.mod` is not what it should be",
            "expected: h1:",
            "actual: h1:",
            state,
        ],
    );
    let (code, stdout, stderr) = run(&world, "build simple --key ops.key --json");
    assert_eq!((code, stderr.contains("error:")), (Some(3), false), "{stderr}");
    let error: Value = serde_json::from_str(&stdout).unwrap();
    assert!(error.to_string().contains("refused"), "{stdout}");
}

#[test]
fn an_interrupt_ends_it_and_the_go_that_it_runs() {
    let mut world = World::new();
    // Its `go` does not answer: `edit.json` is a pipe that nobody writes to.
    world.simple();
    world.publish();
    succeed(&world, "keygen -o ops --no-passphrase");
    let answer = world.in_directory("simple/edit.json");
    std::fs::remove_file(&answer).unwrap();
    assert!(Command::new("mkfifo").arg(&answer).status().unwrap().success());
    let mut build = goferry(&world, "build simple --key ops.key -o out.goferry");
    let mut build = build.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    // go runs as soon as its own directory is there.
    while !Path::new(&world.in_directory(".cache/goferry/go/build")).exists() {
        assert!(started.elapsed() < PATIENCE && build.try_wait().unwrap().is_none(), "go was not run");
        thread::sleep(Duration::from_millis(20));
    }
    let interrupted = Command::new("kill").args(["-INT", &build.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    while build.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE, "it did not end");
        thread::sleep(Duration::from_millis(20));
    }
    let output = build.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("error: interrupted\nno bundle was written"), "{stderr}");
    let left = std::fs::read_dir(world.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("goferry.")).collect();
    assert!(left.is_empty(), "{left:?}");
}
