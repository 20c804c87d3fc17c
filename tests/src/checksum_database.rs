//! Writes checksum databases: what a server of `sum.golang.org`'s protocol would hold, signed by a test key.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use goferry_manifest::checksum_database::{DatabaseName, Tile, VerifierKey, node_hash, record_hash};
use goferry_manifest::crypto::Ed25519SecretKey;
use goferry_manifest::{DirHash, Module, Sha256Digest};
use zeroize::Zeroizing;

/// A log under construction.
#[derive(Debug)]
pub struct LogBuilder {
    key: VerifierKey,
    secret: Ed25519SecretKey,
    modules: BTreeMap<String, (u64, String)>,
    /// `levels[l][n]` is the hash of the complete subtree of `2^l` records that begins at record `n * 2^l`.
    levels: Vec<Vec<Sha256Digest>>,
}

impl LogBuilder {
    /// An empty log called `name`, whose heads a key of this seed signs.
    ///
    /// # Panics
    ///
    /// If `name` is not the name of a database.
    pub fn new(name: &str, seed: [u8; 32]) -> Self {
        let name: DatabaseName = name.parse().expect("a test gives a proper name");
        let secret = Ed25519SecretKey::from_seed(&Zeroizing::new(seed));
        let key = VerifierKey::new(name, secret.public_key());
        Self { key, secret, modules: BTreeMap::new(), levels: Vec::new() }
    }

    /// The key by which a client recognises the log; as text it is what `GOSUMDB` takes.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The number of records.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |level| level.len() as u64)
    }

    /// Adds the record of a module and returns its number.
    pub fn add(&mut self, module: &Module, h1: DirHash, go_mod_h1: DirHash) -> u64 {
        let (path, version) = (module.path(), module.version());
        let text = format!("{path} {version} {h1}\n{path} {version}/go.mod {go_mod_h1}\n");
        let id = self.add_hash(record_hash(text.as_bytes()));
        self.modules.insert(module.escaped(), (id, text));
        id
    }

    /// Adds records that nobody looks up until there are `size`.
    pub fn grow_to(&mut self, size: u64) {
        while self.size() < size {
            self.add_hash(record_hash(format!("record {}\n", self.size()).as_bytes()));
        }
    }

    fn add_hash(&mut self, mut hash: Sha256Digest) -> u64 {
        let id = self.size();
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            let [.., left, right] = hashes.as_slice() else { break };
            if !hashes.len().is_multiple_of(2) {
                break;
            }
            hash = node_hash(left, right);
        }
        id
    }

    /// The signed head of the first `size` records.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn head(&self, size: u64) -> Vec<u8> {
        assert!(size <= self.size(), "the log has {} records, not {size}", self.size());
        let mut hash = None;
        for (level, hashes) in self.levels.iter().enumerate() {
            let complete = usize::try_from(size >> level).expect("as many as are in memory");
            if complete % 2 == 1 {
                let left = hashes[complete - 1];
                hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
            }
        }
        let hash = hash.unwrap_or_else(|| Sha256Digest::of(b""));
        self.sign(&format!("go.sum database tree\n{size}\n{}\n", STANDARD.encode(hash.as_bytes())))
    }

    /// A note of any text, signed by the log's key.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let signature = [&self.key.hash()[..], &self.secret.sign(text.as_bytes())].concat();
        format!("{text}\n— {} {}\n", self.key.name(), STANDARD.encode(signature)).into_bytes()
    }

    /// The answer to a look-up of `module`, with the head of the first `size` records.
    pub fn lookup(&self, module: &Module, size: u64) -> Option<Vec<u8>> {
        self.answer(&module.escaped(), size)
    }

    fn answer(&self, escaped: &str, size: u64) -> Option<Vec<u8>> {
        let (id, text) = self.modules.get(escaped)?;
        Some([format!("{id}\n{text}\n").as_bytes(), &self.head(size)].concat())
    }

    /// The bytes of a tile, if the log reaches as far.
    pub fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        let hashes = self.levels.get(usize::from(tile.level()) * 8)?;
        let first = usize::try_from(tile.index()).ok()?.checked_mul(256)?;
        let hashes = hashes.get(first..first.checked_add(tile.width().into())?)?;
        Some(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
    }

    /// What a server would answer for `path` below `/sumdb/<name>/`; `None` is 404.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match path.split_once('/') {
            None if path == "latest" => Some(self.head(self.size())),
            None if path == "supported" => Some(Vec::new()),
            Some(("lookup", escaped)) => self.answer(escaped, self.size()),
            Some(("tile", _)) => self.tile(&path.parse().ok()?),
            _ => None,
        }
    }

    /// Writes all that a client can ask for under the present head below `proxy`, as `sumdb/<name>/…`: a directory
    /// that can be used as a `file://` proxy.
    pub fn write_to(&self, proxy: &Path) -> io::Result<()> {
        let directory = proxy.join("sumdb").join(self.key.name().as_str());
        let lookups = self.modules.keys().map(|escaped| format!("lookup/{escaped}"));
        let paths =
            ["latest".to_owned(), "supported".to_owned()].into_iter().chain(lookups).chain(self.tile_paths());
        for path in paths {
            let content =
                self.read(&path).ok_or_else(|| io::Error::other(format!("no `{path}` in the log")))?;
            let file = directory.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&directory))?;
            fs::write(file, content)?;
        }
        Ok(())
    }

    /// Every tile of the present tree, full ones and those of the right edge.
    fn tile_paths(&self) -> impl Iterator<Item = String> {
        self.levels.iter().step_by(8).enumerate().flat_map(|(level, hashes)| {
            (0..hashes.len().div_ceil(256)).map(move |index| {
                let mut groups = format!("{:03}", index % 1000);
                let mut rest = index / 1000;
                while rest > 0 {
                    groups = format!("x{:03}/{groups}", rest % 1000);
                    rest /= 1000;
                }
                let width = (hashes.len() - index * 256).min(256);
                let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
                format!("tile/8/{level}/{groups}{partial}")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use goferry::fetch::checksum_database::{ChecksumDatabase, DatabaseFiles, ProveError, SourceError};
    use goferry::parallel::Stop;
    use goferry_manifest::checksum_database::{
        AuthenticTiles, Lookup, SignedNote, TreeHead, tiles_for_older_head,
    };

    use super::*;

    struct Server<'a> {
        log: &'a LogBuilder,
        /// The size of the head that look-ups come with.
        lookup_size: u64,
        has_latest: bool,
    }

    impl DatabaseFiles for Server<'_> {
        fn read(&self, path: &str, _: u64) -> Result<Vec<u8>, SourceError> {
            let answer = match path.strip_prefix("lookup/") {
                Some(escaped) => self.log.answer(escaped, self.lookup_size),
                None if path == "latest" && !self.has_latest => None,
                None => self.log.read(path),
            };
            answer.ok_or(SourceError::NotFound)
        }
    }

    fn module(number: u64) -> Module {
        Module::new("a.b/Upper".parse().unwrap(), format!("v1.0.{number}").parse().unwrap()).unwrap()
    }

    fn hash(text: &str) -> DirHash {
        DirHash::of_go_mod(Sha256Digest::of(text.as_bytes()))
    }

    /// A log with the modules 0 to 9, one in each 7,000 records.
    fn log() -> LogBuilder {
        let mut log = LogBuilder::new("db.example/sum", [7; 32]);
        for number in 0..10 {
            log.grow_to(number * 7000);
            log.add(&module(number), hash(&format!("zip {number}")), hash("go.mod"));
        }
        log.grow_to(66_000);
        log
    }

    fn prove(server: Server<'_>) -> Result<goferry::fetch::checksum_database::Proven, ProveError> {
        let cache = tempfile::tempdir().unwrap();
        let modules: Vec<_> = (0..10).map(module).collect();
        let key = server.log.key().clone();
        ChecksumDatabase::new(key, server, cache.path()).prove(&modules, &Stop::new())
    }

    fn assert_all_proven(proven: &goferry::fetch::checksum_database::Proven, size: u64) {
        assert_eq!(proven.head.size(), size);
        for (number, record) in (0..10).zip(&proven.records) {
            assert_eq!(record.id(), number * 7000);
            assert_eq!(record.h1_of(&module(number)), Some(hash(&format!("zip {number}"))));
            assert_eq!(record.go_mod_h1_of(&module(number)), Some(hash("go.mod")));
        }
    }

    #[test]
    fn the_bundler_proves_what_the_log_holds() {
        let log = log();
        for lookup_size in [63_001, 65_536, 66_000] {
            let proven = prove(Server { log: &log, lookup_size, has_latest: true }).unwrap();
            assert_all_proven(&proven, 66_000);
        }
    }

    #[test]
    fn a_source_without_latest_serves_as_well() {
        let log = log();
        let proven = prove(Server { log: &log, lookup_size: 65_900, has_latest: false }).unwrap();
        assert_all_proven(&proven, 65_900);
    }

    #[test]
    fn a_tree_on_disk_holds_what_the_server_answers() {
        let log = log();
        let proxy = tempfile::tempdir().unwrap();
        log.write_to(proxy.path()).unwrap();
        let read = |path: &str| fs::read(proxy.path().join("sumdb/db.example/sum").join(path)).ok();
        for path in ["supported", "latest", "lookup/a.b/!upper@v1.0.3", "tile/8/0/000", "tile/8/0/257.p/208"]
        {
            assert_eq!(read(path), log.read(path), "{path}");
            assert!(read(path).is_some(), "{path}");
        }
        assert_eq!(
            walkdir::WalkDir::new(proxy.path()).into_iter().flatten().filter(|e| e.path().is_file()).count(),
            { 12 + 258 + 2 + 1 }
        );
    }

    #[test]
    fn two_histories_under_one_key_are_told_apart() {
        let (log, mut fork) = (log(), LogBuilder::new("db.example/sum", [7; 32]));
        fork.grow_to(70_000);
        let head = |log: &LogBuilder, size| {
            let note = SignedNote::parse(&log.head(size)).unwrap().verify(log.key()).unwrap();
            TreeHead::from_note(&note).unwrap()
        };
        let wanted = tiles_for_older_head(66_000, 70_000);
        let tiles: BTreeMap<_, _> = wanted.iter().map(|tile| (*tile, fork.tile(tile).unwrap())).collect();
        let read = |tile: &Tile| tiles.get(tile).map(Vec::as_slice);
        let checked = AuthenticTiles::check(&head(&fork, 70_000), wanted, read).unwrap();
        assert_eq!(checked.prove_extends(&head(&fork, 66_000)), Ok(()));
        let error = checked.prove_extends(&head(&log, 66_000)).unwrap_err().to_string();
        assert!(error.starts_with("security: the checksum database has two histories"), "{error}");
    }

    #[test]
    fn answers_are_what_the_reader_takes() {
        let log = log();
        assert_eq!(Lookup::parse(&log.lookup(&module(2), 20_000).unwrap()).unwrap().id(), 14_000);
        assert_eq!(log.read("lookup/a.b/!upper@v9.9.9"), None);
        assert_eq!(log.read("tile/8/0/257.p/209"), None);
    }
}
