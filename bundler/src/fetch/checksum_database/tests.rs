use std::path::Path;
use std::sync::Mutex;

use goferry_manifest::checksum_database::SUM_GOLANG_ORG;
use tempfile::TempDir;

use super::*;

/// What `sum.golang.org` served.
macro_rules! served {
    ($($path:literal),*) => {
        [$(($path, include_bytes!(concat!("../../../../fixtures/checksum-database/", $path)).as_slice())),*]
    };
}

const SERVED: [(&str, &[u8]); 12] = served![
    "latest",
    "lookup/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64",
    "lookup/golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64",
    "tile/8/0/x241/187",
    "tile/8/0/x271/398",
    "tile/8/0/x281/247.p/52",
    "tile/8/1/942",
    "tile/8/1/x001/060",
    "tile/8/1/x001/098.p/159",
    "tile/8/2/003",
    "tile/8/2/004.p/74",
    "tile/8/3/000.p/4"
];
const LOOKUP: &str = "lookup/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64";
const FULL_TILES: [&str; 5] =
    ["tile/8/0/x241/187", "tile/8/0/x271/398", "tile/8/1/942", "tile/8/1/x001/060", "tile/8/2/003"];

/// A source with some of its files changed or gone, which remembers what was asked.
struct Source {
    files: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
    /// Not served, and not said to be missing either.
    failing: Option<&'static str>,
}

impl DatabaseFiles for &Source {
    fn read(&self, path: &str, _: u64) -> Result<Vec<u8>, SourceError> {
        self.asked.lock().unwrap().push(path.to_owned());
        if self.failing == Some(path) {
            return Err(SourceError::Failed("refused with 500".into()));
        }
        self.files.get(path).cloned().ok_or(SourceError::NotFound)
    }
}

fn source() -> Source {
    let files = SERVED.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
    Source { files, asked: Mutex::default(), failing: None }
}

impl Source {
    fn change(mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(self.files.get_mut(path).unwrap());
        self
    }

    fn without(mut self, path: &str) -> Self {
        self.files.remove(path).unwrap();
        self
    }

    fn prove(&self, cache: &Path) -> Result<Proven, ProveError> {
        let database = ChecksumDatabase::new(SUM_GOLANG_ORG.parse().unwrap(), self, cache);
        database.prove(&[toolchain("1.27.3"), toolchain("1.26.8")], &Stop::new())
    }

    fn error(&self) -> ProveError {
        let cache = TempDir::new().unwrap();
        let error = self.prove(cache.path()).unwrap_err();
        for (path, content) in SERVED {
            let kept = fs_err::read(cache.path().join("sum.golang.org").join(path));
            assert!(kept.is_err() || kept.unwrap() == content, "an unproven tile was kept: {path}");
        }
        error
    }

    fn asked_tiles(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().filter(|path| path.starts_with("tile/")).collect()
    }
}

fn toolchain(release: &str) -> Module {
    let version = format!("v0.0.1-go{release}.linux-amd64");
    Module::new("golang.org/toolchain".parse().unwrap(), version.parse().unwrap()).unwrap()
}

/// Changes a letter of the signature to another one of base64.
fn replace_letter(note: &mut [u8]) {
    let letter = note.iter_mut().nth_back(20).unwrap();
    *letter = if *letter == b'A' { b'B' } else { b'A' };
}

/// The message and all its causes.
fn chain(error: &ProveError) -> String {
    let mut text = error.to_string();
    let mut cause = error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn the_toolchains_are_proven_and_full_tiles_are_kept() {
    let (source, cache) = (source(), TempDir::new().unwrap());
    let proven = source.prove(cache.path()).unwrap();
    assert_eq!(proven.head.size(), 71_999_284);
    assert_eq!(proven.note.as_bytes(), SERVED[0].1);
    let hashes: Vec<_> = ["1.27.3", "1.26.8"]
        .into_iter()
        .zip(&proven.records)
        .map(|(release, record)| record.h1_of(&toolchain(release)).unwrap().to_string())
        .collect();
    assert_eq!(
        hashes,
        [
            "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=",
            "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="
        ]
    );
    assert_eq!(source.asked_tiles().len(), 9);
    for path in FULL_TILES {
        assert_eq!(fs_err::read(cache.path().join("sum.golang.org").join(path)).unwrap(), source.files[path]);
    }

    source.prove(cache.path()).unwrap();
    let asked = source.asked_tiles();
    assert!(asked.len() == 4 && asked.iter().all(|path| path.contains(".p/")), "{asked:?}");
}

#[test]
fn the_head_is_asked_for_once_and_after_the_look_ups() {
    let (source, cache) = (source(), TempDir::new().unwrap());
    source.prove(cache.path()).unwrap();
    let asked = source.asked.lock().unwrap();
    assert!(asked[0].starts_with("lookup/") && asked[1].starts_with("lookup/"));
    assert_eq!(asked.iter().position(|path| path == "latest"), Some(2));
    assert_eq!(asked.iter().filter(|path| *path == "latest").count(), 1);
}

#[test]
fn a_damaged_cache_is_repaired_and_not_called_an_attack() {
    let (source, cache) = (source(), TempDir::new().unwrap());
    source.prove(cache.path()).unwrap();
    let path = cache.path().join("sum.golang.org").join(FULL_TILES[0]);
    for damaged in [vec![], vec![7; 8192], source.files[FULL_TILES[0]][..100].to_vec()] {
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, damaged).unwrap();
        assert_eq!(source.prove(cache.path()).unwrap().records.len(), 2);
        assert_eq!(fs_err::read(&path).unwrap(), source.files[FULL_TILES[0]]);
    }
}

#[test]
fn a_partial_tile_that_the_log_has_filled_is_cut_from_the_full_one() {
    let partial = "tile/8/0/x281/247.p/52";
    let mut source = source();
    let mut full = source.files.remove(partial).unwrap();
    full.resize(8192, 0xaa); // only its beginning is known to be right, so only that may be used
    source.files.insert("tile/8/0/x281/247".to_owned(), full);
    let cache = TempDir::new().unwrap();
    assert_eq!(source.prove(cache.path()).unwrap().records.len(), 2);
    assert!(!cache.path().join("sum.golang.org/tile/8/0/x281/247").exists());
}

#[test]
fn a_tile_that_was_tampered_with_is_a_security_error() {
    for (path, _) in &SERVED[3..] {
        let error = source().change(path, |tile| tile[17] ^= 4).error();
        assert!(error.is_security(), "{error}");
        assert!(chain(&error).contains("does not prove its tiles: security: inconsistent tile"), "{error}");
    }
}

#[test]
fn a_tile_that_is_cut_off_or_gone_is_named() {
    for (path, _) in &SERVED[3..] {
        let error = source().change(path, |tile| tile.truncate(96)).error();
        assert!(!error.is_security());
        assert!(chain(&error).contains(&format!("`{path}` has 96 bytes instead of")), "{}", chain(&error));
        let error = chain(&source().without(path).error());
        assert_eq!(
            error,
            format!("failed to read `{path}` of checksum database `sum.golang.org`: not found")
        );
    }
}

#[test]
fn a_head_that_the_key_did_not_sign_is_a_security_error() {
    for path in [LOOKUP, "latest"] {
        let error = source().change(path, |file| replace_letter(file)).error();
        assert!(error.is_security(), "{error}");
        assert_eq!(
            chain(&error),
            format!(
                "the head in `{path}` of checksum database `sum.golang.org` cannot be trusted: \
                 security: wrong signature by key `sum.golang.org+033de0ae`"
            )
        );
    }
    let key = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
    let (source, cache) = (source(), TempDir::new().unwrap());
    let other = ChecksumDatabase::new(key.parse().unwrap(), &source, cache.path());
    let error = other.prove(&[toolchain("1.27.3")], &Stop::new()).unwrap_err();
    assert!(matches!(error, ProveError::Signature { source: SignatureError::Missing { .. }, .. }));
}

#[test]
fn a_record_that_was_tampered_with_is_a_security_error() {
    let replaced = |from: &str, to: &str| {
        let changed = |file: &mut Vec<u8>| {
            let text = std::str::from_utf8(file).unwrap().replacen(from, to, 1);
            *file = text.into_bytes();
        };
        source().change(LOOKUP, changed).error()
    };
    for (from, to) in [("h1:r0ub", "h1:r1ub"), ("go1.27.3", "go1.27.4"), ("69478030\n", "69478031\n")] {
        let error = replaced(from, to);
        assert!(error.is_security(), "{}", chain(&error));
        assert!(chain(&error).contains("does not prove `golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64`"));
    }
    let error = replaced("69478030\n", "71999284\n");
    assert!(chain(&error).ends_with("record 71999284 is not in the tree of 71999284 records"));
    let error = replaced("69478030\n", "sixty\n");
    assert!(matches!(error, ProveError::Lookup { .. }), "{}", chain(&error));
}

#[test]
fn the_record_of_another_module_is_refused_even_if_it_is_in_the_log() {
    let mut source = source();
    let other = source.files["lookup/golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"].clone();
    source.files.insert(LOOKUP.to_owned(), other);
    let error = source.error();
    assert!(error.is_security());
    assert!(chain(&error).ends_with("it is about `golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64`"));
}

#[test]
fn a_module_that_the_database_does_not_have_is_named() {
    let error = source().without(LOOKUP).error();
    assert_eq!(
        chain(&error),
        format!("failed to read `{LOOKUP}` of checksum database `sum.golang.org`: not found")
    );
}

#[test]
fn without_latest_the_newest_head_of_the_look_ups_is_used() {
    // whose own partial tiles the fixture does not have
    for source in [source().without("latest"), Source { failing: Some("latest"), ..source() }] {
        let error = chain(&source.error());
        assert!(error.contains("`tile/8/") && error.contains(".p/"), "{error}");
    }
}

#[test]
fn only_a_module_that_the_database_does_not_know_may_be_a_private_one() {
    let private = |path: &str| ProveError::Read {
        database: "sum.golang.org".to_owned(),
        path: path.to_owned(),
        source: SourceError::NotFound,
    };
    assert!(private("lookup/corp.example/m@v1.0.0").hint().unwrap().contains("GONOSUMDB"));
    for error in
        [private(LOOKUP), private("tile/8/0/x241/187"), source().change("latest", Vec::clear).error()]
    {
        assert_eq!(error.hint(), None, "{error}");
    }
    let error = source().change("latest", |file| replace_letter(file)).error();
    assert!(error.hint().unwrap().contains("do not work around it"), "{error}");
}
