//! A small log for the unit tests.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::tree::{complete_subtrees, join_subtrees};
use super::{SignedNote, Tile, TreeHead, VerifierKey, node_hash, record_hash};
use crate::crypto::Ed25519SecretKey;
use crate::{DirHash, Module, Sha256Digest};

pub(super) struct TestLog {
    name: &'static str,
    seed: u8,
    records: BTreeMap<u64, String>,
    levels: Vec<Vec<Sha256Digest>>,
}

fn secret(seed: u8) -> Ed25519SecretKey {
    Ed25519SecretKey::from_seed(&Zeroizing::new([seed; 32]))
}

fn key(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(name.parse().unwrap(), secret(seed).public_key())
}

/// One signature line for a note of this text.
pub(super) fn sign(name: &str, seed: u8, text: &str) -> String {
    let signature = [&key(name, seed).hash()[..], &secret(seed).sign(text.as_bytes())].concat();
    format!("— {name} {}\n", STANDARD.encode(signature))
}

impl TestLog {
    pub(super) fn new(name: &'static str, seed: u8) -> Self {
        Self { name, seed, records: BTreeMap::new(), levels: Vec::new() }
    }

    pub(super) fn key(&self) -> VerifierKey {
        key(self.name, self.seed)
    }

    pub(super) fn size(&self) -> u64 {
        self.levels.first().map_or(0, |level| level.len() as u64)
    }

    pub(super) fn add(&mut self, path: &str, version: &str) -> Module {
        let module = Module::new(path.parse().unwrap(), version.parse().unwrap()).unwrap();
        let hash = |text: String| DirHash::of_go_mod(Sha256Digest::of(text.as_bytes()));
        let (h1, go_mod_h1) = (hash(module.to_string()), hash(format!("module {path}\n")));
        let text = format!("{path} {version} {h1}\n{path} {version}/go.mod {go_mod_h1}\n");
        self.records.insert(self.size(), text.clone());
        self.add_hash(record_hash(text.as_bytes()));
        module
    }

    pub(super) fn add_hash(&mut self, mut hash: Sha256Digest) {
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() % 2 == 1 {
                return;
            }
            hash = node_hash(&hashes[hashes.len() - 2], &hashes[hashes.len() - 1]);
        }
    }

    pub(super) fn note_of(&self, text: &str) -> SignedNote {
        let note = format!("{text}\n{}", sign(self.name, self.seed, text));
        SignedNote::parse(note.as_bytes()).unwrap()
    }

    pub(super) fn note(&self, size: u64) -> SignedNote {
        let hashes: Vec<_> = complete_subtrees(size)
            .iter()
            .map(|node| self.levels[node.level as usize][usize::try_from(node.index).unwrap()])
            .collect();
        let root = STANDARD.encode(join_subtrees(&hashes).as_bytes());
        self.note_of(&format!("go.sum database tree\n{size}\n{root}\n"))
    }

    pub(super) fn head(&self, size: u64) -> TreeHead {
        TreeHead::from_note(&self.note(size).verify(&self.key()).unwrap()).unwrap()
    }

    pub(super) fn lookup(&self, id: u64, size: u64) -> Vec<u8> {
        [format!("{id}\n{}\n", self.records[&id]).as_bytes(), self.note(size).as_bytes()].concat()
    }

    pub(super) fn tile(&self, tile: &Tile) -> Vec<u8> {
        let first = usize::try_from(tile.index()).unwrap() * 256;
        let hashes = &self.levels[usize::from(tile.level()) * 8][first..][..usize::from(tile.width())];
        hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    pub(super) fn tiles(&self, tiles: impl IntoIterator<Item = Tile>) -> BTreeMap<Tile, Vec<u8>> {
        tiles.into_iter().map(|tile| (tile, self.tile(&tile))).collect()
    }
}
