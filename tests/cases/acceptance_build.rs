//! Offline acceptance: what is compiled, tested and run (commands 6, 7, 9, 13, 16, 17, 22).

use e2e::offline::Account;
use e2e::requirement::Requirement::{CCompiler, Git};
use e2e::world::PROJECTS;

use super::acceptance::on_all;

#[test]
fn acceptance_06_build_vet_test() {
    on_all("acceptance_06", &[], |_, visit| {
        for name in PROJECTS {
            let answer = visit.project(name).succeed("go build ./... && go vet ./... && go test ./...");
            let tested = answer.lines().filter(|line| line.starts_with("ok ")).count();
            assert!(tested > 0, "no test ran in {name}: {answer}");
        }
    });
}

#[test]
fn acceptance_07_the_race_detector() {
    on_all("acceptance_07", &[CCompiler], |_, visit| {
        let answer = visit.project("tools").succeed("go test -race ./...");
        assert!(answer.contains("ok "), "{answer}");
    });
}

#[test]
fn acceptance_09_documentation_of_a_dependency() {
    on_all("acceptance_09", &[], |_, visit| {
        let text = visit.project("tools").succeed("go doc github.com/gin-gonic/gin.New");
        assert!(text.contains("func New("), "{text}");
    });
}

#[test]
fn acceptance_13_vendoring() {
    on_all("acceptance_13", &[], |_, visit| {
        visit.project("tools").succeed("go mod vendor && go build -mod=vendor ./...");
        let vendored = visit.project("vendored");
        vendored
            .succeed("cp -r vendor ../committed; rm -r vendor; go mod vendor; diff -r vendor ../committed");
    });
}

#[test]
fn acceptance_16_a_tool_of_the_project() {
    on_all("acceptance_16", &[], |_, visit| {
        let project = visit.project("tools");
        let answer = project.run("go tool stringer -h");
        assert_eq!(answer.code, Some(0), "{answer}");
        assert!(answer.stderr.contains("Usage of stringer"), "{answer}");
        assert_eq!(answer.network, [""; 0], "{answer}");
        // What it generates is what is committed.
        project.succeed("cp -r . ../before; go generate ./...; diff -r . ../before");
    });
}

#[test]
fn acceptance_17_the_frozen_cryptographic_module() {
    on_all("acceptance_17", &[], |_, visit| {
        let project = visit.project("tools");
        project.succeed("GOFIPS140=v1.0.0 go build -o f . && go version -m f | grep GOFIPS140=v1.0.0");
        project.succeed(
            "export GOTOOLCHAIN=go1.26.8; GOFIPS140=v1.0.0 go build -o g . && go version g | grep 1.26.8",
        );
    });
}

#[test]
fn acceptance_22_a_main_package_in_a_git_checkout() {
    on_all("acceptance_22", &[Git], |_, visit| {
        let project = visit.project("tools");
        project.succeed(
            "git init -q . && git add . && git -c user.name=t -c user.email=t@example.com commit -qm t",
        );
        let answer = project.fail(0, "go build -o /dev/null .");
        if visit.account() == Account::Stranger {
            let lines: Vec<_> = answer.stderr.lines().collect();
            assert!(
                matches!(lines[..], [line] if line.starts_with("go: writing stat cache: ")
                    && line.ends_with(": permission denied")),
                "{answer}"
            );
        } else {
            assert_eq!(answer.stderr, "", "{answer}");
        }
    });
}
