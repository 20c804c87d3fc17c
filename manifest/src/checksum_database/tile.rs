//! Tiles: how the tree's hashes are cut into files (`tlog/tile.go`), always of height 8.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::tree::{MAX_TREE_SIZE, Node, complete_subtrees, node_hash};
use crate::Sha256Digest;

/// Levels of the tree in one tile. Go's client knows no other height.
const HEIGHT: u32 = 8;
/// Hashes in a full tile.
const FULL: u16 = 1 << HEIGHT;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = FULL as usize * HASH_BYTES;

/// A run of up to 256 hashes of one level of the tree, beginning at a multiple of 256.
///
/// As text: `tile/8/<level>/<index>[.p/<width>]`, with the index in groups of three digits, all but the last with an
/// `x` before them: where a database serves it, and its place in Go's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// A text that is no tile path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not the path of a tile", path.escape_debug())]
pub struct TileError {
    path: String,
}

impl Tile {
    /// The tile's level: its hashes are those of the tree's level `8 * level`.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// How many tiles come before it on its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all its 256 hashes. A full tile never changes.
    pub fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// The same tile once the log has grown past it.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: FULL, ..*self }
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// The tile of a tree of `size` records at this place: `None` where the tree does not reach it.
    fn in_tree(level: u32, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(HEIGHT * level)?;
        let before = index.checked_mul(u64::from(FULL))?;
        let width = hashes.checked_sub(before)?.min(u64::from(FULL));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level: u8::try_from(level).ok()?, index, width })
    }

    /// The tile that holds, or whose hashes add up to, the hash of `node`.
    pub(super) fn of_node(node: Node, size: u64) -> Option<Self> {
        let level = node.level / HEIGHT;
        Self::in_tree(level, node.index >> (HEIGHT - node.level % HEIGHT), size)
    }

    /// The tile that holds the hash of this whole tile.
    pub(super) fn parent(&self, size: u64) -> Option<Self> {
        Self::in_tree(u32::from(self.level) + 1, self.index >> HEIGHT, size)
    }

    /// Whether the tree of `size` records has exactly this tile.
    pub(super) fn is_of_tree(&self, size: u64) -> bool {
        Self::in_tree(u32::from(self.level), self.index, size) == Some(*self)
    }

    /// The node whose hash is that of this whole tile, if it is full.
    pub(super) fn root(&self) -> Option<Node> {
        self.is_full().then(|| Node { level: HEIGHT * (u32::from(self.level) + 1), index: self.index })
    }

    /// The hash of `node` from the content of this tile: `None` where it is not in it.
    pub(super) fn hash_of(&self, node: Node, content: &[u8]) -> Option<Sha256Digest> {
        let (level, height) = if self.root() == Some(node) {
            (u32::from(self.level), HEIGHT)
        } else {
            (node.level / HEIGHT, node.level % HEIGHT)
        };
        let first =
            node.index.checked_mul(1 << height)?.checked_sub(self.index.checked_mul(u64::from(FULL))?)?;
        let end = first.checked_add(1 << height)?;
        if level != u32::from(self.level) || end > u64::from(self.width) {
            return None;
        }
        let (first, end) = (usize::try_from(first).ok()?, usize::try_from(end).ok()?);
        hash_of_run(content.get(first * HASH_BYTES..end * HASH_BYTES)?)
    }
}

/// The hash of a complete subtree from a power of two of hashes (`tlog.tileHash`).
fn hash_of_run(content: &[u8]) -> Option<Sha256Digest> {
    let (leaves, []) = content.as_chunks::<HASH_BYTES>() else { return None };
    let mut hashes: Vec<_> = leaves.iter().copied().map(Sha256Digest::from_bytes).collect();
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    hashes.pop()
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let parse = || {
            let (level, rest) = path.strip_prefix("tile/8/")?.split_once('/')?;
            let (index, width) = match rest.split_once(".p/") {
                Some((index, width)) => {
                    (index, width.parse().ok().filter(|width| (1..FULL).contains(width))?)
                }
                None => (rest, FULL),
            };
            let index = index.split('/').try_fold(0_u64, |index, digits| {
                let digits: u64 = digits.strip_prefix('x').unwrap_or(digits).parse().ok()?;
                index.checked_mul(1000)?.checked_add(digits)
            })?;
            let tile = Self { level: level.parse().ok()?, index, width };
            // all other spellings of the same numbers, and places outside of any tree
            (tile.to_string() == path && tile.is_in_largest_tree()).then_some(tile)
        };
        parse().ok_or_else(|| TileError { path: path.chars().take(200).collect() })
    }
}

impl Tile {
    fn is_in_largest_tree(&self) -> bool {
        Self::in_tree(u32::from(self.level), self.index, MAX_TREE_SIZE)
            .is_some_and(|largest| self.width <= largest.width)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut index = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            index = format!("x{:03}/{index}", rest % 1000);
            rest /= 1000;
        }
        write!(f, "tile/{HEIGHT}/{}/{index}", self.level)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The tiles that prove record `id` in a tree of `size` records: those that add up to the tree's hash, and those from
/// the record up to one of them. Empty where the tree has no such record.
pub fn tiles_for_record(id: u64, size: u64) -> BTreeSet<Tile> {
    if id >= size {
        return BTreeSet::new();
    }
    tiles_for_nodes(&[Node { level: 0, index: id }], size)
}

/// The tiles that prove that a tree of `size` records begins with all the records of the tree of `older` ones. Empty
/// where the older tree is the larger one.
pub fn tiles_for_older_head(older: u64, size: u64) -> BTreeSet<Tile> {
    if older > size {
        return BTreeSet::new();
    }
    tiles_for_nodes(&complete_subtrees(older), size)
}

fn tiles_for_nodes(nodes: &[Node], size: u64) -> BTreeSet<Tile> {
    let mut tiles: BTreeSet<_> = nodes.iter().filter_map(|node| Tile::of_node(*node, size)).collect();
    complete_with_ancestors(&mut tiles, size);
    tiles
}

/// Adds what `tiles` need to be checked against the head of a tree of `size` records.
pub(super) fn complete_with_ancestors(tiles: &mut BTreeSet<Tile>, size: u64) {
    let given: Vec<_> = tiles.iter().copied().collect();
    tiles.extend(complete_subtrees(size).iter().filter_map(|node| Tile::of_node(*node, size)));
    for tile in given {
        let mut child = tile;
        while let Some(parent) = child.is_full().then(|| child.parent(size)).flatten() {
            if !tiles.insert(parent) {
                break;
            }
            child = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_go() {
        let tile = |level, index, width| Tile { level, index, width };
        for (path, expected) in [
            ("tile/8/0/000", tile(0, 0, 256)),
            ("tile/8/0/001.p/1", tile(0, 1, 1)),
            ("tile/8/4/x001/x234/067", tile(4, 1_234_067, 256)),
            ("tile/8/0/x281/247.p/52", tile(0, 281_247, 52)),
            ("tile/8/1/x001/000.p/255", tile(1, 1_000, 255)),
            ("tile/8/7/000.p/127", tile(7, 0, 127)),
        ] {
            assert_eq!(path.parse(), Ok(expected));
            assert_eq!(expected.to_string(), path);
        }
    }

    #[test]
    fn other_spellings_and_impossible_places_are_no_tiles() {
        for bad in [
            "",
            "tile/8/0/",
            "/tile/8/0/000",
            "tile/7/0/000",
            "tile/8/data/000",
            "tile/8/00/000",
            "tile/8/+0/000",
            "tile/8/-1/000",
            "tile/8/0/0",
            "tile/8/0/0000",
            "tile/8/0/x000/000",
            "tile/8/0/001/000",
            "tile/8/0/x001/x000",
            "tile/8/0/x001/+00",
            "tile/8/0/1000",
            "tile/8/0/000.p/0",
            "tile/8/0/000.p/256",
            "tile/8/0/000.p/01",
            "tile/8/0/000.p/1/",
            "tile/8/0/000.p/",
            "tile/8/0/000.p/1.p/1",
            "tile/8/0/../000",
            "tile/8/0/000/../000",
            "tile/8/0/000\n",
            "tile/8/7/000",
            "tile/8/8/000",
            "tile/8/255/000",
            "tile/8/256/000",
            "tile/8/7/001.p/1",
            "tile/8/0/x036/x028/x797/x018/x963/968",
            "tile/8/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(bad.parse::<Tile>().is_err(), "{bad}");
        }
        assert!("tile/8/0/x036/x028/x797/x018/x963/967.p/255".parse::<Tile>().is_ok());
    }

    #[test]
    fn the_tiles_of_a_record_are_those_that_go_asks_for() {
        let paths =
            |tiles: BTreeSet<Tile>| tiles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        // what Go's client was seen to request: DESIGN §4, record 69,478,030 of sum.golang.org
        assert_eq!(
            paths(tiles_for_record(69_478_030, 71_999_284)),
            "tile/8/0/x271/398 tile/8/0/x281/247.p/52 tile/8/1/x001/060 tile/8/1/x001/098.p/159 \
             tile/8/2/004.p/74 tile/8/3/000.p/4"
        );
        assert_eq!(paths(tiles_for_record(0, 1)), "tile/8/0/000.p/1");
        assert_eq!(paths(tiles_for_record(255, 256)), "tile/8/0/000 tile/8/1/000.p/1");
        assert_eq!(paths(tiles_for_record(256, 257)), "tile/8/0/001.p/1 tile/8/1/000.p/1");
        assert_eq!(paths(tiles_for_record(0, 65_536)), "tile/8/0/000 tile/8/1/000 tile/8/2/000.p/1");
        assert_eq!(paths(tiles_for_record(1, 1)), "");
        assert_eq!(paths(tiles_for_record(0, 0)), "");
        assert_eq!(tiles_for_record(MAX_TREE_SIZE - 1, MAX_TREE_SIZE).len(), 8);
    }

    #[test]
    fn the_tiles_for_an_older_head_cover_its_right_edge() {
        let paths =
            |tiles: BTreeSet<Tile>| tiles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(paths(tiles_for_older_head(809, 70_309)), {
            "tile/8/0/003 tile/8/0/274.p/165 tile/8/1/000 tile/8/1/001.p/18 tile/8/2/000.p/1"
        });
        assert_eq!(tiles_for_older_head(0, 0), BTreeSet::new());
        assert_eq!(tiles_for_older_head(2, 1), BTreeSet::new());
    }

    proptest! {
        #[test]
        fn a_path_is_read_as_what_was_written(level in 0..7_u8, index in 0..1_u64 << 55, width in 1..=FULL) {
            let tile = Tile { level, index: index >> (8 * u32::from(level)), width };
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }

        #[test]
        fn a_text_that_is_read_as_a_tile_is_its_path(text in "tile/8/[0-9]/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Ok(tile) = text.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), text);
            }
        }

        #[test]
        fn the_tiles_of_any_record_are_in_the_tree_and_hold_it(id: u64, size: u64, older: u64) {
            let tiles = tiles_for_record(id, size);
            prop_assert_eq!(tiles.is_empty(), id >= size);
            for tile in tiles.iter().chain(&tiles_for_older_head(older, size)) {
                prop_assert!(tile.is_of_tree(size));
            }
            let holds = |tile: &Tile| tile.level == 0 && tile.index == id / 256 && id % 256 < u64::from(tile.width);
            prop_assert!(id >= size || tiles.iter().any(holds));
        }
    }
}
