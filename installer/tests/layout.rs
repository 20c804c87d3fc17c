//! What an install leaves on a host, byte for byte.

#![allow(clippy::unwrap_used, clippy::large_stack_arrays, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};

use goferry_manifest::Sha256Digest;
use goport::plan::Action;
use support::{Builder, Place, exists};

/// The umask is the process's: tests that change it, and those that it would disturb, run one at a time.
static UMASK: Mutex<()> = Mutex::new(());

fn toy() -> Builder {
    Builder::default().toy_toolchain("1.27.3").toy_modules()
}

const TREE: &str = "\
current -> generations/1
generations/ 0755
generations/1/ 0555
generations/1/bin/ 0555
generations/1/bin/go -> ../../../trees/toolchain/go1.27.3/bin/go
generations/1/bin/go1.27.3 -> ../../../trees/toolchain/go1.27.3/bin/go
generations/1/bin/gofmt -> ../../../trees/toolchain/go1.27.3/bin/gofmt
generations/1/bundles/ 0555
generations/1/bundles/web/ 0555
generations/1/bundles/web/goferry.json 0444
generations/1/bundles/web/goferry.json.minisig 0444
generations/1/bundles/web/manifest.json.zst 0444
generations/1/go -> ../../trees/toolchain/go1.27.3
generations/1/go.env 0444
generations/1/modcache -> ../../trees/modcache/ID
generations/1/receipt.json 0444
state/ 0755
state/lock 0600
state/log.jsonl 0600
trees/ 0755
trees/modcache/ 0755
trees/modcache/ID/ 0555
trees/modcache/ID/cache/ 0555
trees/modcache/ID/cache/download/ 0555
trees/modcache/ID/cache/download/example.com/ 0555
trees/modcache/ID/cache/download/example.com/!upper/ 0555
trees/modcache/ID/cache/download/example.com/!upper/@v/ 0555
trees/modcache/ID/cache/download/example.com/!upper/@v/list 0444
trees/modcache/ID/cache/download/example.com/!upper/@v/v1.0.0-!r!c1.info 0444
trees/modcache/ID/cache/download/example.com/!upper/@v/v1.0.0-!r!c1.mod 0444
trees/modcache/ID/cache/download/example.com/!upper/@v/v1.0.0-!r!c1.zip 0444
trees/modcache/ID/cache/download/example.com/!upper/@v/v1.0.0-!r!c1.ziphash 0444
trees/modcache/ID/cache/download/example.com/low/ 0555
trees/modcache/ID/cache/download/example.com/low/@v/ 0555
trees/modcache/ID/cache/download/example.com/low/@v/list 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.10.0.info 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.10.0.mod 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.10.0.zip 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.10.0.ziphash 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.2.0.info 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.2.0.mod 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.2.0.zip 0444
trees/modcache/ID/cache/download/example.com/low/@v/v0.2.0.ziphash 0444
trees/modcache/ID/cache/download/example.com/pruned/ 0555
trees/modcache/ID/cache/download/example.com/pruned/@v/ 0555
trees/modcache/ID/cache/download/example.com/pruned/@v/v1.5.0.info 0444
trees/modcache/ID/cache/download/example.com/pruned/@v/v1.5.0.mod 0444
trees/modcache/ID/cache/download/golang.org/ 0555
trees/modcache/ID/cache/download/golang.org/fips140/ 0555
trees/modcache/ID/cache/download/golang.org/fips140/@v/ 0555
trees/modcache/ID/cache/download/golang.org/fips140/@v/v1.0.0-c2097c7c.ziphash 0444
trees/modcache/ID/cache/download/sumdb/ 0555
trees/modcache/ID/cache/download/sumdb/sum.golang.org/ 0555
trees/modcache/ID/cache/download/sumdb/sum.golang.org/supported 0444
trees/modcache/ID/cache/lock 0600
trees/modcache/ID/example.com/ 0555
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/ 0555
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/LICENSE 0444
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/a/ 0555
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/a/b/ 0555
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/a/b/c.go 0444
trees/modcache/ID/example.com/!upper@v1.0.0-!r!c1/go.mod 0444
trees/modcache/ID/example.com/low@v0.10.0/ 0555
trees/modcache/ID/example.com/low@v0.10.0/big.bin 0444
trees/modcache/ID/example.com/low@v0.10.0/copy.bin 0444
trees/modcache/ID/example.com/low@v0.2.0/ 0555
trees/modcache/ID/example.com/low@v0.2.0/LICENSE 0444
trees/modcache/ID/example.com/low@v0.2.0/empty 0444
trees/modcache/ID/example.com/low@v0.2.0/x.go 0444
trees/modcache/ID/golang.org/ 0555
trees/modcache/ID/golang.org/fips140@v1.0.0-c2097c7c/ 0555
trees/modcache/ID/golang.org/fips140@v1.0.0-c2097c7c/fips140/ 0555
trees/modcache/ID/golang.org/fips140@v1.0.0-c2097c7c/fips140/a.go 0444
trees/modcache/ID/golang.org/fips140@v1.0.0-c2097c7c/fips140/sha/ 0555
trees/modcache/ID/golang.org/fips140@v1.0.0-c2097c7c/fips140/sha/s.go 0444
trees/toolchain/ 0755
trees/toolchain/go1.27.3/ 0555
trees/toolchain/go1.27.3/VERSION 0444
trees/toolchain/go1.27.3/bin/ 0555
trees/toolchain/go1.27.3/bin/go 0555
trees/toolchain/go1.27.3/bin/gofmt 0555
trees/toolchain/go1.27.3/go.env -> ../../../current/go.env
trees/toolchain/go1.27.3/go.mod 0444
trees/toolchain/go1.27.3/lib/ 0555
trees/toolchain/go1.27.3/lib/fips140/ 0555
trees/toolchain/go1.27.3/lib/fips140/v1.0.0-c2097c7c.zip 0444
trees/toolchain/go1.27.3/lib/wasm/ 0555
trees/toolchain/go1.27.3/lib/wasm/go_js_wasm_exec 0555
trees/toolchain/go1.27.3/lib/wasm/wasm_exec.js 0444
trees/toolchain/go1.27.3/pkg/ 0555
trees/toolchain/go1.27.3/pkg/tool/ 0555
trees/toolchain/go1.27.3/pkg/tool/linux_amd64/ 0555
trees/toolchain/go1.27.3/pkg/tool/linux_amd64/compile 0555
trees/toolchain/go1.27.3/src/ 0555
trees/toolchain/go1.27.3/src/fmt/ 0555
trees/toolchain/go1.27.3/src/fmt/print.go 0444
trees/toolchain/go1.27.3/src/go.mod 0444
trees/toolchain/go1.27.3/src/make.bash 0444
";

/// The listing with the name of the module cache as `ID`, and without what only ordinary users get.
fn normalised(place: &Place) -> String {
    let id = fs::read_link(place.path("current/modcache")).unwrap();
    let id = id.file_name().unwrap().to_str().unwrap().to_owned();
    let lines = place.listing().into_iter().filter(|line| !line.starts_with("gopath/"));
    lines.map(|line| line.replace(&id, "ID") + "\n").collect()
}

#[test]
fn a_host_is_laid_out_the_same_whatever_the_umask() {
    // bad-inputs #82
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let bundle = toy().build("web", 1);
    let before = rustix::process::umask(rustix::fs::Mode::empty());
    for mask in [0o000, 0o022, 0o077] {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
        let place = Place::new();
        let installed = place.install(&bundle);
        rustix::process::umask(before);
        assert_eq!(installed.unwrap().plan.generation, 1);
        assert_eq!(normalised(&place), TREE, "umask {mask:04o}");
    }
}

#[test]
fn contents_are_those_that_go_would_have_written() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let download = "current/modcache/cache/download";
    assert_eq!(place.read(&format!("{download}/example.com/low/@v/list")), "v0.2.0\nv0.10.0\n");
    assert_eq!(
        place.read(&format!("{download}/example.com/!upper/@v/v1.0.0-!r!c1.info")),
        r#"{"Version":"v1.0.0-RC1","Time":"2024-01-02T03:04:05Z"}"#
    );
    assert_eq!(
        place.read(&format!("{download}/example.com/pruned/@v/v1.5.0.mod")),
        "module example.com/pruned\n"
    );
    assert!(place.read(&format!("{download}/example.com/low/@v/v0.2.0.ziphash")).starts_with("h1:"));
    assert_eq!(place.read("current/modcache/example.com/!upper@v1.0.0-!r!c1/a/b/c.go"), "package b\n");
    assert_eq!(place.read("current/go/go.mod"), "module golang.org/toolchain\n");
    let big = fs::read(place.path("current/modcache/example.com/low@v0.10.0/copy.bin")).unwrap();
    assert_eq!(big, [3; 400_000]);
    let env = place.read("current/go/go.env");
    let proxy = format!("GOPROXY=file://{}/current/modcache/cache/download\n", place.prefix);
    assert!(env.contains(&proxy), "{env}");
}

#[test]
fn zips_are_the_modules() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let base = place.path("current/modcache/cache/download/example.com/low/@v");
    for version in ["v0.2.0", "v0.10.0"] {
        let file = fs::File::open(base.join(format!("{version}.zip"))).unwrap();
        let mut zip = zip::ZipArchive::new(file).unwrap();
        let mut hashes = Vec::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            hashes.push((entry.name().unwrap().into_owned(), Sha256Digest::of(&content)));
        }
        let hashes = hashes.iter().map(|(name, digest)| (name.as_str(), *digest));
        let h1 = goferry_manifest::DirHash::of_files(hashes).to_string();
        assert_eq!(fs::read_to_string(base.join(format!("{version}.ziphash"))).unwrap(), h1);
    }
}

#[test]
fn the_same_bundle_again_changes_nothing() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let bundle = toy().build("web", 1);
    assert_eq!(place.install(&bundle).unwrap().plan.action, Action::Install);
    let before = place.listing();
    let again = place.install(&bundle).unwrap();
    assert_eq!((again.plan.action, again.plan.generation), (Action::Nothing, 1));
    assert_eq!(place.listing(), before);
}

#[test]
fn a_second_bundle_is_the_next_generation_and_links_what_did_not_change() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let second = toy().module("example.com/new", "v1.0.0", &[("n.go", b"package n\n")]);
    let installed = place.install(&second.build("web", 2)).unwrap();
    assert_eq!((installed.plan.parent, installed.plan.generation), (Some(1), 2));
    assert_eq!(fs::read_link(place.path("current")).unwrap().to_str(), Some("generations/2"));
    assert_eq!(fs::read_link(place.path("previous")).unwrap().to_str(), Some("current/previous"));
    assert!(place.read("previous/receipt.json").contains("\"generation\": 1"));
    for linked in [
        "modcache/example.com/low@v0.10.0/big.bin",
        "modcache/cache/download/example.com/low/@v/v0.10.0.zip",
        "modcache/cache/download/example.com/low/@v/v0.10.0.mod",
        "modcache/cache/download/example.com/low/@v/v0.10.0.info",
    ] {
        assert_eq!(place.inode(&format!("current/{linked}")), place.inode(&format!("previous/{linked}")));
    }
    for own in [
        "modcache/cache/download/example.com/low/@v/list",
        "modcache/cache/download/example.com/low/@v/v0.10.0.ziphash",
        "modcache/cache/lock",
    ] {
        assert_ne!(place.inode(&format!("current/{own}")), place.inode(&format!("previous/{own}")));
    }
    assert_eq!(place.read("current/modcache/example.com/new@v1.0.0/n.go"), "package n\n");
    assert!(!exists(&place.path("previous/modcache/example.com/new@v1.0.0")));
    assert_eq!(place.read("state/log.jsonl").lines().count(), 2);
}

#[test]
fn a_changed_file_is_not_linked_but_written_anew() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let file = place.path("current/modcache/example.com/low@v0.2.0/x.go");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&file, "package y\n").unwrap();
    let second = toy().module("example.com/new", "v1.0.0", &[("n.go", b"package n\n")]);
    place.install(&second.build("web", 2)).unwrap();
    assert_eq!(place.read("current/modcache/example.com/low@v0.2.0/x.go"), "package x\n");
    assert_eq!(place.read("previous/modcache/example.com/low@v0.2.0/x.go"), "package y\n");
}

#[test]
fn two_channels_are_held_side_by_side() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let other = Builder::default().toy_toolchain("1.28.1").module(
        "example.com/other",
        "v1.0.0",
        &[("o.go", b"package o\n")],
    );
    let installed = place.install(&other.build("other", 1)).unwrap();
    assert_eq!(installed.plan.default_go.unwrap().release.to_string(), "1.27.3");
    for file in [
        "current/modcache/example.com/other@v1.0.0/o.go",
        "current/modcache/example.com/low@v0.2.0/x.go",
        "current/bin/go1.28.1",
        "current/bundles/web/goferry.json",
        "current/bundles/other/goferry.json",
    ] {
        assert!(exists(&place.path(file)), "{file}");
    }
    // The next bundle of a channel replaces what that channel had, and nothing else.
    let next = Builder::default().toy_toolchain("1.27.3").module("example.com/only", "v1.0.0", &[("o", b"")]);
    let installed = place.install(&next.build("web", 2)).unwrap();
    assert_eq!(installed.plan.default_go.unwrap().release.to_string(), "1.27.3");
    assert!(exists(&place.path("current/modcache/example.com/other@v1.0.0/o.go")));
    assert!(!exists(&place.path("current/modcache/example.com/low@v0.2.0")));
}

#[test]
fn an_image_is_made_through_its_root() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut place = Place::new();
    let image = place.dir.path().join("image").to_str().unwrap().to_owned();
    // The root is the operator's; only what is below it is made.
    fs::create_dir(&image).unwrap();
    place.root = goport::Root::at(image.as_str().into()).unwrap();
    place.prefix = "/opt/go,ferry".parse().unwrap();
    place.gopath = Some("/home/dev/go".parse().unwrap());
    place.install(&toy().build("web", 1)).unwrap();
    let env = place.read("current/go.env");
    assert!(env.contains("GOPROXY=file:///opt/go%2Cferry/current/modcache/cache/download\n"), "{env}");
    assert!(env.contains("GOMODCACHE=/opt/go,ferry/current/modcache\n"), "{env}");
    assert!(env.contains("GOPATH=/home/dev/go\n"), "{env}");
    assert!(fs::metadata(format!("{image}/home/dev/go/pkg")).unwrap().is_dir());
    assert!(place.listing().iter().all(|line| !line.contains("image")));
}

#[test]
fn nothing_leads_out_of_an_image() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut place = Place::new();
    let (image, outside) = (place.dir.path().join("image"), place.dir.path().join("outside"));
    fs::create_dir(&image).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, image.join("opt")).unwrap();
    place.root = goport::Root::at(image.to_str().unwrap().into()).unwrap();
    place.prefix = "/opt/goferry".parse().unwrap();
    place.install(&toy().build("web", 1)).unwrap_err();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_tree_that_is_gone_is_made_again() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let bundle = toy().build("web", 1);
    place.install(&bundle).unwrap();
    let tree = place.path("trees/toolchain/go1.27.3");
    fs::rename(&tree, place.dir.path().join("taken away")).unwrap();
    let installed = place.install(&bundle).unwrap();
    assert_eq!(installed.plan.generation, 2);
    assert!(exists(&place.path("current/bin/go")));
}

#[test]
fn a_gopath_may_not_be_foreign_in_the_prefix() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut place = Place::new();
    place.gopath = Some(place.prefix.join("mygo").as_str().parse().unwrap());
    place.install(&toy().build("web", 1)).unwrap_err();
    assert!(!exists(&place.path("")), "nothing was made");
}

#[test]
fn memory_and_threads_do_not_change_the_result() {
    let _lock = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut place = Place::new();
    (place.memory, place.threads) = (1, 1);
    place.install(&toy().build("web", 1)).unwrap();
    assert_eq!(normalised(&place), TREE);
    assert_eq!(fs::metadata(place.path("current/modcache/cache/lock")).unwrap().size(), 0);
}
