//! The Merkle tree of RFC 6962 §2.1 and its signed heads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::VerifiedNote;
use crate::Sha256Digest;
use crate::crypto::Sha256;

/// Records of a tree at most. Go counts them in an `int64`.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// The hash of a record's text.
pub fn record_hash(text: &[u8]) -> Sha256Digest {
    let mut hasher = Sha256::new();
    hasher.update(&[0]);
    hasher.update(text);
    hasher.finalize()
}

/// The hash of an inner node.
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Sha256::new();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finalize()
}

/// Number of records and hash of the whole log at some time, as a trusted key has signed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    size: u64,
    hash: Sha256Digest,
}

/// A signed text that is no tree head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed tree head: {reason}")]
pub struct TreeHeadError {
    reason: &'static str,
}

impl TreeHead {
    /// Reads the head that a verified note states (`tlog.ParseTree`). Lines after the third are for later versions
    /// of the format, which says that readers ignore them.
    pub fn from_note(note: &VerifiedNote) -> Result<Self, TreeHeadError> {
        let fail = |reason| TreeHeadError { reason };
        let mut lines = note.text().split('\n');
        if lines.next() != Some("go.sum database tree") {
            return Err(fail("its first line is not `go.sum database tree`"));
        }
        let size = lines.next().and_then(parse_number).ok_or(fail("its size is not a number"))?;
        let hash = lines
            .next()
            .filter(|_| lines.next().is_some()) // else the newline after the hash is missing
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(fail("its hash is not 32 bytes of base64"))?;
        let hash = Sha256Digest::from_bytes(hash);
        if size == 0 && hash != Sha256Digest::of(b"") {
            return Err(fail("it is empty and its hash is not that of nothing"));
        }
        Ok(Self { size, hash })
    }

    /// The number of records.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash over all records.
    pub fn hash(&self) -> &Sha256Digest {
        &self.hash
    }
}

/// A decimal number up to [`MAX_TREE_SIZE`] in its only canonical spelling.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|number| *number <= MAX_TREE_SIZE)?;
    (number.to_string() == text).then_some(number)
}

/// A complete subtree: the `2^level` records from `index * 2^level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) level: u32,
    pub(super) index: u64,
}

/// The complete subtrees, from left to right, of which a tree of `size` records consists (`tlog.subTreeIndex`).
pub(super) fn complete_subtrees(size: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut first = 0;
    for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
        nodes.push(Node { level, index: first >> level });
        first += 1 << level;
    }
    nodes
}

/// The hash of a tree from those of its complete subtrees (`tlog.subTreeHash`).
pub(super) fn join_subtrees(hashes: &[Sha256Digest]) -> Sha256Digest {
    let joined = hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(|| Sha256Digest::of(b""))
}

#[cfg(test)]
mod tests {
    use super::super::test_log::TestLog;
    use super::*;

    /// Test vectors of Certificate Transparency: `merkletree_test.go`, and x/mod's `ct_test.go`.
    const CT_RECORDS: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const CT_ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn head_of(text: &str) -> Result<TreeHead, TreeHeadError> {
        let log = TestLog::new("a.b", 1);
        TreeHead::from_note(&log.note_of(text).verify(&log.key()).unwrap())
    }

    #[test]
    fn hashes_are_those_of_certificate_transparency() {
        let mut log = TestLog::new("a.b", 1);
        for (record, root) in CT_RECORDS.into_iter().zip(CT_ROOTS) {
            log.add_hash(record_hash(record));
            assert_eq!(log.head(log.size()).hash().to_string(), root);
        }
    }

    #[test]
    fn a_head_is_read_from_its_three_lines_and_later_ones_are_ignored() {
        let hash = "q5+IcsQ9SCXC+pYmNIRIRUbPnH/iVuVw/N2fPtPImqw=";
        let head = head_of(&format!("go.sum database tree\n71999284\n{hash}\n")).unwrap();
        assert_eq!((head.size(), STANDARD.encode(head.hash().as_bytes()).as_str()), (71_999_284, hash));
        assert_eq!(head_of(&format!("go.sum database tree\n71999284\n{hash}\nmore\n")), Ok(head));
        for bad in [
            format!("go.sum database tree v2\n1\n{hash}\n"),
            format!("1\n{hash}\n"),
            "go.sum database tree\n".to_owned(),
            "go.sum database tree\n1\n".to_owned(),
            format!("go.sum database tree\n01\n{hash}\n"),
            format!("go.sum database tree\n+1\n{hash}\n"),
            format!("go.sum database tree\n-1\n{hash}\n"),
            format!("go.sum database tree\n9223372036854775808\n{hash}\n"),
            format!("go.sum database tree\n0\n{hash}\n"),
            format!("go.sum database tree\n1\n{}\n", &hash[4..]),
            format!("go.sum database tree\n1\n{hash}{hash}\n"),
            format!("go.sum database tree\n1\n{} \n", &hash),
        ] {
            assert!(head_of(&bad).is_err(), "{bad}");
        }
        let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(head_of(&format!("go.sum database tree\n0\n{empty}\n")).unwrap().size(), 0);
    }

    #[test]
    fn a_tree_is_made_of_the_subtrees_that_its_size_has_as_bits() {
        let nodes: Vec<_> = complete_subtrees(0b1101).iter().map(|node| (node.level, node.index)).collect();
        assert_eq!(nodes, [(3, 0), (2, 2), (0, 12)]);
        assert!(complete_subtrees(0).is_empty());
        assert_eq!(complete_subtrees(MAX_TREE_SIZE).len(), 63);
    }
}
