//! Offline acceptance: the road of the README, with a project as many are.

use std::path::Path;
use std::process::Command;

use e2e::offline::Account;
use e2e::programs::carried_goport;
use e2e::requirement::Requirement::{Namespaces, Network, SecondReader, Strace};
use e2e::requirement::can_run;
use e2e::world::{World, succeed};

#[test]
fn acceptance_of_the_web_project() {
    if !can_run("acceptance_of_the_web_project", &[Network, Namespaces, Strace]) {
        return;
    }
    let world = World::web();
    let _turn = world.turn();
    // One account is enough here, the one that may do least: the others are tried on the smaller projects.
    let visit = world.visit("web", Account::all()[0]);
    let project = visit.project("web");
    project.succeed("go build ./... && go vet ./... && go test ./...");
    assert_eq!(project.succeed("go mod download && go mod verify"), "all modules verified\n");
    assert_eq!(project.succeed("go mod tidy -diff"), "");
    project.succeed("go list -m all");
    visit.end();
}

#[test]
fn the_second_reader_agrees_on_a_bundle_of_real_size() {
    let case = "the_second_reader_agrees_on_a_bundle_of_real_size";
    if !can_run(case, &[Network, Namespaces, Strace, SecondReader]) {
        return;
    }
    let directory = World::web().path();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("second_reader/read_bundle.py");
    let theirs = succeed(Command::new("python3").current_dir(directory).arg(script).args([
        "--key",
        "demo.pub",
        "web.goferry",
    ]));
    let ours = succeed(Command::new(carried_goport()).current_dir(directory).args([
        "verify",
        "web.goferry",
        "--key",
        "demo.pub",
        "--prefix",
        "there",
        "--json",
    ]));
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (theirs, ours) = (parse(&theirs), parse(&ours));
    for field in ["id", "name", "sequence", "created", "size"] {
        assert_eq!(theirs[field], ours[field], "{field}");
    }
    assert_eq!(theirs["toolchains"][0]["h1"], ours["toolchains"][0]["h1"]);
    let count = |of: &serde_json::Value| of["modules"].as_array().map(Vec::len);
    assert_eq!(count(&theirs), count(&ours));
    assert!(count(&ours) > Some(60));
}
