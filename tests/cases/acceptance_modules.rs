//! Offline acceptance: modules, their versions and their sums (commands 8, 10, 11, 14, 15, 19).

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::offline::Account;
use e2e::world::{PROJECTS, World};

use super::acceptance::on_all;

/// Far below any time-out of a network.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn acceptance_08_the_whole_graph() {
    on_all("acceptance_08", &[], |_, visit| {
        for name in PROJECTS {
            let project = visit.project(name);
            let listed = project.succeed("go list -mod=readonly -m all");
            let listed: BTreeSet<_> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
            let go_sum = std::fs::read_to_string(project.directory.join("go.sum")).unwrap();
            let missing: Vec<_> = go_sum
                .lines()
                .filter_map(|line| line.split(' ').next())
                .filter(|path| !listed.contains(path))
                .collect();
            assert_eq!(missing, [""; 0], "{name}");
            assert!(listed.contains(format!("goferry.example/{name}").as_str()), "{listed:?}");
        }
    });
}

#[test]
fn acceptance_10_download_and_verify() {
    on_all("acceptance_10", &[], |_, visit| {
        for name in PROJECTS {
            let answer = visit.project(name).succeed("go mod download && go mod verify");
            assert_eq!(answer, "all modules verified\n", "{name}");
        }
    });
}

#[test]
fn acceptance_11_every_project_is_tidy() {
    on_all("acceptance_11", &[], |_, visit| {
        for name in PROJECTS {
            assert_eq!(visit.project(name).succeed("go mod tidy -diff"), "", "{name}");
        }
    });
}

#[test]
fn acceptance_14_only_carried_versions_are_listed() {
    on_all("acceptance_14", &[], |world, visit| {
        let versions = visit.project("tools").succeed("go list -m -versions golang.org/x/mod");
        let listed: BTreeSet<_> = versions.split_whitespace().skip(1).map(str::to_owned).collect();
        let carried = carried_versions(world, "golang.org/x/mod");
        assert!(!carried.is_empty());
        assert_eq!(listed, carried, "{versions}");
    });
}

/// The versions that are installed with a zip.
fn carried_versions(world: &World, path: &str) -> BTreeSet<String> {
    let versions = carried(world).filter(|(_, whole)| *whole);
    versions
        .filter_map(|(module, _)| Some(module.strip_prefix(path)?.strip_prefix('@')?.to_owned()))
        .collect()
}

/// What `goport list` says is installed, `path@version`, and whether it has a zip.
fn carried(world: &World) -> impl Iterator<Item = (String, bool)> {
    let list = world.list();
    let modules = list["modules"].as_array().unwrap().clone();
    modules.into_iter().map(|it| (it["module"].as_str().unwrap().to_owned(), it["whole"] == true))
}

#[test]
fn acceptance_15_upgrades_to_what_is_carried() {
    on_all("acceptance_15", &[], |_, visit| {
        let project = visit.project("tools");
        let upgrades = project.succeed("go list -m -u all");
        assert!(upgrades.contains("github.com/gin-gonic/gin v1."), "{upgrades}");
        project.succeed("go get -u ./... && go build ./...");
    });
}

#[test]
fn acceptance_19_a_module_that_is_not_carried() {
    on_all("acceptance_19", &[], |world, visit| {
        let project = visit.project("toolchain-line");
        let get = |module: &str| {
            let answer = project.fail(1, &format!("go get {module}"));
            assert!(answer.took < AT_ONCE, "{:?} {answer}", answer.took);
            answer
        };
        let answer = get("github.com/spf13/viper@v1.20.1");
        assert!(answer.stderr.contains("viper/@v/v1.20.1.info: no such file or directory"), "{answer}");
        // Of some only the go.mod is carried: there is a directory to make a lock in, and only root may.
        let module = carried(world).find(|(_, whole)| !whole).unwrap().0;
        let answer = get(&module);
        let expected = match visit.account() {
            Account::Stranger => ".lock: permission denied",
            Account::Owner => ".zip: no such file or directory",
        };
        assert!(answer.stderr.contains(expected), "{answer}");
        // What no go.sum of this project names is looked up in the checksum database, and not over a network.
        let answer = get("github.com/gin-gonic/gin@v1.12.0");
        assert!(answer.stderr.contains("lookup/github.com/gin-gonic/gin@v1.12.0: no such file"), "{answer}");
    });
}
