//! Go's checksum database: a transparency log of the hashes of all public modules and toolchains.
//!
//! What a database serves, and what this module makes of it:
//!
//! | served | here |
//! |---|---|
//! | `latest`: a signed note | [`SignedNote`], then [`VerifiedNote`], then [`TreeHead`] |
//! | `lookup/<module>@<version>`: a record and some signed head | [`Lookup`] |
//! | `tile/8/<level>/<index>[.p/<width>]`: hashes of the tree | [`Tile`], then [`AuthenticTiles`] |
//!
//! Only a [`TreeHead`], which only a verified signature yields, makes [`AuthenticTiles`]; only those make a
//! [`ProvenRecord`]. So a value of that type was proven to be in the log that the key signs.
//!
//! The rules are those of `golang.org/x/mod/sumdb` (`note/note.go`, `tlog/{note,tlog,tile}.go`) and of RFC 6962 §2.1;
//! where texts have several spellings that Go accepts, only the canonical one is accepted here.

mod key;
mod lookup;
mod note;
mod proof;
mod record;
#[cfg(test)]
mod test_log;
mod tile;
mod tree;

pub use self::key::{DatabaseName, DatabaseNameError, KeyError, VerifierKey};
pub use self::lookup::{Lookup, LookupError};
pub use self::note::{NoteError, SignatureError, SignedNote, VerifiedNote};
pub use self::proof::{AuthenticTiles, Fork, ProofError};
pub use self::record::{ProvenRecord, RecordError};
pub use self::tile::{TILE_BYTES, Tile, TileError, tiles_for_older_head, tiles_for_record};
pub use self::tree::{MAX_TREE_SIZE, TreeHead, TreeHeadError, node_hash, record_hash};

/// The key of Go's own database (`knownGOSUMDB` in `cmd/go/internal/modfetch/key.go`).
pub const SUM_GOLANG_ORG: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
