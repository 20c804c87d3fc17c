//! Asks a checksum database and believes nothing that it does not prove.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::{error, io};

use goferry_manifest::Module;
use goferry_manifest::checksum_database::{
    AuthenticTiles, Lookup, LookupError, NoteError, ProofError, ProvenRecord, SignatureError, SignedNote,
    TILE_BYTES, Tile, TreeHead, TreeHeadError, VerifierKey, tiles_for_record,
};
use thiserror::Error;

use super::DatabaseSource;
use crate::fs;
use crate::http::Watch;
use crate::parallel::{self, Stop};

/// Requests under way at once: streams of one HTTP/2 connection.
const REQUESTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// How the look-ups of toolchains begin: no organisation has private ones.
const TOOLCHAIN_LOOKUP: &str = "lookup/golang.org/toolchain@";

/// Where the files of a database come from: a proxy, the database itself, a directory.
pub trait DatabaseFiles: Sync {
    /// Reads one file of the database, such as `latest`, `lookup/…` or `tile/8/…`, of at most `cap` bytes.
    fn read(&self, path: &str, cap: u64) -> Result<Vec<u8>, SourceError>;
}

/// The files of a database that is reached over a network.
#[derive(Debug)]
pub struct Online<'a> {
    /// Where they are.
    pub source: DatabaseSource<'a>,
    /// What is told, and what can stop it.
    pub watch: Watch<'a>,
}

impl DatabaseFiles for Online<'_> {
    fn read(&self, path: &str, cap: u64) -> Result<Vec<u8>, SourceError> {
        self.source.read(path, cap, self.watch).map_err(|error| {
            if error.is_not_found() { SourceError::NotFound } else { SourceError::Failed(Box::new(error)) }
        })
    }
}

/// Why a file of a database cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The source answered that there is no such file.
    #[error("not found")]
    NotFound,
    /// There was no answer, or one that says nothing about the file.
    #[error(transparent)]
    Failed(Box<dyn error::Error + Send + Sync>),
}

/// A checksum database, recognised by its key.
#[derive(Debug)]
pub struct ChecksumDatabase<S> {
    key: VerifierKey,
    source: S,
    cache: PathBuf,
}

/// What a database has proven.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The head in which all the records were found.
    pub head: TreeHead,
    /// The same, as the database signed it.
    pub note: SignedNote,
    /// The record of each module, in the order in which the modules were given.
    pub records: Vec<ProvenRecord>,
}

/// Why modules could not be proven to be in a database.
#[derive(Debug, Error)]
pub enum ProveError {
    /// A file could not be read.
    #[error("failed to read `{path}` of checksum database `{database}`")]
    Read {
        /// The name of the database.
        database: String,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// An answer that is no look-up.
    #[error("checksum database `{database}` gave an unusable answer for `{path}`")]
    Lookup {
        /// The name of the database.
        database: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: LookupError,
    },
    /// An answer that is no signed note.
    #[error("checksum database `{database}` gave an unusable answer for `{path}`")]
    Note {
        /// The name of the database.
        database: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// The database, or somebody between, gave a head that its key did not sign.
    #[error("the head in `{path}` of checksum database `{database}` cannot be trusted")]
    Signature {
        /// The name of the database.
        database: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
    /// The database signed something else than a head.
    #[error("the signed note in `{path}` of checksum database `{database}` is not a head")]
    Head {
        /// The name of the database.
        database: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: TreeHeadError,
    },
    /// Something is not in the log, or is not what the log says.
    #[error("checksum database `{database}` does not prove {what}")]
    Proof {
        /// The name of the database.
        database: String,
        /// What was to be proven.
        what: String,
        /// What is wrong with the proof.
        #[source]
        source: Box<ProofError>,
    },
    /// The tile cache cannot be used.
    #[error("failed to keep a tile of checksum database `{database}`")]
    Cache {
        /// The name of the database.
        database: String,
        /// Why, with the file's name.
        #[source]
        source: io::Error,
    },
}

impl ProveError {
    /// Whether somebody has tampered with what the database says, or it with itself.
    pub fn is_security(&self) -> bool {
        match self {
            Self::Signature { .. } => true,
            Self::Proof { source, .. } => source.is_security(),
            Self::Read { .. }
            | Self::Lookup { .. }
            | Self::Note { .. }
            | Self::Head { .. }
            | Self::Cache { .. } => false,
        }
    }

    /// What the user can do. Only a module that the database does not know can be a private one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { path, source: SourceError::NotFound, .. }
                if path.starts_with("lookup/") && !path.starts_with(TOOLCHAIN_LOOKUP) =>
            {
                Some("name private modules in GONOSUMDB: no public database knows them")
            }
            _ if self.is_security() => {
                Some("keep both answers and find out why they differ; do not work around it")
            }
            _ => None,
        }
    }
}

type Tiles = BTreeMap<Tile, Vec<u8>>;

/// A head and the note that states it.
type SignedHead = (TreeHead, SignedNote);

impl<S: DatabaseFiles> ChecksumDatabase<S> {
    /// The database whose heads `key` signs. Proven tiles are kept below `cache`, under the database's name.
    pub fn new(key: VerifierKey, source: S, cache: impl Into<PathBuf>) -> Self {
        Self { key, source, cache: cache.into() }
    }

    /// Looks `modules` up and proves that their records are in the log, all under one head.
    ///
    /// Whether the hashes are those of the files at hand is for the caller to compare.
    pub fn prove(&self, modules: &[Module], stop: &Stop) -> Result<Proven, ProveError> {
        let lookups = parallel::run(modules.iter().collect(), REQUESTS, stop, |module| self.look_up(module))?;
        let (head, note) = self.canonical_head(&lookups)?;
        let mut wanted = BTreeSet::new();
        for ((lookup, _), module) in lookups.iter().zip(modules) {
            wanted.extend(tiles_for_record(lookup.id(), head.size()));
            if lookup.id() >= head.size() {
                let source = ProofError::RecordNotInTree { id: lookup.id(), tree_size: head.size() };
                return Err(self.unproven(format!("`{module}`"), source));
            }
        }
        let tiles = self.authentic_tiles(&head, &wanted, stop)?;
        let checked = check(&head, &tiles).map_err(|source| self.unproven("its tiles".to_owned(), source))?;
        let records: Result<Vec<_>, _> = lookups
            .iter()
            .zip(modules)
            .map(|((lookup, _), module)| {
                let record = checked.prove(lookup, module);
                record.map_err(|source| self.unproven(format!("`{module}`"), source))
            })
            .collect();
        Ok(Proven { head, note, records: records? })
    }

    fn look_up(&self, module: &Module) -> Result<(Lookup, TreeHead), ProveError> {
        let path = format!("lookup/{}", module.escaped());
        let answer = self.read(&path, Lookup::MAX_BYTES)?;
        let lookup = Lookup::parse(&answer).map_err(|source| {
            let (database, path) = (self.name(), path.clone());
            ProveError::Lookup { database, path, source }
        })?;
        let head = self.verify_head(&path, lookup.note())?;
        Ok((lookup, head))
    }

    /// The head under which everything is proven: asked for after the look-ups, so that it covers their records.
    ///
    /// A proxy may answer with an old `latest`, or with none at all, because Go's client never asks for it (x/mod's
    /// `sumdb/client.go`). Then the largest head of the look-ups does as well. One that is there and cannot be
    /// trusted is another matter.
    fn canonical_head(&self, lookups: &[(Lookup, TreeHead)]) -> Result<SignedHead, ProveError> {
        let of_lookups = lookups
            .iter()
            .max_by_key(|(_, head)| head.size())
            .map(|(lookup, head)| (*head, lookup.note().clone()));
        match (self.latest(), of_lookups) {
            (Ok(latest), Some(newer)) if newer.0.size() > latest.0.size() => Ok(newer),
            (Err(ProveError::Read { source, .. }), Some(only)) => {
                tracing::debug!(%source, "no `latest`: taking the newest head of the look-ups");
                Ok(only)
            }
            (latest, _) => latest,
        }
    }

    fn latest(&self) -> Result<SignedHead, ProveError> {
        let path = "latest";
        let note = SignedNote::parse(&self.read(path, SignedNote::MAX_BYTES)?)
            .map_err(|source| ProveError::Note { database: self.name(), path: path.to_owned(), source })?;
        Ok((self.verify_head(path, &note)?, note))
    }

    fn verify_head(&self, path: &str, note: &SignedNote) -> Result<TreeHead, ProveError> {
        let (database, path) = (self.name(), path.to_owned());
        match note.verify(&self.key) {
            Err(source) => Err(ProveError::Signature { database, path, source }),
            Ok(note) => {
                TreeHead::from_note(&note).map_err(|source| ProveError::Head { database, path, source })
            }
        }
    }

    /// The tiles, from the cache where it has them, checked against the head. What is new and final is kept.
    ///
    /// A cached tile that was damaged on this machine must not look like an attack: without the cache, all of them
    /// are asked for again.
    fn authentic_tiles(
        &self,
        head: &TreeHead,
        wanted: &BTreeSet<Tile>,
        stop: &Stop,
    ) -> Result<Tiles, ProveError> {
        let (cached, missing): (Vec<_>, Vec<_>) = wanted
            .iter()
            .map(|tile| (*tile, self.read_cached(tile)))
            .partition(|(_, content)| content.is_some());
        let mut fetched = self.fetch_tiles(missing.into_iter().map(|(tile, _)| tile).collect(), stop)?;
        let mut tiles = fetched.clone();
        tiles.extend(cached.iter().filter_map(|(tile, content)| Some((*tile, content.clone()?))));
        if check(head, &tiles).is_err() && !cached.is_empty() {
            tracing::debug!("cached tiles do not fit the head: asking for them again");
            fetched.extend(self.fetch_tiles(cached.iter().map(|(tile, _)| *tile).collect(), stop)?);
            tiles.clone_from(&fetched);
        }
        check(head, &tiles).map_err(|source| self.unproven("its tiles".to_owned(), source))?;
        for (tile, content) in fetched.iter().filter(|(tile, _)| tile.is_full()) {
            self.keep(tile, content).map_err(|source| ProveError::Cache { database: self.name(), source })?;
        }
        Ok(tiles)
    }

    fn fetch_tiles(&self, tiles: Vec<Tile>, stop: &Stop) -> Result<Tiles, ProveError> {
        let fetched = parallel::run(tiles, REQUESTS, stop, |tile| Ok((tile, self.fetch_tile(&tile)?)))?;
        Ok(fetched.into_iter().collect())
    }

    /// A partial tile may be gone once the log has filled it: then its beginning is that of the full one.
    fn fetch_tile(&self, tile: &Tile) -> Result<Vec<u8>, ProveError> {
        match self.read(&tile.to_string(), TILE_BYTES) {
            Err(ProveError::Read { source: SourceError::NotFound, path, database }) if !tile.is_full() => {
                let mut content = self
                    .read(&tile.full().to_string(), TILE_BYTES)
                    .map_err(|_| ProveError::Read { database, path, source: SourceError::NotFound })?;
                content.truncate(tile.bytes());
                Ok(content)
            }
            result => result,
        }
    }

    fn read(&self, path: &str, cap: usize) -> Result<Vec<u8>, ProveError> {
        let cap = u64::try_from(cap).unwrap_or(u64::MAX);
        let (database, file) = (self.name(), path.to_owned());
        self.source.read(path, cap).map_err(|source| ProveError::Read { database, path: file, source })
    }

    fn cached_at(&self, tile: &Tile) -> PathBuf {
        self.cache.join(self.key.name().as_str()).join(tile.to_string())
    }

    /// A file that cannot be read is one that is not there: the tile is asked for, and then written again.
    fn read_cached(&self, tile: &Tile) -> Option<Vec<u8>> {
        if !tile.is_full() {
            return None;
        }
        fs_err::read(self.cached_at(tile)).ok()
    }

    fn keep(&self, tile: &Tile, content: &[u8]) -> io::Result<()> {
        let path = self.cached_at(tile);
        if let Some(directory) = path.parent() {
            fs::create_private_directories(directory)?;
        }
        fs::write_whole(&path, content)
    }

    fn name(&self) -> String {
        self.key.name().to_string()
    }

    fn unproven(&self, what: String, source: ProofError) -> ProveError {
        ProveError::Proof { database: self.name(), what, source: Box::new(source) }
    }
}

fn check<'a>(head: &TreeHead, tiles: &'a Tiles) -> Result<AuthenticTiles<'a>, ProofError> {
    AuthenticTiles::check(head, tiles.keys().copied(), |tile| tiles.get(tile).map(Vec::as_slice))
}

#[cfg(test)]
mod tests;
