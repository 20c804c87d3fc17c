//! The pack table: bad-inputs #42, #56 to #58.

use e2e::bundle_builder::{RawPack, Sample, compress};
use goferry_manifest::bundle::frame::Parameters;

use super::{Case, accepted, refused, replace};

pub(super) fn cases() -> Vec<Case> {
    let packs = |name: &str, edit: fn(&mut Vec<RawPack>), refusal| {
        refused(name, Sample::new().edit_packs(edit), refusal)
    };
    let table = |name: &str, from: &str, to: &str, refusal| {
        refused(name, Sample::new().edit_pack_table(replace(from, to)), refusal)
    };
    vec![
        packs("#42 a blob in two packs", |packs| add_first_blob(packs), "is stored twice"),
        packs(
            "#42 a blob twice in a pack",
            |packs| packs[0].blobs.extend_from_within(..1),
            "bytes of content, its blobs have",
        ),
        packs("#42 a pack missing", |packs| packs.truncate(1), "is in no pack"),
        packs(
            "#42 content between the blobs",
            |packs| packs[0].content_size += 1,
            "bytes of content, its blobs have",
        ),
        packs("#42 a pack twice", |packs| packs.push(packs[0].clone()), "is listed twice"),
        packs(
            "#42 a blob that the manifest has not",
            |packs| packs[0].blobs[0] = 4_000_000_000,
            "there is no blob number 4000000000",
        ),
        packs("#57 an empty pack", |packs| packs.push(empty()), "holds nothing"),
        packs("#57 no packs", Vec::clear, "is in no pack"),
        packs(
            "#58 boundaries shifted: blobs in another order",
            |packs| packs[0].blobs.swap(0, 1),
            "content mismatch",
        ),
        packs(
            "#58 boundaries shifted: blobs of two packs",
            |packs| swap_blobs(packs),
            "bytes of content, its blobs have",
        ),
        accepted(
            "packs and their table in another order",
            Sample::new().edit_packs(|packs| packs.swap(0, 1)),
        ),
        accepted("one pack", Sample::new().toolchains(Vec::new())),
        table(
            "#42 a blob number above 2^32",
            "\"blobs\":[",
            "\"blobs\":[4294967296,",
            "invalid value: integer",
        ),
        table("#42 a negative blob number", "\"blobs\":[", "\"blobs\":[-1,", "invalid value: integer"),
        table("#42 a digest for a blob", "\"blobs\":[", "\"blobs\":[\"00\",", "values of different kinds"),
        table("#42 a pack beyond the end of the file", "\"size\":", "\"size\":10", "cut off"),
        table("#42 a pack above the limit", "\"size\":", "\"size\":1000000000", "pack table: "),
        table("#42 a size that is not the entry's", "\"size\":", "\"size\":1,\"x\":", "unknown field `x`"),
        refused(
            "#40 65,537 packs",
            Sample::new().edit_pack_table(many_packs),
            "65537 packs, above the limit of 65536",
        ),
        refused(
            "#56 a pack of the same length in its place",
            Sample::new().edit_entries(|entries| entries[5].content.reverse()),
            "pack 1 of 2: digest mismatch",
        ),
        refused(
            "#56 a table of the same length in its place",
            Sample::new().edit_entries(|entries| entries[2].content.reverse()),
            "digest mismatch in `manifest.json.zst`",
        ),
    ]
}

fn add_first_blob(packs: &mut [RawPack]) {
    let number = packs[0].blobs[0];
    packs[1].blobs.push(number);
    // The first content of the toy toolchain: `go1.27.3` and a newline.
    packs[1].content_size += 9;
}

fn swap_blobs(packs: &mut [RawPack]) {
    let blobs = packs[0].blobs.clone();
    packs[0].blobs = std::mem::replace(&mut packs[1].blobs, blobs);
}

fn empty() -> RawPack {
    RawPack { frame: compress(b"", Parameters::of_packs(1)), content_size: 0, blobs: Vec::new() }
}

fn many_packs(text: &mut Vec<u8>) {
    let pack = |number: usize| {
        format!("{{\"sha256\":\"{number:064x}\",\"size\":1,\"content_size\":0,\"blobs\":[0]}}")
    };
    let packs: Vec<String> = (0..65_537).map(pack).collect();
    *text = format!("{{\"type\":\"goferry/packs/v1\",\"packs\":[{}]}}\n", packs.join(",")).into_bytes();
}
