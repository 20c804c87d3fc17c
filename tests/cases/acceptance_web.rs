//! Offline acceptance: the road of the README, with a project as many are.

use e2e::offline::Account;
use e2e::requirement::Requirement::{Namespaces, Network, Strace};
use e2e::requirement::can_run;
use e2e::world::World;

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
