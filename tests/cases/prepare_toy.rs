//! What is wanted is found, and what is not what it should be is refused: in the toy world.

use e2e::goproxy_tree;
use e2e::scripted_server::{Fault, ScriptedServer};
use goferry::build::BuildError;
use goferry::fetch::module::ModuleError;
use goferry::lock::LockError;
use goferry_manifest::{DirHash, Module, Platform, Sha256Digest};

use super::toy_world::{Says, World};

#[test]
fn everything_that_go_needs_without_a_network_is_carried() {
    let mut world = World::new();
    let built = world.public("a.example/built", "v1.0.0", &[("b.go", b"package b\n")]);
    let graph = world.public("a.example/graph", "v1.0.0", &[]);
    let pruned = world.public("a.example/pruned", "v0.9.0", &[]);
    let unused = world.public("a.example/unused", "v1.2.0", &[("u.go", b"package u\n")]);
    let project = world.project(
        "svc",
        &Says {
            go: "go 1.26.8",
            required: &[&built, &unused],
            listed: &[&built, &graph, &pruned, &unused],
            go_sum: Some(
                world.lines(&built) + &world.line(&graph, "/go.mod") + &world.line(&unused, "/go.mod"),
            ),
        },
    );
    let (prepared, warnings) = world.prepare(&[project]);
    let prepared = prepared.unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let carried = prepared.manifest.modules().iter();
    let carried: Vec<_> = carried.map(|it| (it.module.clone(), it.zip.is_some())).collect();
    assert_eq!(carried, [(built.clone(), true), (graph, false), (pruned, false), (unused, true)]);
    assert_eq!(prepared.lock.name.as_str(), "svc");
    assert!(prepared.lock.content.modules[&built].wanted_by.contains("corp.example/svc"));
    let toolchain = &prepared.manifest.toolchains()[0];
    let names: Vec<_> = toolchain.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["bin/go", "go.mod", "src/_go.mod"]);
}

#[test]
fn files_that_are_not_those_of_go_sum_are_refused_and_not_kept() {
    // bad-inputs #45, #106
    let mut world = World::new();
    let (module, project) = world.simple();
    let name = format!("{}.zip", module.download_stem());
    let good = world.proxy.read(&name);
    let files = [("m.go", &b"package evil\n"[..])].into();
    world.proxy.put(&name, &goproxy_tree::zip(&module.zip_prefix(), &files));
    let error = world.refused(project.clone());
    assert!(
        matches!(&error, BuildError::Module(ModuleError::Hash { what, .. }) if *what == module.to_string()),
        "{error}"
    );
    assert!(error.to_string().contains("simple/go.sum"), "{error}");
    world.proxy.put(&name, &good);
    assert!(world.prepare(&[project]).0.is_ok());
}

#[test]
fn a_go_mod_that_is_not_that_of_go_sum_is_refused() {
    // bad-inputs #43, #44
    let mut world = World::new();
    let (module, project) = world.simple();
    world.proxy.put(&format!("{}.mod", module.download_stem()), b"module a.example/other\n");
    let error = world.refused(project);
    assert!(matches!(error, BuildError::Module(ModuleError::Hash { what, .. }) if what.ends_with("/go.mod")));
}

#[test]
fn an_info_of_another_version_is_refused() {
    // bad-inputs #44
    let mut world = World::new();
    let (module, project) = world.simple();
    world.proxy.put(&format!("{}.info", module.download_stem()), br#"{"Version":"v1.0.1"}"#);
    assert!(matches!(world.refused(project), BuildError::Module(ModuleError::Info { .. })));
}

#[test]
fn a_bad_zip_is_refused_even_with_a_hash_that_fits() {
    // bad-inputs #110
    let mut world = World::new();
    let (module, project) = world.simple();
    let name = format!("{}.zip", module.download_stem());
    let junk = [world.proxy.read(&name), b"junk".to_vec()].concat();
    world.proxy.put(&name, &junk);
    assert!(matches!(world.refused(project), BuildError::Module(ModuleError::Zip(_))));
}

#[test]
fn a_toolchain_that_the_database_does_not_know_so_is_refused() {
    let mut world = World::new();
    let (_, project) = world.simple();
    let toolchain = Platform::of_this_program().unwrap().to_string().replace('/', "-");
    let toolchain = goproxy_tree::module("golang.org/toolchain", &format!("v0.0.1-go1.26.8.{toolchain}"));
    let files = [("bin/go", &b"#!/bin/evil\n"[..])].into();
    let zip = goproxy_tree::zip(&toolchain.zip_prefix(), &files);
    world.proxy.put(&format!("{}.zip", toolchain.download_stem()), &zip);
    let error = world.refused(project);
    assert!(matches!(error, BuildError::Module(ModuleError::Hash { .. })));
    assert!(error.to_string().contains("(checksum database)"), "{error}");
}

#[test]
fn without_a_database_there_is_no_toolchain() {
    let mut world = World::new();
    let (_, project) = world.simple();
    world.variables = vec![("GOSUMDB".to_owned(), "off".to_owned())];
    assert!(matches!(world.refused(project), BuildError::Database(_)));
}

#[test]
fn a_stale_line_of_go_sum_is_left_out_and_a_needed_one_is_not() {
    let mut world = World::new();
    let needed = world.public("a.example/m", "v1.0.0", &[]);
    let h1 = DirHash::of_go_mod(Sha256Digest::of(b"long gone"));
    let go_sum =
        format!("{}a.example/gone v1.0.0 {h1}\na.example/gone v1.0.0/go.mod {h1}\n", world.lines(&needed));
    let says = Says { go: "go 1.26.8", required: &[&needed], listed: &[&needed], go_sum: Some(go_sum) };
    let stale = world.project("stale", &says);
    let (prepared, warnings) = world.prepare(&[stale]);
    assert_eq!(prepared.unwrap().manifest.modules().len(), 1);
    assert!(warnings.iter().any(|warning| warning.contains("a.example/gone@v1.0.0")), "{warnings:?}");

    let gone = goproxy_tree::module("a.example/gone", "v1.0.0");
    let wanted = world.project("wanted", &Says { listed: &[&needed, &gone], ..says });
    assert!(matches!(world.refused(wanted), BuildError::NotServed { module, .. } if module == gone));
}

#[test]
fn a_project_without_go_sum_is_told_how_to_get_one() {
    let mut world = World::new();
    let module = world.public("a.example/m", "v1.0.0", &[]);
    let says = Says { go: "go 1.26.8", required: &[&module], listed: &[&module], go_sum: None };
    let untidy = world.project("untidy", &says);
    let error = world.refused(untidy);
    assert!(matches!(error, BuildError::NoGoSum { .. }));
    assert_eq!(error.hint(), Some("`go mod tidy` writes it"));
    let alone = world.project("alone", &Says { required: &[], listed: &[], ..says });
    assert!(world.prepare(&[alone]).0.unwrap().manifest.modules().is_empty());
}

#[test]
fn projects_that_contradict_each_other_are_refused() {
    let mut world = World::new();
    let (module, one) = world.simple();
    let other = world.line(&module, "/go.mod").replace("/go.mod", "");
    let says = Says { go: "go 1.26.8", required: &[], listed: &[], go_sum: Some(other) };
    let two = world.project("two", &says);
    assert!(matches!(world.prepare(&[one, two]).0, Err(BuildError::Contradiction(_))));
}

#[test]
fn a_private_module_needs_a_pattern_where_no_go_sum_names_it() {
    let mut world = World::new();
    let private = world.proxy.add("corp.example/private", "v1.0.0", &[]);
    let says = Says { go: "go 1.26.8", required: &[], listed: &[&private], go_sum: Some(String::new()) };
    let project = world.project("svc", &says);
    let error = world.refused(project.clone());
    assert!(matches!(error, BuildError::Prove(_)) && error.hint().is_some());
    world.variables = vec![("GONOSUMDB".to_owned(), "corp.example/*".to_owned())];
    let (prepared, warnings) = world.prepare(std::slice::from_ref(&project));
    assert_eq!(prepared.unwrap().manifest.modules()[0].module, private);
    assert!(
        warnings[0].contains("nobody vouches for the go.mod of `corp.example/private@v1.0.0`"),
        "{warnings:?}"
    );
    // What nobody vouched for is not kept: the proxy is asked again.
    world.proxy.put("corp.example/private/@v/v1.0.0.mod", b"module corp.example/private // new\n");
    let again = world.prepare(&[project]).0.unwrap();
    let sha256 = Sha256Digest::of(b"module corp.example/private // new\n");
    assert_eq!(again.manifest.modules()[0].go_mod.sha256, sha256);
}

#[test]
fn files_that_nobody_vouches_for_are_refused() {
    let mut world = World::new();
    let private = world.proxy.add("corp.example/private", "v1.0.0", &[("p.go", b"package p\n")]);
    world.variables = vec![("GONOSUMDB".to_owned(), "corp.example/*".to_owned())];
    let says =
        Says { go: "go 1.26.8", required: &[&private], listed: &[&private], go_sum: Some(String::new()) };
    let go_mod_only = Says { go_sum: Some(world.line(&private, "/go.mod")), ..says };
    let projects = [world.project("nothing", &says), world.project("half", &go_mod_only)];
    for project in projects {
        let error = world.refused(project);
        assert!(error.is_refusal(), "{error}");
        assert!(
            matches!(&error, BuildError::Module(ModuleError::Unvouched { module }) if *module == private)
        );
        assert!(error.hint().unwrap().contains("`go mod tidy`"), "{error}");
    }
    let says = Says { go_sum: Some(world.lines(&private)), ..says };
    let tidy = world.project("tidy", &says);
    assert!(world.prepare(&[tidy]).0.unwrap().manifest.modules()[0].zip.is_some());
}

#[test]
fn without_its_info_a_go_mod_is_still_carried_unless_go_selects_the_version() {
    let mut world = World::new();
    let (selected, old) =
        (world.public("a.example/m", "v1.1.0", &[]), world.public("a.example/m", "v1.0.0", &[]));
    std::fs::remove_file(world.proxy.root().join(format!("{}.info", old.download_stem()))).unwrap();
    let go_sum = world.lines(&selected) + &world.line(&old, "/go.mod");
    let says = Says { go: "go 1.26.8", required: &[&selected], listed: &[&selected], go_sum: Some(go_sum) };
    let project = world.project("svc", &says);
    let (prepared, warnings) = world.prepare(std::slice::from_ref(&project));
    let prepared = prepared.unwrap();
    let carried = prepared.manifest.modules().iter();
    let carried: Vec<_> = carried.map(|it| (it.module.clone(), it.time.is_some())).collect();
    assert_eq!(carried, [(old.clone(), false), (selected.clone(), true)]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("`a.example/m@v1.0.0` is carried without its time: "), "{warnings:?}");
    let wanted = world.project("wanted", &Says { listed: &[&old], ..says });
    assert!(matches!(world.refused(wanted), BuildError::NotServed { module, .. } if module == old));
}

#[test]
fn one_lock_gives_one_manifest_whatever_a_proxy_says_of_times() {
    let mut world = World::new();
    let (module, project) = world.simple();
    let first = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    first.save_lock().unwrap();
    let time = first.manifest.modules()[0].time;
    assert!(time.is_some());
    assert_eq!(first.lock.content.modules[&module].time, time);
    // Another machine: no cache, and a proxy that says something else.
    let info = format!("{}.info", module.download_stem());
    world.proxy.put(&info, br#"{"Version":"v1.0.0","Time":"2001-02-03T04:05:06Z"}"#);
    world.variables.push(("GOFERRY_CACHE".to_owned(), world.in_directory("other-cache")));
    world.locked = true;
    let second = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    assert_eq!((&second.manifest, &second.lock), (&first.manifest, &first.lock));
    // Without the lock the other time is another content.
    std::fs::remove_file(world.in_directory("goferry.lock")).unwrap();
    world.locked = false;
    assert_ne!(world.prepare(&[project]).0.unwrap().lock.content, first.lock.content);
}

#[test]
fn logins_that_are_not_used_are_named() {
    let mut world = World::new();
    let (_, project) = world.simple();
    world.variables.push(("GOAUTH".to_owned(), "netrc; git /secret".to_owned()));
    let (prepared, warnings) = world.prepare(&[project]);
    assert!(prepared.is_ok());
    assert_eq!(warnings, ["`git` of GOAUTH is not used: logins come from `.netrc` alone"]);
}

#[test]
fn a_lock_that_contradicts_what_came_is_a_refusal() {
    let mut world = World::new();
    let (module, project) = world.simple();
    let mut prepared = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    prepared.lock.content.modules.get_mut(&module).unwrap().go_mod =
        DirHash::of_go_mod(Sha256Digest::of(b""));
    prepared.save_lock().unwrap();
    let error = world.refused(project);
    assert!(matches!(error, BuildError::Lock(LockError::Contradiction { .. })), "{error}");
    assert!(error.is_refusal());
    assert!(error.to_string().contains(&world.in_directory("goferry.lock")), "{error}");
}

#[test]
fn a_lock_is_neither_taken_over_by_another_bundle_nor_overwritten_by_a_slower_build() {
    let mut world = World::new();
    let (module, project) = world.simple();
    let first = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    let slower = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    first.save_lock().unwrap();
    let error = slower.save_lock().unwrap_err();
    assert!(matches!(error, BuildError::Lock(LockError::ChangedMeanwhile { .. })), "{error}");
    let says = Says { go: "go 1.26.8", required: &[], listed: &[], go_sum: Some(world.lines(&module)) };
    let other = world.project("other", &says);
    let error = world.refused(other);
    assert!(
        matches!(error, BuildError::Lock(LockError::OtherBundle { .. })) && !error.is_refusal(),
        "{error}"
    );
}

#[test]
fn a_minor_release_gets_its_newest_patch_that_is_really_served() {
    let mut world = World::new();
    let missing = world.toolchain("1.26.10");
    let forbidden = world.toolchain("1.26.9");
    let server = ScriptedServer::serve(world.proxy.root());
    world.goproxy = server.url();
    let info = |module: &Module| format!("/{}.info", module.download_stem());
    for (module, status) in [(&missing, 404), (&forbidden, 403)] {
        let fault = Fault::Status(status, Vec::new(), "not carried".to_owned());
        server.fail(&info(module), vec![fault; 4]);
    }
    let says = Says { go: "go 1.26", required: &[], listed: &[], go_sum: None };
    let project = world.project("svc", &says);
    let (prepared, warnings) = world.prepare(&[project]);
    assert_eq!(prepared.unwrap().manifest.toolchains()[0].version.to_string(), "1.26.8");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("go1.26.10 is not served by the proxies"), "{warnings:?}");
}

#[test]
fn a_lock_changes_with_its_content_only_and_not_at_all_where_that_is_forbidden() {
    let mut world = World::new();
    let (module, project) = world.simple();
    world.locked = true;
    let error = world.refused(project.clone());
    assert!(matches!(error, BuildError::NoLock { .. }) && error.hint().is_some(), "{error}");
    world.locked = false;
    let first = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    first.save_lock().unwrap();
    world.locked = true;
    let same = world.prepare(std::slice::from_ref(&project)).0.unwrap();
    assert_eq!(same.lock, first.lock);

    let says = Says { go: "go 1.26.8", required: &[], listed: &[], go_sum: Some(world.lines(&module)) };
    let other = world.project("other", &says);
    let both = [project, other];
    let error = world.prepare(&both).0.unwrap_err();
    assert!(matches!(error, BuildError::LockWouldChange { .. }), "{error}");
    assert!(error.to_string().ends_with(&format!("\n  changed: {module}")), "{error}");
    world.locked = false;
    let next = world.prepare(&both).0.unwrap();
    assert_eq!((first.lock.sequence.get(), next.lock.sequence.get()), (1, 2));
    let wanted_by: Vec<_> = next.lock.content.modules[&module].wanted_by.iter().cloned().collect();
    assert_eq!(wanted_by, ["corp.example/other", "corp.example/simple"]);
}
