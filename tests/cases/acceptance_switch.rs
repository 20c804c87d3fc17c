//! Offline acceptance: what happens when another generation takes over (command 23).

use std::fs;
use std::path::PathBuf;

use e2e::offline::{Account, Shell};
use e2e::requirement::Requirement::{Namespaces, Network, Strace};
use e2e::requirement::can_run;
use e2e::world::{PROJECTS, World, fixture};
use goferry_manifest::Sha256Digest;

/// A project that needs one more module than the others have, so that the channel gets a second bundle.
const LATER: [(&str, &str); 3] = [
    (
        "go.mod",
        "module goferry.example/later\n\ngo 1.26.8\n\nrequire github.com/mitchellh/go-homedir v1.1.0\n",
    ),
    (
        "go.sum",
        "github.com/mitchellh/go-homedir v1.1.0 h1:lukF9ziXFxDFPkA1vsr5zpc1XuPDn/wFntq5mG+4E0Y=\n\
         github.com/mitchellh/go-homedir v1.1.0/go.mod h1:SfyaCUpYCn1Vlf4IUYiD9fPX4A5wJrkLzIz1N1q0pr0=\n",
    ),
    ("later.go", "package later\n\nimport _ \"github.com/mitchellh/go-homedir\"\n"),
];

#[test]
fn acceptance_23_another_generation_with_the_same_go_compiles_nothing_again() {
    if !can_run("acceptance_23", &[Network, Namespaces, Strace]) {
        return;
    }
    let world = World::all();
    let _turn = world.turn();
    let built: Vec<_> = Account::all().iter().map(|account| build_before(world, *account)).collect();
    install_another(world);
    for (project, before) in built {
        let visit = world.visit("acceptance_23-after", project.account);
        assert_eq!(build(&project), (before, Vec::new()), "{:?}", project.account);
        // What is changed is compiled: nothing would not be seen.
        project.succeed("echo '// A change.' >>main.go");
        assert_eq!(build(&project).1.len(), 1, "{:?}", project.account);
        visit.end();
    }
}

/// A project of the account, and the program that comes of it.
fn build_before(world: &World, account: Account) -> (Shell, Sha256Digest) {
    let visit = world.visit("acceptance_23", account);
    let project = visit.project("tools");
    let (program, _) = build(&project);
    visit.end();
    (project, program)
}

/// The program, and the lines that run the compiler.
fn build(project: &Shell) -> (Sha256Digest, Vec<String>) {
    let answer = project.fail(0, "rm -f program; go build -x -o program .");
    assert!(!answer.stderr.contains("permission denied"), "{answer}");
    let compiler = |line: &&str| line.contains("/compile -o ");
    let program = fs::read(project.directory.join("program")).unwrap();
    (Sha256Digest::of(&program), answer.stderr.lines().filter(compiler).map(str::to_owned).collect())
}

/// Makes and installs the next bundle of the channel.
fn install_another(world: &World) {
    let later = world.path().join("later");
    fs::create_dir(&later).unwrap();
    for (name, content) in LATER {
        fs::write(later.join(name), content).unwrap();
    }
    let generation = world.list()["generation"].as_u64().unwrap();
    let projects: Vec<PathBuf> = PROJECTS.map(fixture).into_iter().chain([later]).collect();
    world.build("second.goferry", &projects, &["1.27.3", "1.26.8"]);
    world.install("second.goferry");
    let list = world.list();
    assert_eq!(list["generation"], generation + 1);
    assert_eq!(list["channels"][0]["sequence"], 2, "{list}");
    let modules = list["modules"].to_string();
    assert!(modules.contains("github.com/mitchellh/go-homedir@v1.1.0"), "{modules}");
}
