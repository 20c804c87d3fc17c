//! The container, written a second time: from `docs/format.md`, without the library.

use super::RawPack;
use goferry_manifest::Sha256Digest;

const BLOCK: usize = 512;

/// One entry of a container.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The 512 bytes before the content.
    pub header: Vec<u8>,
    /// The content.
    pub content: Vec<u8>,
    /// What follows the content.
    pub padding: Vec<u8>,
}

impl Entry {
    /// An entry as the format has it.
    pub fn new(name: &str, content: Vec<u8>) -> Self {
        let padding = vec![0; content.len().next_multiple_of(BLOCK) - content.len()];
        Self { header: header(name, content.len()), content, padding }
    }

    /// The name in the header.
    pub fn name(&self) -> String {
        let end = self.header.iter().position(|byte| *byte == 0).unwrap_or(100);
        String::from_utf8_lossy(&self.header[..end.min(100)]).into_owned()
    }

    /// Writes `bytes` into the header at `offset`, and makes its checksum right again.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.header[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.header[148..156].copy_from_slice(b"        ");
        let sum: u32 = self.header.iter().map(|byte| u32::from(*byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn header(name: &str, size: usize) -> Vec<u8> {
    let mut entry = Entry { header: vec![0; BLOCK], content: Vec::new(), padding: Vec::new() };
    let size = format!("{size:011o}\0");
    let fields: [(usize, &[u8]); 10] = [
        (0, name.as_bytes()),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000\0"),
        (337, b"0000000\0"),
    ];
    for (offset, bytes) in fields {
        entry.put(offset, bytes);
    }
    entry.header
}

/// The entries of a bundle, and after them the end as an entry that is all content.
pub(super) fn entries(
    cover: Vec<u8>,
    signatures: Vec<Vec<u8>>,
    [manifest, pack_table, evidence]: [Vec<u8>; 3],
    packs: &[RawPack],
) -> Vec<Entry> {
    let mut entries = vec![Entry::new("goferry.json", cover)];
    for (index, signature) in signatures.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!(".{}", index + 1) };
        entries.push(Entry::new(&format!("goferry.json{number}.minisig"), signature));
    }
    entries.push(Entry::new("manifest.json.zst", manifest));
    entries.push(Entry::new("packs.json.zst", pack_table));
    entries.push(Entry::new("evidence.json.zst", evidence));
    for RawPack { frame, .. } in packs {
        entries.push(Entry::new(&format!("packs/{}.zst", Sha256Digest::of(frame)), frame.clone()));
    }
    entries.push(Entry { header: Vec::new(), content: vec![0; 2 * BLOCK], padding: Vec::new() });
    entries
}

/// All bytes of all entries.
pub(super) fn write(entries: &[Entry]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| [&entry.header, &entry.content, &entry.padding])
        .flatten()
        .copied()
        .collect()
}

/// Takes an unchanged bundle apart; the last entry is the end, all content.
pub fn entries_of(bundle: &[u8]) -> Vec<Entry> {
    let (mut entries, mut rest) = (Vec::new(), bundle);
    while rest[0] != 0 {
        let size = std::str::from_utf8(&rest[124..135]).expect("octal digits");
        let size = usize::from_str_radix(size, 8).expect("octal digits");
        let (header, after) = rest.split_at(BLOCK);
        let (content, after) = after.split_at(size);
        let (padding, after) = after.split_at(size.next_multiple_of(BLOCK) - size);
        rest = after;
        entries.push(Entry { header: header.into(), content: content.into(), padding: padding.into() });
    }
    entries.push(Entry { header: Vec::new(), content: rest.into(), padding: Vec::new() });
    entries
}
