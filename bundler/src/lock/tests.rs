use super::*;

const H1: &str = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";
const PATH: &str = "/srv/goferry.lock";
const OTHER: &str = "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=";

fn module(path: &str, version: &str) -> Module {
    Module::new(path.parse().unwrap(), version.parse().unwrap()).unwrap()
}

fn content(h1: Option<&str>) -> LockedContent {
    let locked = |h1: Option<&str>| LockedModule {
        h1: h1.map(|h1| h1.parse().unwrap()),
        go_mod: OTHER.parse().unwrap(),
        time: h1.map(|_| at("2026-01-02T03:04:05Z")),
        wanted_by: ["cli".to_owned(), "a.b/web".to_owned()].into(),
    };
    LockedContent {
        toolchains: [(("1.27.3".parse().unwrap(), "linux/amd64".parse().unwrap()), H1.parse().unwrap())]
            .into(),
        modules: [(module("a.b/d", "v1.10.0"), locked(None)), (module("a.b/d", "v1.9.0"), locked(h1))].into(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn lock() -> Lock {
    let name = "cli".parse().unwrap();
    let (lock, state) =
        Lock::reconcile(None, PATH.as_ref(), &name, content(Some(H1)), at("2026-11-24T08:15:00Z")).unwrap();
    assert_eq!((state, lock.sequence), (Reconciled::Changed, Sequence::FIRST));
    lock
}

#[test]
fn a_lock_is_sorted_text_and_survives_the_round_trip() {
    let lock = lock();
    let text = lock.to_text();
    assert_eq!(Lock::parse(&text).unwrap(), lock);
    let expected = format!(
        r#"{HEADING}name = "cli"
sequence = 1
created = "2026-11-24T08:15:00Z"

[[toolchain]]
version = "1.27.3"
platform = "linux/amd64"
h1 = "{H1}"

[[module]]
path = "a.b/d"
version = "v1.9.0"
h1 = "{H1}"
go_mod = "{OTHER}"
time = "2026-01-02T03:04:05Z"
wanted_by = ["a.b/web", "cli"]

[[module]]
path = "a.b/d"
version = "v1.10.0"
go_mod = "{OTHER}"
wanted_by = ["a.b/web", "cli"]
"#
    );
    assert_eq!(text, expected);
}

#[test]
fn a_lock_is_read_strictly() {
    let text = lock().to_text();
    let entry = format!("[[module]]{}", text.rsplit("[[module]]").next().unwrap());
    for bad in [
        format!("extra = 1\n{text}"),
        format!("{text}extra = 1\n"),
        format!("{text}\n{entry}"),
        text.replace("sequence = 1", "sequence = 0"),
        text.replace("name = \"cli\"", "name = \"../cli\""),
        text.replace("v1.9.0", "v2.0.0"),
        text.replace("h1:8", "h2:8"),
        text.replace("00Z", "00+01:00"),
        text.replace("go_mod", "gomod"),
        String::new(),
    ] {
        assert!(Lock::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn the_same_content_keeps_the_lock_and_another_one_gets_the_next_number() {
    let (old, later) = (lock(), at("2027-01-01T00:00:00Z"));
    let next = |content| Lock::reconcile(Some(&old), PATH.as_ref(), &old.name, content, later).unwrap();
    let (same, state) = next(content(Some(H1)));
    assert_eq!((same.to_text(), state), (old.to_text(), Reconciled::Unchanged));
    let mut other_time = content(Some(H1));
    other_time.modules.values_mut().for_each(|module| module.time = Some(later));
    for changed in [content(None), other_time] {
        let (next, state) = next(changed);
        assert_eq!((next.sequence.get(), next.created, state), (2, later, Reconciled::Changed));
    }
}

#[test]
fn another_bundle_does_not_go_on_with_the_lock() {
    let old = lock();
    let name = "web".parse().unwrap();
    let error =
        Lock::reconcile(Some(&old), PATH.as_ref(), &name, content(Some(H1)), old.created).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/srv/goferry.lock` is the lock of bundle `cli`, and this one would be `web`"
    );
    assert!(error.hint().is_some());
}

#[test]
fn a_lock_that_somebody_else_wrote_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    let first = lock();
    first.succeed(None, &path).unwrap();
    let error = first.succeed(None, &path).unwrap_err();
    assert!(matches!(error, LockError::ChangedMeanwhile { .. }) && error.hint().is_some());
    let second = Lock { sequence: first.sequence.next().unwrap(), ..first.clone() };
    second.succeed(Some(&first), &path).unwrap();
    assert!(first.succeed(Some(&first), &path).is_err());
    assert_eq!(Lock::read(&path).unwrap(), Some(second));
}

#[test]
fn what_differs_is_named() {
    let (old, mut new) = (content(Some(H1)), content(None));
    assert_eq!(old.differences(&old), Vec::<String>::new());
    new.modules.remove(&module("a.b/d", "v1.10.0"));
    new.modules.insert(module("a.b/e", "v1.0.0"), new.modules.values().next().unwrap().clone());
    new.toolchains.clear();
    assert_eq!(
        old.differences(&new),
        ["gone: go1.27.3 linux/amd64", "changed: a.b/d@v1.9.0", "gone: a.b/d@v1.10.0", "new: a.b/e@v1.0.0"]
    );
}

#[test]
fn a_version_that_got_other_files_is_refused() {
    let old = lock();
    let other = content(Some(OTHER));
    let error = Lock::reconcile(Some(&old), PATH.as_ref(), &old.name, other, old.created).unwrap_err();
    assert!(error.to_string().contains("(`/srv/goferry.lock`)"), "{error}");
    assert!(matches!(error, LockError::Contradiction { what, .. } if what == "a.b/d@v1.9.0"));
}

#[test]
fn the_moment_of_a_reproducible_build_goes_before_the_clock() {
    let clock = at("2026-11-24T08:15:00Z");
    let with = |value: &str| moment(&Environment::new([("SOURCE_DATE_EPOCH", value)], "/"), clock);
    assert_eq!(with(""), Ok(clock));
    assert_eq!(with("86400"), Ok(at("1970-01-02T00:00:00Z")));
    assert!(with("yesterday").is_err() && with("1e9").is_err() && with("9223372036854775807").is_err());
}

#[test]
fn a_lock_is_written_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    assert_eq!(Lock::read(&path).unwrap(), None);
    lock().write(&path).unwrap();
    lock().write(&path).unwrap();
    assert_eq!(Lock::read(&path).unwrap(), Some(lock()));
    std::fs::write(&path, "x").unwrap();
    assert!(matches!(Lock::read(&path), Err(LockError::Malformed { .. })));
}
