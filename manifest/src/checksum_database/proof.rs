//! Proofs: that tiles are those of a signed head, that a record is in them, that an older head is their past.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::tile::complete_with_ancestors;
use super::tree::{Node, complete_subtrees, join_subtrees};
use super::{Lookup, ProvenRecord, RecordError, Tile, TreeHead};
use crate::{Module, Sha256Digest};

/// Tiles whose every hash was traced up to a signed head (`tlog.TileHashReader`).
#[derive(Clone, Debug)]
pub struct AuthenticTiles<'a> {
    head: TreeHead,
    tiles: BTreeMap<Tile, &'a [u8]>,
}

/// Why something could not be proven.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// A tile that the proof needs is not there.
    #[error("`{tile}` is missing")]
    TileMissing {
        /// The tile.
        tile: Tile,
    },
    /// A tile has too few or too many bytes.
    #[error("`{tile}` has {actual} bytes instead of {expected}")]
    TileLength {
        /// The tile.
        tile: Tile,
        /// 32 bytes for each hash.
        expected: usize,
        /// What it has.
        actual: usize,
    },
    /// The tree of this head has no such tile.
    #[error("`{tile}` is not a tile of a tree of {tree_size} records")]
    TileNotInTree {
        /// The tile.
        tile: Tile,
        /// The size of the head.
        tree_size: u64,
    },
    /// The tiles of the right edge do not add up to the head. One of them is wrong; which one cannot be known.
    #[error(
        "security: inconsistent tiles: the right edge does not have the hash of the signed tree of {tree_size} \
         records\n  expected: {expected}\n    actual: {actual}"
    )]
    HeadMismatch {
        /// The size of the head.
        tree_size: u64,
        /// The hash in the head.
        expected: Sha256Digest,
        /// The hash of the tiles.
        actual: Sha256Digest,
    },
    /// A tile does not have the hash that the tile above it says.
    #[error(
        "security: inconsistent tile `{tile}` in the tree of {tree_size} records\n  expected: {expected}\n    \
         actual: {actual}"
    )]
    TileMismatch {
        /// The tile.
        tile: Tile,
        /// The size of the head.
        tree_size: u64,
        /// The hash in the tile above.
        expected: Sha256Digest,
        /// The hash of the tile.
        actual: Sha256Digest,
    },
    /// A record that is newer than the head, or none at all.
    #[error("record {id} is not in the tree of {tree_size} records")]
    RecordNotInTree {
        /// The record's number.
        id: u64,
        /// The size of the head.
        tree_size: u64,
    },
    /// The log has another text under this number.
    #[error("security: record {id} is not what the log says\n  expected: {expected}\n    actual: {actual}")]
    RecordMismatch {
        /// The record's number.
        id: u64,
        /// The hash in the log.
        expected: Sha256Digest,
        /// The hash of the record.
        actual: Sha256Digest,
    },
    /// The record is in the log, but does not tell the hashes of the module.
    #[error("security: record {id} was given for `{module}`")]
    Record {
        /// The record's number.
        id: u64,
        /// The module that was looked up.
        module: Box<Module>,
        /// What the record says instead.
        #[source]
        source: RecordError,
    },
}

impl ProofError {
    /// Whether the error shows that somebody has tampered, as opposed to that something is incomplete or cut off.
    pub fn is_security(&self) -> bool {
        match self {
            Self::TileMissing { .. }
            | Self::TileLength { .. }
            | Self::TileNotInTree { .. }
            | Self::RecordNotInTree { .. } => false,
            Self::HeadMismatch { .. }
            | Self::TileMismatch { .. }
            | Self::RecordMismatch { .. }
            | Self::Record { .. } => true,
        }
    }
}

/// Why one head is not shown to be the past of another.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fork {
    /// The tiles do not tell.
    #[error("the tree of {older} records cannot be compared with that of {newer}")]
    Unknown {
        /// The size of the older head.
        older: u64,
        /// The size of the newer head.
        newer: u64,
        /// What is missing.
        #[source]
        source: ProofError,
    },
    /// Two signed heads that cannot be of one log: the database shows different logs to different people.
    #[error(
        "security: the checksum database has two histories: the signed tree of {newer} records does not begin with \
         the signed tree of {older} records\n  expected: {expected}\n    actual: {actual}"
    )]
    Proven {
        /// The size of the older head.
        older: u64,
        /// The size of the newer head.
        newer: u64,
        /// The hash of the older head.
        expected: Sha256Digest,
        /// The hash that the first records of the newer tree have.
        actual: Sha256Digest,
    },
}

impl<'a> AuthenticTiles<'a> {
    /// Checks `wanted`, and the tiles above them, against `head`.
    ///
    /// What is wanted comes from [`super::tiles_for_record`] and [`super::tiles_for_older_head`] for the size of this
    /// head. `read` gives the bytes of a tile; it is asked once for each.
    pub fn check(
        head: &TreeHead,
        wanted: impl IntoIterator<Item = Tile>,
        mut read: impl FnMut(&Tile) -> Option<&'a [u8]>,
    ) -> Result<Self, ProofError> {
        let mut wanted: BTreeSet<_> = wanted.into_iter().collect();
        if let Some(tile) = wanted.iter().find(|tile| !tile.is_of_tree(head.size())) {
            return Err(ProofError::TileNotInTree { tile: *tile, tree_size: head.size() });
        }
        complete_with_ancestors(&mut wanted, head.size());
        let mut tiles = BTreeMap::new();
        for tile in wanted {
            let content = read(&tile).ok_or(ProofError::TileMissing { tile })?;
            if content.len() != tile.bytes() {
                let (expected, actual) = (tile.bytes(), content.len());
                return Err(ProofError::TileLength { tile, expected, actual });
            }
            tiles.insert(tile, content);
        }
        let unchecked = Self { head: *head, tiles };
        unchecked.check_right_edge()?;
        unchecked.check_full_tiles()?;
        Ok(unchecked)
    }

    /// The partial tiles hold the complete subtrees of the tree, and nothing else.
    fn check_right_edge(&self) -> Result<(), ProofError> {
        let actual = self.hash_of_first(self.head.size())?;
        if actual == *self.head.hash() {
            return Ok(());
        }
        let (tree_size, expected) = (self.head.size(), *self.head.hash());
        Err(ProofError::HeadMismatch { tree_size, expected, actual })
    }

    /// The full tiles, each below one that is either partial or full itself. Highest first, so that the error names
    /// the tile that is wrong and not one that is right below it.
    fn check_full_tiles(&self) -> Result<(), ProofError> {
        for (tile, content) in self.tiles.iter().rev() {
            let Some(root) = tile.root() else { continue };
            let missing = ProofError::TileMissing { tile: *tile };
            let actual = tile.hash_of(root, content).ok_or(missing)?;
            let expected = self.hash_above(tile, root)?;
            if actual != expected {
                return Err(ProofError::TileMismatch {
                    tile: *tile,
                    tree_size: self.head.size(),
                    expected,
                    actual,
                });
            }
        }
        Ok(())
    }

    fn hash_above(&self, tile: &Tile, root: Node) -> Result<Sha256Digest, ProofError> {
        let tree_size = self.head.size();
        let parent = tile.parent(tree_size).ok_or(ProofError::TileNotInTree { tile: *tile, tree_size })?;
        self.hash_in(&parent, root)
    }

    fn hash_in(&self, tile: &Tile, node: Node) -> Result<Sha256Digest, ProofError> {
        let content = self.tiles.get(tile);
        content.and_then(|content| tile.hash_of(node, content)).ok_or(ProofError::TileMissing { tile: *tile })
    }

    fn hash_of(&self, node: Node) -> Result<Option<Sha256Digest>, ProofError> {
        let tile = Tile::of_node(node, self.head.size());
        tile.map(|tile| self.hash_in(&tile, node)).transpose()
    }

    /// The hash of the tree of the first `size` records.
    fn hash_of_first(&self, size: u64) -> Result<Sha256Digest, ProofError> {
        let hashes: Result<Vec<_>, _> = complete_subtrees(size)
            .into_iter()
            .map(|node| {
                let not_in_tree = ProofError::RecordNotInTree { id: size - 1, tree_size: self.head.size() };
                self.hash_of(node)?.ok_or(not_in_tree)
            })
            .collect();
        Ok(join_subtrees(&hashes?))
    }

    /// The head against which the tiles were checked.
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The tiles and their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Tile, &'a [u8])> {
        self.tiles.iter().map(|(tile, content)| (tile, *content))
    }

    /// Proves that the log holds the record of `lookup` and that it is about `module`, and only then reads it.
    pub fn prove(&self, lookup: &Lookup, module: &Module) -> Result<ProvenRecord, ProofError> {
        let (id, tree_size) = (lookup.id(), self.head.size());
        let not_in_tree = ProofError::RecordNotInTree { id, tree_size };
        if id >= tree_size {
            return Err(not_in_tree);
        }
        let expected = self.hash_of(Node { level: 0, index: id })?.ok_or(not_in_tree)?;
        let actual = lookup.record_hash();
        if actual != expected {
            return Err(ProofError::RecordMismatch { id, expected, actual });
        }
        ProvenRecord::read(id, tree_size, lookup.text(), module).map_err(|source| ProofError::Record {
            id,
            module: Box::new(module.clone()),
            source,
        })
    }

    /// Proves that the tree of `older` is the beginning of this one (the consistency of RFC 6962 §2.1.2).
    pub fn prove_extends(&self, older: &TreeHead) -> Result<(), Fork> {
        let (size, newer) = (older.size(), self.head.size());
        let actual = if size > newer {
            Err(ProofError::RecordNotInTree { id: size - 1, tree_size: newer })
        } else {
            self.hash_of_first(size)
        };
        match actual {
            Ok(actual) if actual == *older.hash() => Ok(()),
            Ok(actual) => Err(Fork::Proven { older: size, newer, expected: *older.hash(), actual }),
            Err(source) => Err(Fork::Unknown { older: size, newer, source }),
        }
    }
}

#[cfg(test)]
mod tests;
