//! Frames that a malicious signer signed: bad-inputs #49 to #55.

use std::io::Write as _;

use e2e::bundle_builder::{RawPack, Sample};

use super::{Case, accepted, refused};

const MAGIC: u32 = 0xFD2F_B528;

pub(super) fn cases() -> Vec<Case> {
    [headers(), extents(), in_tables(), bits()].into_iter().flatten().collect()
}

/// A bundle whose first pack is what `make` makes of its content.
fn pack(name: &str, make: fn(&[u8]) -> Vec<u8>, refusal: &'static str) -> Case {
    let edit = move |packs: &mut Vec<RawPack>| {
        let content = content(&packs[0]);
        packs[0].frame = make(&content);
    };
    refused(name, Sample::new().edit_packs(edit), refusal)
}

/// Where frames begin and end, and what is in them.
fn extents() -> Vec<Case> {
    vec![
        pack("#49 cut by one byte", |content| cut(packed(content), 1), "does not end where its bytes end"),
        pack(
            "#49 cut to its magic number",
            |content| packed(content)[..4].to_vec(),
            "does not begin with a zstd frame header",
        ),
        pack(
            "#49 cut within its header",
            |content| packed(content)[..5].to_vec(),
            "does not begin with a zstd frame header",
        ),
        pack("#57 an empty frame", |_| Vec::new(), "does not begin with a zstd frame header"),
        pack(
            "#52 less content than stated",
            |content| frame(0xC0, Some(7 << 3), &size8(content.len()), &raw_block(&content[1..])),
            "the frame cannot be decoded",
        ),
        pack(
            "#52 more content than stated",
            |content| frame(0xC0, Some(7 << 3), &size8(content.len()), &raw_block(&[content, b"x"].concat())),
            "",
        ),
        pack(
            "#53 1 GiB of zeros that states the right size",
            |content| frame(0xC0, Some(7 << 3), &size8(content.len()), &gibibyte_of_zeros()),
            "",
        ),
        pack(
            "#53 1 GiB of zeros that states its size",
            |_| frame(0xC0, Some(7 << 3), &size8(1 << 30), &gibibyte_of_zeros()),
            "bytes of content instead of",
        ),
        pack(
            "#54 a skippable frame in front",
            |content| [skippable(), packed(content)].concat(),
            "does not begin with a zstd frame header",
        ),
        pack(
            "#54 a skippable frame behind",
            |content| [packed(content), skippable()].concat(),
            "does not end where its bytes end",
        ),
        pack(
            "#54 another frame behind",
            |content| [packed(content), packed(b"x")].concat(),
            "does not end where its bytes end",
        ),
        pack(
            "#54 an empty frame behind",
            |content| [packed(content), packed(b"")].concat(),
            "does not end where its bytes end",
        ),
        pack(
            "#54 a byte behind",
            |content| [packed(content), vec![0]].concat(),
            "does not end where its bytes end",
        ),
        pack(
            "a block of the reserved type",
            |content| frame(0xC0, Some(7 << 3), &size8(content.len()), &[7, 0, 0]),
            "does not end where its bytes end",
        ),
        pack(
            "gzip",
            |_| b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec(),
            "does not begin with a zstd frame header",
        ),
        pack(
            "the right frame of other content",
            |content| packed(&vec![b'x'; content.len()]),
            "content mismatch",
        ),
    ]
}

/// What their headers say.
fn headers() -> Vec<Case> {
    let stored = |content: &[u8]| frame(0xC0, Some(7 << 3), &size8(content.len()), &raw_block(content));
    vec![
        accepted(
            "a frame with a window and a size of eight bytes",
            Sample::new().edit_packs(move |packs| {
                packs[0].frame = stored(&content(&packs[0]));
            }),
        ),
        pack(
            "#51 window log 31",
            |content| frame(0xC0, Some(21 << 3), &size8(content.len()), &raw_block(content)),
            "needs a window of 2147483648 bytes",
        ),
        pack(
            "#51 a window just above the limit",
            |content| frame(0xC0, Some((17 << 3) + 1), &size8(content.len()), &raw_block(content)),
            "above the limit of 134217728",
        ),
        pack(
            "#52 content size absent",
            |content| frame(0, Some(7 << 3), &[], &raw_block(content)),
            "does not state its content size",
        ),
        pack(
            "#52 content size too small",
            |content| frame(0xC0, Some(7 << 3), &size8(content.len() - 1), &raw_block(content)),
            "bytes of content instead of",
        ),
        pack(
            "#52 content size too big",
            |content| frame(0xC0, Some(7 << 3), &size8(1 << 40), &raw_block(content)),
            "bytes of content instead of",
        ),
        pack(
            "#54 a dictionary id",
            |content| {
                frame(0xC1, Some(7 << 3), &[&[9][..], &size8(content.len())].concat(), &raw_block(content))
            },
            "asks for a dictionary",
        ),
        pack("#55 a right checksum", with_checksum, "has a checksum flag"),
        pack(
            "#55 a wrong checksum",
            |content| {
                let mut frame = with_checksum(content);
                *frame.last_mut().expect("bytes") ^= 1;
                frame
            },
            "has a checksum flag",
        ),
    ]
}

/// The same rules hold for tables.
fn in_tables() -> Vec<Case> {
    let table = |name: &str, edit: fn(&mut [Vec<u8>; 3]), refusal| {
        refused(name, Sample::new().edit_table_frames(edit), refusal)
    };
    vec![
        table(
            "#49 the manifest cut by one byte",
            |frames| frames[0].truncate(frames[0].len() - 1),
            "does not end where its bytes end",
        ),
        table(
            "#54 a byte behind the pack table",
            |frames| frames[1].push(0),
            "does not end where its bytes end",
        ),
        table(
            "#54 a skippable frame before the evidence",
            |frames| frames[2] = [skippable(), frames[2].clone()].concat(),
            "does not begin with a zstd frame header",
        ),
        table(
            "the evidence in place of the manifest",
            |frames| frames[0] = frames[2].as_slice().into(),
            "bytes of content instead of",
        ),
        table("#57 an empty manifest", |frames| frames[0].clear(), "does not begin with a zstd frame header"),
        refused(
            "a table whose content is not the signed one",
            Sample::new().edit_table_frames(|frames| {
                let content = zstd::decode_all(frames[2].as_slice()).expect("a frame");
                frames[2] = packed(&vec![b' '; content.len()]);
            }),
            "`evidence.json.zst`",
        ),
    ]
}

/// #50: each bit of the frame header, one at a time.
fn bits() -> Vec<Case> {
    let flip = |bit: usize| {
        let edit = move |packs: &mut Vec<RawPack>| {
            packs[0].frame =
                frame(0xC0, Some(7 << 3), &size8(content(&packs[0]).len()), &raw_block(&content(&packs[0])));
            packs[0].frame[bit / 8] ^= 1 << (bit % 8);
        };
        Sample::new().edit_packs(edit)
    };
    // Magic number, descriptor, window, content size. Any window within the limit will do.
    let harmless = |bit: usize| (40..48).contains(&bit) && bit != 47;
    (0..14 * 8)
        .map(|bit| {
            if harmless(bit) {
                accepted(format!("#50 window bit {bit}"), flip(bit))
            } else {
                refused(format!("#50 bit {bit} of the frame header"), flip(bit), "pack 1 of 2: ")
            }
        })
        .collect()
}

fn content(pack: &RawPack) -> Vec<u8> {
    zstd::decode_all(pack.frame.as_slice()).expect("a frame of our own")
}

fn packed(content: &[u8]) -> Vec<u8> {
    e2e::bundle_builder::compress(content, goferry_manifest::bundle::frame::Parameters::of_packs(1))
}

fn with_checksum(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.include_checksum(true).expect("a parameter");
    encoder.set_pledged_src_size(Some(content.len() as u64)).expect("a parameter");
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A frame of hand-made parts (RFC 8878 §3.1.1).
fn frame(descriptor: u8, window: Option<u8>, size: &[u8], blocks: &[u8]) -> Vec<u8> {
    [&MAGIC.to_le_bytes()[..], &[descriptor], window.as_slice(), size, blocks].concat()
}

fn size8(size: usize) -> [u8; 8] {
    (size as u64).to_le_bytes()
}

/// One last block, stored.
fn raw_block(content: &[u8]) -> Vec<u8> {
    let header = u32::try_from(content.len() << 3 | 1).expect("a small content").to_le_bytes();
    [&header[..3], content].concat()
}

/// 8,192 blocks, each 128 KiB of zeros in four bytes.
fn gibibyte_of_zeros() -> Vec<u8> {
    let block = |last: u32| ((128_u32 << 10) << 3 | 1 << 1 | last).to_le_bytes();
    let mut blocks: Vec<u8> = (0..8_191).flat_map(|_| [&block(0)[..3], &[0]].concat()).collect();
    blocks.extend([&block(1)[..3], &[0]].concat());
    blocks
}

fn skippable() -> Vec<u8> {
    [&0x184D_2A50_u32.to_le_bytes()[..], &[4, 0, 0, 0, 1, 2, 3, 4]].concat()
}

fn cut(mut bytes: Vec<u8>, by: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - by);
    bytes
}
