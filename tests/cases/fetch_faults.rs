//! Proxies that lie, break off, stall or are overloaded (bad-inputs #106–#108, #111, #112), and which of several
//! proxies is asked.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::goproxy_tree::{GoProxyTree, module};
use e2e::scripted_server::{Fault, ScriptedServer};
use goferry::cache::{Blob, Cache};
use goferry::environment::Environment;
use goferry::fetch::{FetchError, Fetcher, ProofError, Request};
use goferry::http::{Client, HttpError, Patience, Progress, Silent, Watch};
use goferry::parallel::{self, Stop};
use goferry::proxy_list::Settings;
use goferry_manifest::{Module, Sha256Digest};
use tempfile::TempDir;

const ZIP: &str = "/example.com/a/@v/v1.0.0.zip";
const MOD: &str = "/example.com/a/@v/v1.0.0.mod";
const CAP: u64 = 1 << 20;

/// A proxy with one module, a server before it, and a cache.
struct World {
    directory: TempDir,
    tree: GoProxyTree,
    server: ScriptedServer,
    module: Module,
    zip: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("expected {expected}, actual {actual}")]
struct WrongDigest {
    expected: Sha256Digest,
    actual: Sha256Digest,
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut tree = GoProxyTree::new(directory.path().join("proxy"));
        // Does not compress, so that the zip is long enough to break in many places.
        let noise: Vec<u8> =
            (0..4000_u32).flat_map(|n| Sha256Digest::of(&n.to_le_bytes()).as_bytes().to_owned()).collect();
        let module = tree.add("example.com/a", "v1.0.0", &[("a.go", b"package a\n"), ("noise", &noise)]);
        let zip = tree.read(&ZIP[1..]);
        let server = ScriptedServer::serve(tree.root());
        Self { directory, tree, server, module, zip }
    }

    fn fetcher(&self, goproxy: &str) -> Fetcher {
        fetcher(self.directory.path(), goproxy)
    }

    /// Fetches the zip through the server and accepts only the right one.
    fn zip(&self) -> Result<Blob, ProofError<WrongDigest>> {
        self.prove_zip(&self.server.url())
    }

    fn prove_zip(&self, goproxy: &str) -> Result<Blob, ProofError<WrongDigest>> {
        let expected = Sha256Digest::of(&self.zip);
        let (blob, ()) = self.fetcher(goproxy).fetch_proven(
            &Request::zip(&self.module),
            CAP,
            watch(&Stop::new()),
            |zip| match zip.digest() {
                actual if actual == expected => Ok(()),
                actual => Err(WrongDigest { expected, actual }),
            },
        )?;
        Ok(blob)
    }

    fn go_mod(&self, goproxy: &str) -> Result<Vec<u8>, FetchError> {
        self.fetcher(goproxy).read(&Request::go_mod(&self.module), CAP, watch(&Stop::new()))
    }

    /// All files of the cache that have a final name.
    fn kept(&self) -> Vec<PathBuf> {
        kept_below(&self.directory.path().join(".cache/goferry"))
    }
}

fn fetcher(home: &Path, goproxy: &str) -> Fetcher {
    let environment = Environment::new([("HOME", home)], "/");
    let patience = Patience {
        silence: Duration::from_millis(300),
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(200),
        ..Patience::default()
    };
    Fetcher::new(
        Client::new(&environment, patience).unwrap(),
        Cache::of_user(&environment).unwrap(),
        Settings::discover(Some(goproxy), &environment).unwrap(),
    )
}

fn kept_below(cache: &Path) -> Vec<PathBuf> {
    let files = ["blobs", "requests"].map(|part| walkdir::WalkDir::new(cache.join(part)));
    let files = files.into_iter().flatten().map(|entry| entry.unwrap());
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

fn watch(stop: &Stop) -> Watch<'_> {
    Watch { progress: &Silent, stop }
}

fn status(status: u16, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Fault::Status(status, headers.collect(), "because".to_owned())
}

fn http_error<T: std::fmt::Debug>(result: Result<T, ProofError<WrongDigest>>) -> HttpError {
    match result {
        Err(ProofError::Fetch(FetchError::Http(error))) => error,
        other => panic!("not an HTTP error: {other:?}"),
    }
}

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
fn input_106_another_body_on_retry_replaces_the_first_part() {
    let world = World::new();
    let mut other = world.zip.clone();
    other[10] ^= 1;
    world.server.fail(ZIP, [Fault::Body(other.clone())]);
    assert!(matches!(world.zip(), Err(ProofError::Proof(_))), "wrong and complete");
    assert_eq!(world.kept(), [""; 0].map(PathBuf::from));
    world.tree.put(&ZIP[1..], &other);
    world.server.fail(ZIP, [Fault::BreakOff(5000), Fault::Body(world.zip.clone())]);
    assert_eq!(world.zip().unwrap().digest(), Sha256Digest::of(&world.zip));
    let last = world.server.requests().pop().unwrap();
    assert_eq!(last.headers["if-range"], format!("\"{}\"", Sha256Digest::of(&other)));
}

#[test]
fn input_106_parts_of_two_bodies_under_one_etag_are_refused_and_fetched_anew() {
    let world = World::new();
    let etag = format!("\"{}\"", Sha256Digest::of(&world.zip));
    let length = world.zip.len();
    let range = format!("bytes 5000-{}/{length}", length - 1);
    let wrong = vec![0; length - 5000];
    let lie = Fault::Partial { range, etag, bytes: wrong };
    world.server.fail(ZIP, [Fault::BreakOff(5000), lie, Fault::None]);
    assert_eq!(world.zip().unwrap().digest(), Sha256Digest::of(&world.zip));
    let last = world.server.requests().pop().unwrap();
    assert!(!last.headers.contains_key("range"), "the third request is for all of it");
}

#[test]
fn input_106_a_partial_answer_that_contradicts_the_first_is_not_joined() {
    for (range, etag) in [("bytes 4999-5998/5999", "\"a\""), ("bytes 5000-5999/6000", "\"b\"")] {
        let world = World::new();
        let lie = Fault::Partial { range: range.into(), etag: etag.into(), bytes: vec![0; 1000] };
        world.server.fail(ZIP, [Fault::BreakOff(5000), lie, Fault::None]);
        assert_eq!(world.zip().unwrap().digest(), Sha256Digest::of(&world.zip));
        assert_eq!(world.server.count(ZIP), 3);
    }
}

#[test]
fn input_107_a_shorter_body_than_announced_is_not_taken() {
    let world = World::new();
    world.server.fail(MOD, vec![Fault::BreakOff(3); 4]);
    let error = world.go_mod(&world.server.url()).unwrap_err();
    let FetchError::Http(HttpError::BrokenOff { received: 3, expected: Some(21), .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(world.server.count(MOD), 4);
    assert_eq!(world.go_mod(&world.server.url()).unwrap(), b"module example.com/a\n");
}

#[test]
fn input_107_surplus_bytes_do_not_get_into_this_answer_or_the_next() {
    let world = World::new();
    let surplus = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil".to_vec();
    world.server.fail(MOD, [Fault::Surplus(surplus)]);
    let fetcher = world.fetcher(&world.server.url());
    for _ in 0..3 {
        let answer = fetcher.read(&Request::go_mod(&world.module), CAP, watch(&Stop::new()));
        assert_eq!(answer.unwrap(), b"module example.com/a\n");
    }
}

#[test]
fn input_107_a_transport_encoding_that_was_not_asked_for_is_refused() {
    let world = World::new();
    world.server.fail(ZIP, [Fault::Header("content-encoding".into(), "gzip".into())]);
    assert!(matches!(http_error(world.zip()), HttpError::Encoded { encoding, .. } if encoding == "gzip"));
    assert_eq!(world.server.count(ZIP), 1, "it would come again the same way");
}

#[test]
fn input_107_a_body_over_the_cap_is_refused_before_it_is_read() {
    let world = World::new();
    let fetcher = world.fetcher(&world.server.url());
    let error = fetcher.read(&Request::go_mod(&world.module), 20, watch(&Stop::new())).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::TooLarge { cap: 20, .. })), "{error:?}");
    let fetcher = world.fetcher(&world.tree.url());
    let error = fetcher.read(&Request::go_mod(&world.module), 20, watch(&Stop::new())).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { cap: 20, .. }), "{error:?}");
}

#[test]
fn input_107_redirects_are_followed_but_not_for_ever() {
    let world = World::new();
    let elsewhere = ScriptedServer::serve(world.tree.root());
    let to = format!("{}{ZIP}", elsewhere.url());
    world.server.fail(ZIP, [status(302, &[("location", &to)])]);
    world.zip().unwrap();
    assert_eq!(elsewhere.count(ZIP), 1);
    let world = World::new();
    world.server.fail(ZIP, vec![status(302, &[("location", ZIP)]); 20]);
    assert!(matches!(http_error(world.zip()), HttpError::Transport { .. }));
    assert_eq!(world.server.count(ZIP), 11);
}

#[test]
fn input_108_an_overloaded_server_is_asked_again_when_it_says() {
    let world = World::new();
    world.server.fail(ZIP, [status(429, &[("retry-after", "3600")]), status(503, &[]), status(500, &[])]);
    let started = Instant::now();
    world.zip().unwrap();
    assert_eq!(world.server.count(ZIP), 4);
    assert!(started.elapsed() >= Duration::from_millis(200), "Retry-After, cut to the longest pause");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn input_108_after_the_last_try_the_error_names_status_and_reason() {
    let world = World::new();
    world.server.fail(ZIP, vec![status(503, &[]); 4]);
    let error = http_error(world.zip()).to_string();
    let expected = format!("`{}{ZIP}` was refused with 503 Service Unavailable: because", world.server.url());
    assert_eq!(error, expected);
    assert_eq!(world.server.count(ZIP), 4);
    world.server.fail(ZIP, [status(403, &[])]);
    assert!(matches!(http_error(world.zip()), HttpError::Status { .. }));
    assert_eq!(world.server.count(ZIP), 5, "403 is no passing trouble");
}

#[test]
fn input_108_a_stall_at_99_percent_is_noticed_and_the_rest_is_fetched() {
    let world = World::new();
    let most = world.zip.len() * 99 / 100;
    world.server.fail(ZIP, [Fault::Stall(most)]);
    let started = Instant::now();
    world.zip().unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));
    let last = world.server.requests().pop().unwrap();
    assert_eq!(last.headers["range"], format!("bytes={most}-"));
}

#[test]
fn input_108_a_stall_in_every_try_is_an_error_that_says_so() {
    let world = World::new();
    world.server.fail(MOD, vec![Fault::Stall(7); 4]);
    let error = world.go_mod(&world.server.url()).unwrap_err().to_string();
    assert!(error.ends_with("stalled: nothing came for 0.3 s after 7 bytes of 21"), "{error}");
}

#[test]
fn input_111_a_fetch_that_broke_off_goes_on_in_the_next_run() {
    for validators in [true, false] {
        let world = World::new();
        if !validators {
            world.server.send_no_validators();
        }
        let (stop, half) = (Stop::new(), world.zip.len() / 2);
        world.server.fail(ZIP, [Fault::Stall(half)]);
        let fetcher = world.fetcher(&world.server.url());
        let stopped = std::thread::scope(|scope| {
            let request = Request::zip(&world.module);
            let watch = watch(&stop);
            let running =
                scope.spawn(move || fetcher.fetch_proven(&request, CAP, watch, |_| Ok::<_, Infallible>(())));
            while world.server.count(ZIP) == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(50)); // some of the first half shall be there
            stop.stop();
            running.join().unwrap()
        });
        assert!(matches!(stopped, Err(ProofError::Fetch(FetchError::Http(HttpError::Stopped { .. })))));
        assert!(world.kept().is_empty());
        let progress = Counter::default();
        let (blob, ()) = world
            .fetcher(&world.server.url())
            .fetch_proven(
                &Request::zip(&world.module),
                CAP,
                Watch { progress: &progress, stop: &Stop::new() },
                |_| Ok::<_, Infallible>(()),
            )
            .unwrap();
        assert_eq!(blob.digest(), Sha256Digest::of(&world.zip));
        assert_eq!(progress.0.into_inner(), world.zip.len() as u64);
        let last = world.server.requests().pop().unwrap();
        assert_eq!(last.headers["range"], format!("bytes={half}-"));
        assert_eq!(last.headers.contains_key("if-range"), validators);
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Progress for Counter {
    fn received(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }

    fn dropped(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::SeqCst);
    }
}

#[test]
fn progress_counts_each_byte_once_however_often_it_came() {
    let world = World::new();
    world.server.fail(ZIP, [Fault::BreakOff(5000), Fault::Body(vec![1; 100]), Fault::None]);
    world.server.fail(MOD, [Fault::BreakOff(3), Fault::None]);
    let (progress, stop) = (Counter::default(), Stop::new());
    let (fetcher, watch) = (world.fetcher(&world.server.url()), Watch { progress: &progress, stop: &stop });
    let right = |zip: &goferry::fetch::Fetched| match zip.size() {
        100 => Err(io_error()),
        _ => Ok(()),
    };
    assert!(fetcher.fetch_proven(&Request::zip(&world.module), CAP, watch, right).is_err());
    assert_eq!(progress.0.swap(0, Ordering::SeqCst), 100);
    fetcher.fetch_proven(&Request::zip(&world.module), CAP, watch, right).unwrap();
    assert_eq!(progress.0.swap(0, Ordering::SeqCst), world.zip.len() as u64);
    fetcher.read(&Request::go_mod(&world.module), CAP, watch).unwrap();
    assert_eq!(progress.0.into_inner(), 21);
}

fn io_error() -> std::io::Error {
    std::io::Error::other("refused")
}

/// Runs again in a child that may write no file longer than the limit of the shell that starts it.
#[test]
fn input_112_a_full_disk_leaves_no_file_with_a_final_name() {
    const CHILD: &str = "GOFERRY_TEST_FULL_DISK";
    if let Ok(goproxy) = std::env::var(CHILD) {
        let home = TempDir::new().unwrap();
        let fetcher = fetcher(home.path(), &goproxy);
        let module = module("example.com/a", "v1.0.0");
        for request in [Request::zip(&module), Request::info(&module), Request::go_mod(&module)] {
            let result =
                fetcher.fetch_proven(&request, CAP, watch(&Stop::new()), |_| Ok::<_, Infallible>(()));
            match result {
                Err(ProofError::Fetch(FetchError::Http(HttpError::Store { .. }) | FetchError::Cache(_))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept_below(&home.path().join(".cache/goferry")), [""; 0].map(PathBuf::from));
        return;
    }
    let name = "cases::fetch_faults::input_112_a_full_disk_leaves_no_file_with_a_final_name";
    let world = World::new();
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact \"$1\" --nocapture";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(CHILD, world.server.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
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
    world.server.delay(Duration::from_millis(100));
    let fetcher = world.fetcher(&world.server.url());
    let stop = Stop::new();
    let answers = parallel::run(vec![(); 64], NonZeroUsize::new(64).unwrap(), &stop, |()| {
        fetcher.read(&Request::go_mod(&world.module), CAP, watch(&stop))
    });
    assert_eq!(answers.unwrap().len(), 64);
    assert!(world.server.most_at_once() > 16, "{}", world.server.most_at_once());
}
