//! Who is asked: the cache, then the proxies in the order and under the conditions of GOPROXY.

use std::num::NonZeroUsize;
use std::time::Duration;

use goferry::cache::Cache;
use goferry::fetch::{FetchError, Fetcher, Request};
use goferry::http::{Client, HttpError, Patience};
use goferry::parallel::{self, Stop};
use goferry::proxy_list::Settings;
use goferry_manifest::Sha256Digest;
use goferry_terminal::Environment;

use super::fetch_world::{CAP, MOD, World, ZIP, status, watch};

#[test]
fn a_good_answer_is_kept_and_asked_for_once() {
    let world = World::new();
    let first = world.zip().unwrap();
    let second = world.zip().unwrap();
    assert_eq!(first, second);
    assert_eq!((first.digest(), first.size()), (Sha256Digest::of(&world.zip), world.zip.len() as u64));
    assert_eq!(world.server.count(ZIP), 1);
    let request = &world.server.requests()[0];
    assert_eq!(request.headers["accept-encoding"], "identity");
    assert!(request.headers["user-agent"].starts_with("goferry/"));
}

#[test]
fn the_list_decides_who_is_asked() {
    let world = World::new();
    let (server, tree) = (world.server.url(), world.tree.url());
    let empty = format!("file://{}/nothing", world.directory.path().display());
    let refused = "http://127.0.0.1:1"; // nobody listens there
    let ok = |list: &str| assert_eq!(world.go_mod(list).unwrap(), b"module example.com/a\n", "{list}");
    ok(&server);
    ok(&tree);
    ok(&format!("{empty},{server}"));
    ok(&format!("{refused}|{tree}"));
    ok(&format!("{tree},{refused}"));
    ok(&format!("{tree},off"));
    let fails = |list: &str| world.go_mod(list).unwrap_err();
    assert!(matches!(fails(&format!("{refused},{tree}")), FetchError::Http(HttpError::Transport { .. })));
    assert!(matches!(fails("off"), FetchError::NotServed { direct: false, .. }));
    assert!(matches!(fails(&format!("{empty},off,{tree}")), FetchError::NotServed { .. }));
    let direct = fails(&format!("{empty},direct"));
    assert!(direct.is_not_found());
    assert!(direct.hint().unwrap().contains("version control"));
    world.server.fail(MOD, [status(410, &[]), status(404, &[])]);
    ok(&format!("{server},{tree}"));
    let error = fails(&format!("{server},{empty}")).to_string();
    assert!(error.contains("404 Not Found): because"), "{error}");
    world.server.fail(MOD, vec![status(500, &[]); 4]);
    assert!(matches!(fails(&format!("{server},{tree}")), FetchError::Http(HttpError::Status { .. })));
    world.server.fail(MOD, vec![status(500, &[]); 4]);
    ok(&format!("{server}|{tree}"));
}

#[test]
fn a_module_of_gonoproxy_is_not_asked_of_any_proxy() {
    let world = World::new();
    let environment = Environment::new(
        [("HOME", world.directory.path().to_str().unwrap()), ("GOPRIVATE", "example.com/*")],
        "/",
    );
    let settings = Settings::discover(Some(&world.server.url()), &environment).unwrap();
    let client = Client::new(&environment, Patience::default()).unwrap();
    let fetcher = Fetcher::new(client, Cache::of_user(&environment).unwrap(), settings);
    let error = fetcher.read(&Request::go_mod(&world.module), CAP, watch(&Stop::new())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "module `example.com/a` may not come from a proxy: it matches GONOPROXY or GOPRIVATE (`example.com/*`)"
    );
    assert!(world.server.requests().is_empty());
}

#[test]
fn a_damaged_cache_is_repaired_from_the_proxy() {
    let world = World::new();
    world.zip().unwrap();
    for path in world.kept() {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, vec![0; world.zip.len()]).unwrap();
    }
    world.zip().unwrap();
    assert_eq!(world.server.count(ZIP), 2);
    world.prove_zip("off").unwrap();
}

#[test]
fn a_checksum_database_is_reached_through_the_first_proxy_that_supports_it() {
    let world = World::new();
    world.tree.put("sumdb/sum.example/supported", b"");
    world.tree.put("sumdb/sum.example/lookup/example.com/a@v1.0.0", b"1\n");
    let empty = format!("file://{}/nothing", world.directory.path().display());
    let stop = Stop::new();
    for proxy in [world.server.url(), world.tree.url()] {
        let fetcher = world.fetcher(&format!("{empty},{proxy},off"));
        let database = fetcher.database_source("sum.example".parse().unwrap());
        for path in ["/lookup/example.com/a@v1.0.0", "lookup/example.com/a@v1.0.0"] {
            assert_eq!(database.read(path, CAP, watch(&stop)).unwrap(), b"1\n");
        }
        assert!(database.read("tile/8/0/000", CAP, watch(&stop)).unwrap_err().is_not_found());
    }
    assert_eq!(world.server.count("/sumdb/sum.example/supported"), 1);
    world.server.fail("/sumdb/sum.example/supported", vec![status(500, &[]); 4]);
    let fetcher = world.fetcher(&format!("{},{}", world.server.url(), world.tree.url()));
    let database = fetcher.database_source("sum.example".parse().unwrap());
    assert!(database.read("latest", CAP, watch(&stop)).is_err(), "a comma does not go on after 500");
}

#[test]
fn many_requests_are_open_at_once() {
    let world = World::new();
    // Longer than it takes to start 64 threads on a busy machine, and well below what this client waits.
    world.server.delay(Duration::from_secs(1));
    let environment = Environment::new([("HOME", world.directory.path())], "/");
    let fetcher = Fetcher::new(
        Client::new(&environment, Patience::default()).unwrap(),
        Cache::of_user(&environment).unwrap(),
        Settings::discover(Some(&world.server.url()), &environment).unwrap(),
    );
    let stop = Stop::new();
    let answers = parallel::run(vec![(); 64], NonZeroUsize::new(64).unwrap(), &stop, |()| {
        fetcher.read(&Request::go_mod(&world.module), CAP, watch(&stop))
    });
    assert_eq!(answers.unwrap().len(), 64);
    assert_eq!(world.server.most_at_once(), 64);
}

#[test]
fn what_is_not_there_leaves_nothing_behind() {
    let world = World::new();
    world.server.fail(ZIP, [status(404, &[])]);
    assert!(world.zip().is_err());
    let partial = world.directory.path().join(".cache/goferry/partial");
    assert_eq!(std::fs::read_dir(partial).unwrap().count(), 0);
}
