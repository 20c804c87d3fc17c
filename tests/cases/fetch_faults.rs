//! Proxies that lie, break off, stall or are overloaded: bad-inputs #106–#108, #111, #112.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::goproxy_tree::module;
use e2e::scripted_server::{Fault, ScriptedServer};
use goferry::fetch::{FetchError, ProofError, Request};
use goferry::http::{HttpError, Progress, Watch};
use goferry::parallel::Stop;
use goferry_manifest::Sha256Digest;
use tempfile::TempDir;

use super::fetch_world::{CAP, MOD, World, ZIP, fetcher, http_error, kept_below, status, watch};

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
fn input_108_a_line_that_breaks_again_and_again_gets_there_while_it_makes_headway() {
    let world = World::new();
    world.server.fail(ZIP, vec![Fault::BreakOff(5000); 20]);
    world.zip().unwrap();
    assert_eq!(world.server.count(ZIP), 21);
    let world = World::new();
    world.server.fail(ZIP, vec![Fault::BreakOff(1000); 20]);
    assert!(matches!(http_error(world.zip()), HttpError::BrokenOff { received: 4000, .. }));
}

#[test]
fn input_111_a_fetch_that_broke_off_goes_on_in_the_next_run() {
    for validators in [true, false] {
        let world = World::new();
        if !validators {
            world.server.send_no_validators();
        }
        let half = world.zip.len() / 2;
        world.server.fail(ZIP, [Fault::Stall(half)]);
        let interrupt = StopAt { stop: Stop::new(), bytes: half as u64, counter: Counter::default() };
        let stopped = world.fetcher(&world.server.url()).fetch_proven(
            &Request::zip(&world.module),
            CAP,
            Watch { progress: &interrupt, stop: &interrupt.stop },
            |_| Ok::<_, Infallible>(()),
        );
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

/// Interrupts the run once so many bytes came.
struct StopAt {
    stop: Stop,
    bytes: u64,
    counter: Counter,
}

impl Progress for StopAt {
    fn received(&self, bytes: u64) {
        self.counter.received(bytes);
        if self.counter.0.load(Ordering::SeqCst) == self.bytes {
            self.stop.stop();
        }
    }

    fn dropped(&self, bytes: u64) {
        self.counter.dropped(bytes);
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
