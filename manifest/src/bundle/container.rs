//! The container: a subset of ustar (POSIX.1-1988) in which every byte is fixed but for names, sizes and contents.
//!
//! A header is byte for byte the one that [`header`] makes for a name and a size: a regular file of mode 0644, time 0,
//! owner 0/0 without names. General tar readers let junk pass in names, padding and after the end; this one compares.

use std::io;

/// Bytes of a header, and the unit to which contents are padded.
pub(super) const BLOCK: u64 = 512;
pub(super) const BLOCK_LEN: usize = 512;

/// The zero bytes that end the archive.
pub(super) const END: u64 = 2 * BLOCK;

/// The cover's entry.
pub(super) const COVER: &str = "goferry.json";
/// The manifest's entry.
pub(super) const MANIFEST: &str = "manifest.json.zst";
/// The pack table's entry.
pub(super) const PACKS: &str = "packs.json.zst";
/// The evidence's entry.
pub(super) const EVIDENCE: &str = "evidence.json.zst";

/// The entry of the signature with this number, counted from 1.
pub(super) fn signature_name(number: usize) -> String {
    if number == 1 { format!("{COVER}.minisig") } else { format!("{COVER}.{number}.minisig") }
}

/// The entry of the pack with this digest.
pub(super) fn pack_name(digest: crate::Sha256Digest) -> String {
    format!("packs/{digest}.zst")
}

/// Zero bytes between the end of a content of `size` bytes and the next header.
pub(super) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}

/// The header of an entry.
///
/// `name` has at most 100 bytes and `size` at most 2^33 - 1, as all of the format's have.
pub(super) fn header(name: &str, size: u64) -> [u8; BLOCK_LEN] {
    let mut header = [0; BLOCK_LEN];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let checksum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    header
}

/// The size that a header states for the entry `name`, if it is exactly that entry's header and the size is at most
/// `limit`.
pub(super) fn size_in_header(bytes: &[u8; BLOCK_LEN], name: &str, limit: u64) -> Option<u64> {
    let digits = std::str::from_utf8(&bytes[124..135]).ok()?;
    let size = u64::from_str_radix(digits, 8).ok().filter(|size| *size <= limit)?;
    (header(name, size) == *bytes).then_some(size)
}

/// Writes one entry whose content is at hand.
pub(super) fn write_entry(out: &mut impl io::Write, name: &str, content: &[u8]) -> io::Result<()> {
    out.write_all(&header(name, content.len() as u64))?;
    out.write_all(content)?;
    write_padding(out, content.len() as u64)
}

/// Writes what follows a content of `size` bytes.
pub(super) fn write_padding(out: &mut impl io::Write, size: u64) -> io::Result<()> {
    let zeros = [0; BLOCK_LEN];
    out.write_all(&zeros[..usize::try_from(padding(size)).unwrap_or_default()])
}

/// Writes the end of the archive.
pub(super) fn write_end(out: &mut impl io::Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_our_header_is_read() {
        let good = header(COVER, 1234);
        assert_eq!(size_in_header(&good, COVER, 65_536), Some(1234));
        assert_eq!(size_in_header(&good, COVER, 1233), None);
        assert_eq!(size_in_header(&good, MANIFEST, 65_536), None);
        for bit in 0..BLOCK_LEN * 8 {
            let mut changed = good;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(size_in_header(&changed, COVER, 65_536), None, "bit {bit}");
        }
    }

    #[test]
    fn the_second_signature_has_a_number() {
        assert_eq!(signature_name(1), "goferry.json.minisig");
        assert_eq!(signature_name(2), "goferry.json.2.minisig");
        assert_eq!(signature_name(16), "goferry.json.16.minisig");
    }
}
