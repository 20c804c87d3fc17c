//! What is not installed, what is said about it, and that nothing is left behind.

#![allow(clippy::unwrap_used, clippy::large_stack_arrays, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::AtomicBool;

use goferry_manifest::Sha256Digest;
use goport::plan::{Action, Downgrade};
use goport::{Class, InstallError, Silent};
use support::{Builder, Place, exists};

fn toy() -> Builder {
    Builder::default().toy_toolchain("1.27.3").toy_modules()
}

fn extended() -> Builder {
    toy().module("example.com/new", "v1.0.0", &[("n.go", b"package n\n")])
}

fn refused(place: &Place, bundle: &[u8]) -> String {
    let error = place.install(bundle).unwrap_err();
    assert_eq!((error.class(), error.changed_anything()), (Class::Refused, false), "{error}");
    error.to_string()
}

fn failed(place: &Place, bundle: &[u8]) -> String {
    let error = place.install(bundle).unwrap_err();
    assert_eq!((error.class(), error.changed_anything()), (Class::Failed, false), "{error}");
    error.to_string()
}

#[test]
fn no_changed_byte_of_a_bundle_leaves_a_trace() {
    let bundle = Builder::default().toy_modules().build("web", 1);
    let place = Place::new();
    for at in (0..bundle.len()).step_by(97) {
        let mut changed = bundle.clone();
        changed[at] ^= 1;
        let error = place.install(&changed).unwrap_err();
        assert_eq!(error.class(), Class::Refused, "byte {at}: {error}");
        assert!(!exists(&place.path("")), "byte {at}");
    }
    place.install(&bundle).unwrap();
}

#[test]
fn older_bundles_are_refused_unless_asked_for() {
    // bad-inputs #16
    let mut place = Place::new();
    place.install(&extended().build("web", 5)).unwrap();
    let before = place.listing();
    let older = toy().build("web", 4);
    let message = refused(&place, &older);
    assert_eq!(message, "bundle 4 of channel `web` is older than what was installed already");
    assert_eq!(place.listing(), before);
    place.downgrade = Downgrade::Allow;
    let plan = place.install(&older).unwrap().plan;
    assert_eq!(plan.downgrade_from.map(goferry_manifest::Sequence::get), Some(5));
    // The floor is lowered to what was installed.
    place.downgrade = Downgrade::Refuse;
    assert_eq!(place.install(&older).unwrap().plan.action, Action::Nothing);
    place.install(&extended().build("web", 5)).unwrap();
}

#[test]
fn another_bundle_with_a_known_sequence_is_refused_always() {
    // bad-inputs #17
    let mut place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    place.downgrade = Downgrade::Allow;
    let message = refused(&place, &extended().build("web", 1));
    assert!(message.starts_with("another bundle 1 of channel `web` with other content"), "{message}");
}

#[test]
fn a_known_sequence_is_remembered_beyond_a_downgrade() {
    let mut place = Place::new();
    let (five, other_five) = (toy().build("web", 5), extended().build("web", 5));
    place.install(&five).unwrap();
    place.downgrade = Downgrade::Allow;
    place.install(&extended().build("web", 4)).unwrap();
    for downgrade in [Downgrade::Allow, Downgrade::Refuse] {
        place.downgrade = downgrade;
        let message = refused(&place, &other_five);
        assert!(message.starts_with("another bundle 5 of channel `web` with other content"), "{message}");
        let message = refused(&place, &toy().build("web", 4));
        assert!(message.starts_with("another bundle 4 of channel `web` with other content"), "{message}");
    }
    assert_eq!(place.install(&five).unwrap().plan.generation, 3);
}

#[test]
fn a_version_never_changes_its_content_in_any_channel() {
    let place = Place::new();
    place.install(&extended().build("web", 1)).unwrap();
    place.install(&toy().build("web", 2)).unwrap();
    assert!(!exists(&place.path("current/modcache/example.com/new@v1.0.0")));
    let changed = Builder::default().module("example.com/new", "v1.0.0", &[("n.go", b"package evil\n")]);
    let message = refused(&place, &changed.build("other", 1));
    assert_eq!(message, "`example.com/new@v1.0.0` is not what this host has known under that name");
}

#[test]
fn toolchains_for_other_platforms_only_are_refused() {
    // bad-inputs #47
    let place = Place::new();
    let bundle = Builder::default().toolchain("1.27.3", "plan9/mips", &[("VERSION", b"go1.27.3\n")]);
    let message = refused(&place, &bundle.build("web", 1));
    assert_eq!(message, "the bundle has Go for plan9/mips, not for this host");
    assert!(!exists(&place.path("")));
}

#[test]
fn a_toolchain_that_calls_itself_otherwise_is_refused() {
    // bad-inputs #46
    let platform = goferry_manifest::Platform::of_this_program().unwrap().to_string();
    let bundle = Builder::default().toolchain("1.27.3", &platform, &[("VERSION", b"go1.27.4\n")]);
    let bundle = bundle.build("web", 1);
    let place = Place::new();
    let message = refused(&place, &bundle);
    assert_eq!(message, "the toolchain carried as `go1.27.3` calls itself `go1.27.4` in its VERSION file");
    assert_only_empty_places(&place);
    let interrupt = AtomicBool::new(false);
    let verified = place.with_request(&bundle, &interrupt, |request| {
        goport::verify(request.bundle, request.trust, request.effort, &Silent).map(drop)
    });
    assert_eq!(verified.unwrap_err().to_string(), message);
}

#[test]
fn what_install_refuses_of_a_toolchain_is_refused_by_verify_in_the_same_words() {
    let platform = goferry_manifest::Platform::of_this_program().unwrap().to_string();
    let long = [b"go1.27.3\n".as_slice(), &[b' '; 4096]].concat();
    let files: [&[(&str, &[u8])]; 2] =
        [&[("VERSION", &long)], &[("VERSION", b"go1.27.3\n"), ("lib/fips140/v1.0.0.zip", b"no zip")]];
    for (files, expected) in files.into_iter().zip([
        "`VERSION` has 4105 bytes, above the limit of 4096",
        "the FIPS 140 snapshot `lib/fips140/v1.0.0.zip` is not a module zip: ",
    ]) {
        let bundle = Builder::default().toolchain("1.27.3", &platform, files).build("web", 1);
        let place = Place::new();
        let message = refused(&place, &bundle);
        assert!(message.contains(expected), "{message}");
        assert_only_empty_places(&place);
        let interrupt = AtomicBool::new(false);
        let verified = place.with_request(&bundle, &interrupt, |request| {
            goport::verify(request.bundle, request.trust, request.effort, &Silent).map(drop)
        });
        let error = verified.unwrap_err();
        assert_eq!((error.class(), error.to_string()), (Class::Refused, message));
    }
}

#[test]
fn packs_with_other_content_than_signed_are_refused_and_nothing_gets_its_name() {
    // bad-inputs #58
    let mut lying = toy();
    let digest = Sha256Digest::of(b"package x\n");
    lying.lies.insert(digest, b"package y\n".to_vec());
    let bundle = lying.build("web", 1);
    let place = Place::new();
    let message = refused(&place, &bundle);
    assert!(message.ends_with("it does not hold the content that the signed tables name"), "{message}");
    assert_only_empty_places(&place);
    let interrupt = AtomicBool::new(false);
    let verified = place.with_request(&bundle, &interrupt, |request| {
        goport::verify(request.bundle, request.trust, request.effort, &Silent).map(drop)
    });
    assert_eq!(verified.unwrap_err().to_string(), message);
}

/// The directories of a prefix, the lock, and nothing else.
fn assert_only_empty_places(place: &Place) {
    assert_eq!(
        place.listing(),
        [
            "generations/ 0755",
            "state/ 0755",
            "state/lock 0600",
            "trees/ 0755",
            "trees/modcache/ 0755",
            "trees/toolchain/ 0755",
        ]
    );
}

#[test]
fn what_interrupted_runs_left_behind_is_removed() {
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    for dir in [
        "trees/toolchain/.staging-go1.27.3/bin",
        "trees/modcache/.staging-0123456789abcdef/a/b",
        "generations/.staging-2/bin",
        "generations/2",
        "trees/toolchain/go1.26.8/bin",
    ] {
        fs::create_dir_all(place.path(dir)).unwrap();
        fs::write(place.path(dir).join("file"), "left behind").unwrap();
    }
    symlink("generations/2", place.path(".current.new")).unwrap();
    let installed = place.install(&extended().toy_toolchain("1.26.8").build("web", 2)).unwrap();
    assert_eq!(installed.plan.generation, 2);
    let listing = place.listing().join("\n");
    assert!(!listing.contains("staging") && !listing.contains(".new") && !listing.contains("/file"));
    // A tree that no generation had was made anew.
    assert_eq!(place.read("trees/toolchain/go1.26.8/bin/go"), "#!/bin/sh\n");
}

#[test]
fn an_unfinished_first_install_is_begun_anew() {
    let place = Place::new();
    let bundle = toy().build("web", 1);
    place.install(&bundle).unwrap();
    let before = place.listing();
    // As after a cut between the generation's name and the switch.
    fs::remove_file(place.path("current")).unwrap();
    place.install(&bundle).unwrap();
    assert_eq!(place.listing(), before);
}

#[test]
fn what_lies_in_the_way_of_a_prefix_is_named_and_left_alone() {
    // bad-inputs #79, #80, #81
    let bundle = toy().build("web", 1);
    let place = Place::new();
    fs::write(place.path("").as_str().trim_end_matches('/'), "a file").unwrap();
    let expected = format!("the prefix `{}` is a link or a file, not a directory", place.prefix);
    assert_eq!(failed(&place, &bundle), expected);

    let place = Place::new();
    let elsewhere = place.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, place.prefix.as_path()).unwrap();
    assert_eq!(
        failed(&place, &bundle),
        format!("the prefix `{}` is a link or a file, not a directory", place.prefix)
    );
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);

    let place = Place::new();
    fs::create_dir_all(place.path("bin")).unwrap();
    let expected = format!("the prefix `{}` holds `bin`, which goport did not put there", place.prefix);
    assert_eq!(failed(&place, &bundle), expected);

    let place = Place::new();
    fs::create_dir(place.prefix.as_path()).unwrap();
    fs::set_permissions(place.prefix.as_path(), fs::Permissions::from_mode(0o777)).unwrap();
    let expected = format!("`{}` may be written by everybody (mode 0777)", place.prefix);
    assert_eq!(failed(&place, &bundle), expected);

    let place = Place::new();
    place.install(&bundle).unwrap();
    fs::remove_file(place.path("current")).unwrap();
    symlink("/usr/local/go", place.path("current")).unwrap();
    let expected = format!("`{}/current` is damaged: it leads to `/usr/local/go`", place.prefix);
    assert_eq!(failed(&place, &bundle), expected);
}

#[test]
fn a_receipt_or_manifest_that_was_edited_is_noticed() {
    // bad-inputs #95
    for file in ["receipt.json", "bundles/web/goferry.json", "bundles/web/manifest.json.zst"] {
        let place = Place::new();
        place.install(&toy().build("web", 1)).unwrap();
        let path = place.path("generations/1").join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[2] ^= 0xff;
        fs::write(&path, bytes).unwrap();
        let message = failed(&place, &extended().build("web", 2));
        assert!(message.starts_with(&format!("`{path}` is damaged: ")), "{message}");
    }
}

#[test]
fn what_another_channel_needs_and_nobody_carries_is_named() {
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let file = place.path("trees/modcache").join(modcache(&place)).join("example.com/low@v0.2.0/x.go");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "package y\n").unwrap();
    let before = place.listing();
    let other = Builder::default().module("example.com/other", "v1.0.0", &[("o.go", b"package o\n")]);
    let message = failed(&place, &other.build("other", 1));
    assert!(
        message.ends_with(
            "example.com/low@v0.2.0/x.go` is not as it was installed, and the bundle does not carry it"
        ),
        "{message}"
    );
    assert_eq!(place.listing(), before);
}

#[test]
fn a_file_with_a_changed_mode_is_not_linked() {
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let below = "example.com/low@v0.2.0/x.go";
    let old = place.path("trees/modcache").join(modcache(&place)).join(below);
    fs::set_permissions(&old, fs::Permissions::from_mode(0o666)).unwrap();
    // The bundle does not carry it: what is right about it is its content, and that is copied.
    let other = Builder::default().module("example.com/other", "v1.0.0", &[("o.go", b"package o\n")]);
    place.install(&other.build("other", 1)).unwrap();
    let new = place.path("current/modcache").join(below);
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o7777, 0o444);
    assert_eq!(fs::read_to_string(new).unwrap(), "package x\n");
}

fn modcache(place: &Place) -> String {
    let target = fs::read_link(place.path("current/modcache")).unwrap();
    target.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn two_runs_at_once_are_one_too_many() {
    // bad-inputs #85
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let lock = fs::File::options().write(true).open(place.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let message = failed(&place, &extended().build("web", 2));
    let expected =
        format!("another run holds `{}/state/lock` (process {})", place.prefix, std::process::id());
    assert_eq!(message, expected);
    // A lock is its holder's only as long as that lives.
    drop(lock);
    place.install(&extended().build("web", 2)).unwrap();
}

#[test]
fn an_interrupted_run_changes_nothing() {
    let place = Place::new();
    let interrupt = AtomicBool::new(true);
    let result =
        place.with_request(&toy().build("web", 1), &interrupt, |request| goport::install(request, &Silent));
    let error = result.unwrap_err();
    assert!(matches!(error, InstallError::Interrupted));
    assert_eq!(error.class(), Class::Interrupted);
    assert!(!exists(&place.path("")));
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_does_not_do_it() {
    let place = Place::new();
    let interrupt = AtomicBool::new(false);
    let bundle = toy().build("web", 1);
    let plan = place.with_request(&bundle, &interrupt, |request| goport::dry_run(request, &Silent)).unwrap();
    assert!(!exists(&place.path("")));
    assert_eq!((plan.action, plan.generation, plan.components.len()), (Action::Install, 1, 5));
    assert!(plan.writes.inodes >= 60 && plan.writes.bytes > 1_900_000, "{:?}", plan.writes);
    place.install(&bundle).unwrap();
    let plan = place
        .with_request(&extended().build("web", 2), &interrupt, |request| goport::dry_run(request, &Silent))
        .unwrap();
    let states = serde_json::to_value(&plan.components).unwrap();
    let states: Vec<_> = states.as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["present", "linked", "linked", "linked", "new", "new"]);
}

#[test]
fn what_is_not_ours_is_not_removed() {
    // bad-inputs #97
    let place = Place::new();
    place.install(&toy().build("web", 1)).unwrap();
    let foreign = place.path("generations/my-backup");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(format!("{foreign}/x"), b"precious").unwrap();
    place
        .install(&toy().module("example.com/more", "v1.0.0", &[("m.go", b"package m")]).build("web", 2))
        .unwrap_err();
    assert_eq!(std::fs::read(format!("{foreign}/x")).unwrap(), b"precious");
}
