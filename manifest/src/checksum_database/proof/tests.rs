use super::super::test_log::TestLog;
use super::super::tree::MAX_TREE_SIZE;
use super::super::{
    SUM_GOLANG_ORG, SignedNote, VerifierKey, record_hash, tiles_for_older_head, tiles_for_record,
};
use super::*;

type Tiles = BTreeMap<Tile, Vec<u8>>;

/// A log whose record 300 is a module; the other records are numbers.
fn log(size: u64) -> (TestLog, Module) {
    let mut log = TestLog::new("db.example", 1);
    for number in 0..300.min(size) {
        log.add_hash(record_hash(&number.to_be_bytes()));
    }
    let module = log.add("a.b/c", "v1.2.3");
    while log.size() < size {
        log.add_hash(record_hash(&log.size().to_be_bytes()));
    }
    (log, module)
}

fn check<'a>(head: &TreeHead, tiles: &'a Tiles) -> Result<AuthenticTiles<'a>, ProofError> {
    AuthenticTiles::check(head, tiles.keys().copied(), |tile| tiles.get(tile).map(Vec::as_slice))
}

fn lookup(log: &TestLog) -> Lookup {
    Lookup::parse(&log.lookup(300, log.size())).unwrap()
}

/// Whether the tiles for record `id` are enough for its hash, and for no other that they should not give.
fn hash_is_found(log: &TestLog, id: u64, size: u64) {
    let tiles = log.tiles(tiles_for_record(id, size));
    let checked = check(&log.head(size), &tiles).unwrap();
    let expected = if id == 300 { lookup(log).record_hash() } else { record_hash(&id.to_be_bytes()) };
    assert_eq!(checked.hash_of(Node { level: 0, index: id }), Ok(Some(expected)), "{id} of {size}");
}

/// A generator of numbers that look random and are the same at each run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn every_record_is_proven_in_every_tree_around_powers_of_256() {
    let (log, _) = log(131_073);
    let mut random = numbers();
    for size in (1..=4)
        .chain(254..=258)
        .chain(509..=515)
        .chain([3 * 256, 255 * 256, 255 * 256 + 255])
        .chain(65_530..=65_542)
        .chain([65_536 + 255, 65_536 + 256, 65_536 + 257, 131_071, 131_072, 131_073])
    {
        for id in [0, size / 2, size - 1, size & !255, 300, random(size), random(size)] {
            if id < size {
                hash_is_found(&log, id, size);
            }
        }
    }
}

#[test]
fn random_records_are_proven_in_random_trees() {
    let (log, _) = log(70_000);
    let mut random = numbers();
    for _ in 0..300 {
        let size = 1 + random(70_000);
        hash_is_found(&log, random(size), size);
    }
}

#[test]
fn an_older_head_is_proven_to_be_the_past_and_a_forked_one_is_not() {
    let (log, _) = log(66_000);
    let mut forked = TestLog::new("db.example", 1);
    for number in 0..66_000_u64 {
        let other = if number == 0 { u64::MAX } else { number };
        forked.add_hash(record_hash(&other.to_be_bytes()));
    }
    let mut random = numbers();
    let mut pairs = vec![(0, 66_000), (1, 1), (255, 256), (256, 257), (256, 65_536), (65_536, 65_537)];
    pairs.extend((0..100).map(|_| (random(66_000), 1 + random(66_000))).map(|(a, b)| (a.min(b), a.max(b))));
    for (older, newer) in pairs {
        let tiles = log.tiles(tiles_for_older_head(older, newer));
        let checked = check(&log.head(newer), &tiles).unwrap();
        assert_eq!(checked.prove_extends(&log.head(older)), Ok(()), "{older} {newer}");
        if older > 0 {
            let fork = checked.prove_extends(&forked.head(older));
            assert!(matches!(fork, Err(Fork::Proven { .. })), "{older} {newer}: {fork:?}");
        }
    }
}

#[test]
fn heads_that_the_tiles_do_not_connect_are_not_called_a_fork() {
    let (log, _) = log(66_000);
    let tiles = log.tiles(tiles_for_record(65_999, 66_000));
    let checked = check(&log.head(66_000), &tiles).unwrap();
    let edge: Tile = "tile/8/1/000".parse().unwrap();
    let missing = ProofError::TileMissing { tile: edge };
    assert_eq!(
        checked.prove_extends(&log.head(700)),
        Err(Fork::Unknown { older: 700, newer: 66_000, source: missing })
    );
    let tiles = log.tiles(tiles_for_record(1, 1000));
    let newer_than = check(&log.head(1000), &tiles).unwrap().prove_extends(&log.head(1001));
    let source = ProofError::RecordNotInTree { id: 1000, tree_size: 1000 };
    assert_eq!(newer_than, Err(Fork::Unknown { older: 1001, newer: 1000, source }));
}

#[test]
fn a_proven_record_says_what_the_log_says() {
    let (log, module) = log(1000);
    let tiles = log.tiles(tiles_for_record(300, 1000));
    let record = check(&log.head(1000), &tiles).unwrap().prove(&lookup(&log), &module).unwrap();
    assert_eq!((record.id(), record.tree_size(), record.module()), (300, 1000, &module));
    assert!(record.h1_of(&module).is_some() && record.go_mod_h1_of(&module).is_some());
}

#[test]
fn every_changed_bit_of_a_tile_is_noticed() {
    // bad-inputs "Checksum-database proof"
    let (log, _) = log(66_000);
    let head = log.head(66_000);
    let tiles = log.tiles(tiles_for_record(300, 66_000));
    let mut random = numbers();
    for (tile, content) in &tiles {
        let bits = content.len() as u64 * 8;
        for bit in [0, bits - 1].into_iter().chain((0..20).map(|_| random(bits))) {
            let bit = usize::try_from(bit).unwrap();
            let mut changed = tiles.clone();
            changed.get_mut(tile).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let error = check(&head, &changed).unwrap_err();
            assert!(error.is_security());
            match error {
                ProofError::HeadMismatch { .. } => assert!(!tile.is_full()),
                ProofError::TileMismatch { tile: named, .. } => assert_eq!(named, *tile),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn short_long_and_missing_tiles_are_refused() {
    // bad-inputs "Checksum-database proof"
    let (log, _) = log(66_000);
    let head = log.head(66_000);
    let tiles = log.tiles(tiles_for_record(300, 66_000));
    for (tile, content) in &tiles {
        for actual in [0, content.len() - 32, content.len() - 1, content.len() + 1, content.len() + 32] {
            let mut changed = tiles.clone();
            changed.get_mut(tile).unwrap().resize(actual, 0);
            let expected = content.len();
            assert_eq!(
                check(&head, &changed).unwrap_err(),
                ProofError::TileLength { tile: *tile, expected, actual }
            );
        }
        let without = AuthenticTiles::check(&head, tiles.keys().copied(), |asked| {
            tiles.get(asked).filter(|_| asked != tile).map(Vec::as_slice)
        });
        assert_eq!(without.unwrap_err(), ProofError::TileMissing { tile: *tile });
    }
}

#[test]
fn what_is_above_a_wanted_tile_is_checked_without_being_asked_for() {
    let (log, _) = log(66_000);
    let all = log.tiles(tiles_for_record(300, 66_000));
    let wanted: Tile = "tile/8/0/001".parse().unwrap();
    let read = |tile: &Tile| all.get(tile).map(Vec::as_slice);
    let checked = AuthenticTiles::check(&log.head(66_000), [wanted], read).unwrap();
    assert_eq!(
        checked.iter().map(|(tile, _)| *tile).collect::<Vec<_>>(),
        all.keys().copied().collect::<Vec<_>>()
    );
}

#[test]
fn tiles_of_another_tree_are_refused() {
    let (log, _) = log(1000);
    let tiles = log.tiles(tiles_for_record(300, 900));
    assert!(matches!(check(&log.head(1000), &tiles), Err(ProofError::TileNotInTree { .. })));
    let mut other = TestLog::new("db.example", 1);
    for number in 0..1000_u64 {
        other.add_hash(record_hash(&(number + 1).to_be_bytes()));
    }
    let tiles = log.tiles(tiles_for_record(300, 1000));
    assert!(matches!(check(&other.head(1000), &tiles), Err(ProofError::HeadMismatch { .. })));
}

#[test]
fn a_look_up_with_another_number_text_or_module_is_refused() {
    // bad-inputs "Checksum-database proof"
    let (log, module) = log(1000);
    let tiles = log.tiles(tiles_for_record(300, 1000));
    let checked = check(&log.head(1000), &tiles).unwrap();
    let good = String::from_utf8(log.lookup(300, 1000)).unwrap();
    let prove = |text: &str, module: &Module| checked.prove(&Lookup::parse(text.as_bytes()).unwrap(), module);
    assert!(prove(&good, &module).is_ok());
    for (from, to) in [("a.b/c v1", "a.b/d v1"), ("v1.2.3", "v1.2.4"), ("h1:", "h1:A"), ("300\n", "301\n")] {
        let error = prove(&good.replacen(from, to, 1), &module).unwrap_err();
        assert!(matches!(error, ProofError::RecordMismatch { .. }), "{error}");
        assert!(error.is_security());
    }
    for id in ["1000", "9223372036854775807"] {
        let error = prove(&good.replacen("300\n", &format!("{id}\n"), 1), &module).unwrap_err();
        assert!(matches!(error, ProofError::RecordNotInTree { .. }), "{error}");
    }
    let elsewhere = prove(&good.replacen("300\n", "0\n", 1), &module).unwrap_err();
    assert_eq!(elsewhere, ProofError::TileMissing { tile: "tile/8/0/000".parse().unwrap() });
    let other = Module::new("a.b/c".parse().unwrap(), "v1.2.4".parse().unwrap()).unwrap();
    let error = prove(&good, &other).unwrap_err();
    assert!(matches!(error, ProofError::Record { source: RecordError::OtherModule { .. }, .. }), "{error}");
}

#[test]
fn a_head_of_an_empty_or_of_the_largest_tree_is_no_reason_to_panic() {
    let log = TestLog::new("db.example", 1);
    let empty = Tiles::new();
    let checked = check(&log.head(0), &empty).unwrap();
    assert_eq!(checked.iter().count(), 0);
    let root = "q5+IcsQ9SCXC+pYmNIRIRUbPnH/iVuVw/N2fPtPImqw=";
    let note = log.note_of(&format!("go.sum database tree\n{MAX_TREE_SIZE}\n{root}\n"));
    let head = TreeHead::from_note(&note.verify(&log.key()).unwrap()).unwrap();
    let zeros = vec![0; super::super::TILE_BYTES];
    let wanted = tiles_for_record(MAX_TREE_SIZE - 1, MAX_TREE_SIZE);
    let result = AuthenticTiles::check(&head, wanted, |tile| Some(&zeros[..tile.bytes()]));
    assert!(matches!(result, Err(ProofError::HeadMismatch { .. })));
}

/// What `sum.golang.org` served.
macro_rules! served {
    ($path:literal) => {
        include_bytes!(concat!("../../../../fixtures/checksum-database/", $path)).as_slice()
    };
}

const SERVED_TILES: [(&str, &[u8]); 9] = [
    ("tile/8/0/x241/187", served!("tile/8/0/x241/187")),
    ("tile/8/0/x271/398", served!("tile/8/0/x271/398")),
    ("tile/8/0/x281/247.p/52", served!("tile/8/0/x281/247.p/52")),
    ("tile/8/1/942", served!("tile/8/1/942")),
    ("tile/8/1/x001/060", served!("tile/8/1/x001/060")),
    ("tile/8/1/x001/098.p/159", served!("tile/8/1/x001/098.p/159")),
    ("tile/8/2/003", served!("tile/8/2/003")),
    ("tile/8/2/004.p/74", served!("tile/8/2/004.p/74")),
    ("tile/8/3/000.p/4", served!("tile/8/3/000.p/4")),
];

#[test]
fn the_toolchains_are_in_the_public_log() {
    let key: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    let latest = SignedNote::parse(served!("latest")).unwrap();
    let head = TreeHead::from_note(&latest.verify(&key).unwrap()).unwrap();
    let tiles: Tiles =
        SERVED_TILES.iter().map(|(path, bytes)| (path.parse().unwrap(), bytes.to_vec())).collect();
    let needed: BTreeSet<_> =
        [69_478_030, 61_743_986].into_iter().flat_map(|id| tiles_for_record(id, head.size())).collect();
    assert!(needed.iter().eq(tiles.keys()));
    let checked = check(&head, &tiles).unwrap();
    let cases = [
        (
            "v0.0.1-go1.27.3.linux-amd64",
            69_478_030,
            "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=",
            served!("lookup/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64"),
        ),
        (
            "v0.0.1-go1.26.8.linux-amd64",
            61_743_986,
            "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
            served!("lookup/golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"),
        ),
    ];
    for (version, id, h1, answer) in cases {
        let module = Module::new("golang.org/toolchain".parse().unwrap(), version.parse().unwrap()).unwrap();
        let lookup = Lookup::parse(answer).unwrap();
        lookup.note().verify(&key).unwrap();
        let record = checked.prove(&lookup, &module).unwrap();
        assert_eq!((record.id(), record.tree_size()), (id, 71_999_284));
        assert_eq!(record.h1_of(&module).unwrap().to_string(), h1);
        let go_mod = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";
        assert_eq!(record.go_mod_h1_of(&module).unwrap().to_string(), go_mod);
    }
}

#[test]
fn a_head_by_another_key_is_no_head() {
    // bad-inputs "Checksum-database proof"
    let own = TestLog::new("sum.golang.org", 1);
    let latest = SignedNote::parse(served!("latest")).unwrap();
    assert!(latest.verify(&own.key()).is_err());
    let go: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    assert!(own.note(0).verify(&go).is_err());
}
