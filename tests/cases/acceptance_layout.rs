//! Offline acceptance: which Go runs, and with which settings (commands 1 to 5).

use e2e::offline::Account;

use super::acceptance::on_all;

#[test]
fn acceptance_01_the_go_of_the_path_is_the_default_release() {
    on_all("acceptance_01", &[], |world, visit| {
        let go = visit.shell().succeed("readlink -f $(command -v go); go env GOROOT");
        let goroot = world.prefix().join("trees/toolchain/go1.27.3");
        let goroot = goroot.display();
        assert_eq!(go, format!("{goroot}/bin/go\n{goroot}\n"));
        let version = visit.shell().succeed("go version");
        assert!(version.starts_with("go version go1.27.3 "), "{version}");
    });
}

#[test]
fn acceptance_02_the_settings_are_those_of_the_design() {
    on_all("acceptance_02", &[], |world, visit| {
        let settings = visit.shell().succeed(
            "go env GOMODCACHE GOPROXY GOSUMDB GOTOOLCHAIN GONOPROXY GOVCS GOAUTH; go1.26.8 env GOPROXY",
        );
        let modcache = world.prefix().join("current/modcache");
        let modcache = modcache.display();
        let proxy = format!("file://{modcache}/cache/download");
        assert_eq!(
            settings,
            format!("{modcache}\n{proxy}\nsum.golang.org\npath\nnone\n*:off\noff\n{proxy}\n")
        );
    });
}

#[test]
fn acceptance_03_a_release_runs_by_its_name() {
    on_all("acceptance_03", &[], |_, visit| {
        let version = visit.shell().succeed("go1.26.8 version");
        assert!(version.starts_with("go version go1.26.8 "), "{version}");
    });
}

#[test]
fn acceptance_04_a_release_is_chosen_by_gotoolchain() {
    on_all("acceptance_04", &[], |_, visit| {
        let project = visit.project("toolchain-line");
        let versions = project.succeed("GOTOOLCHAIN=go1.26.8 go version; go version; go run .");
        let versions: Vec<_> = versions.lines().collect();
        assert!(versions[0].starts_with("go version go1.26.8 "), "{versions:?}");
        assert!(versions[1].starts_with("go version go1.27.3 "), "{versions:?}");
        assert!(versions[2].contains("go1.27.3"), "{versions:?}");
    });
}

#[test]
fn acceptance_05_a_release_that_is_not_carried_is_named() {
    on_all("acceptance_05", &[], |_, visit| {
        let answer = visit.shell().fail(1, "GOTOOLCHAIN=go1.28.0+path go version");
        assert!(answer.stderr.contains(r#"cannot find "go1.28.0" in PATH"#), "{answer}");
    });
}

#[test]
fn acceptance_25_a_user_cannot_clean_the_shared_module_cache() {
    on_all("acceptance_25", &[], |_, visit| {
        // Root's `go` would unlink `modcache` of the generation (go-offline §11).
        if visit.account() == Account::Stranger {
            let answer = visit.shell().fail(1, "go clean -modcache");
            assert!(answer.stderr.contains("permission denied"), "{answer}");
        }
    });
}
