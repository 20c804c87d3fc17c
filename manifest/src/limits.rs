//! What the format allows at most. Each is checked before anything of that size is allocated or read.

/// The limits of one format version.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the cover: it is read before its signature can be checked.
    pub cover_bytes: u64,
    /// Bytes of one `.minisig` file.
    pub signature_bytes: u64,
    /// Signatures of one bundle.
    pub signatures: usize,
    /// Bytes of each decompressed table: manifest, pack table, evidence.
    pub table_bytes: u64,
    /// Levels of nesting in a JSON document.
    pub json_depth: usize,
    /// Bytes of a path: Linux's `PATH_MAX`.
    pub path_bytes: usize,
    /// Bytes between two slashes: Linux's `NAME_MAX`.
    pub path_element_bytes: usize,
    /// Packs of one bundle.
    pub packs: usize,
    /// Bytes of one file.
    pub blob_bytes: u64,
    /// Bytes of one decompressed pack.
    pub pack_content_bytes: u64,
    /// Base-2 logarithm of the window that a decoder of packs must provide.
    pub window_log: u32,
    /// Files of all components together.
    pub files: usize,
}

impl Limits {
    /// Those of format 1.
    pub const FORMAT_1: Self = Self {
        cover_bytes: 64 << 10,
        signature_bytes: 1 << 10,
        signatures: 16,
        table_bytes: 256 << 20,
        json_depth: 8,
        path_bytes: 4096,
        path_element_bytes: 255,
        packs: 65_536,
        blob_bytes: 512 << 20,
        pack_content_bytes: 1 << 30,
        window_log: 27,
        files: 2_000_000,
    };
}
