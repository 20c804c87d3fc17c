//! The bundle, format 1: one `.goferry` file.
//!
//! `docs/format.md` is its specification. An uncompressed ustar archive holds a signed cover, three compressed tables
//! and the packs; the cover names the tables by digest, and the tables name everything else.

mod components;
mod container;
mod cover;
mod entries;
mod evidence;
pub mod frame;
mod packs;
mod reader;
mod writer;

pub use self::components::{Blob, CarriedModule, File, GoMod, Manifest, ManifestError, Toolchain, Zip};
pub use self::cover::{Cover, CoverError, Table};
pub use self::evidence::{Evidence, Run};
pub use self::packs::{AuthenticPack, BlobSink, Pack, PackError, PackTable, PackTableError, UnpackError};
pub use self::reader::{BundleError, ReadAt, UnverifiedBundle, VerifiedBundle};
pub use self::writer::{UnsignedBundle, WriteError};
