//! The container: what ustar would allow and the format does not.

use e2e::bundle_builder::{Entry, Sample};

use super::{Case, refused};

const NOT_A_BUNDLE: &str = "it does not begin with the entry `goferry.json`";

/// Entries of the sample by position, and how a reader complains of a header that is not theirs.
const HEADERS: [(usize, &str, &str); 4] = [
    (0, "cover", NOT_A_BUNDLE),
    (1, "signature", "the header of `goferry.json.minisig` is not the one that belongs there"),
    (2, "manifest", "the header of `manifest.json.zst` is not the one that belongs there"),
    (5, "pack", ".zst` is not the one that belongs there"),
];

pub(super) fn cases() -> Vec<Case> {
    [headers(), entries(), ends()].into_iter().flatten().collect()
}

/// Every field of a header, in each kind of entry; the checksum is right again.
fn headers() -> Vec<Case> {
    type Field = (&'static str, usize, &'static [u8]);
    let fields: [Field; 20] = [
        ("another name", 0, b"x"),
        ("junk after the name", 99, b"x"),
        ("mode with setuid", 100, b"0004755\0"),
        ("mode in another form", 100, b"000644 \0"),
        ("owner", 108, b"0001750\0"),
        ("group", 116, b"0001750\0"),
        ("size in base 256", 124, b"\x80\0\0\0"),
        ("size not octal", 124, b"9"),
        ("size ended by a blank", 135, b" "),
        ("time", 136, b"00000000001\0"),
        ("type directory", 156, b"5"),
        ("type symbolic link", 156, b"2"),
        ("type of the old archives", 156, b"\0"),
        ("link name", 157, b"x"),
        ("v7 magic", 257, b"\0\0\0\0\0\0\0\0"),
        ("GNU magic", 257, b"ustar  \0"),
        ("owner's name", 265, b"root"),
        ("device", 329, b"0000001\0"),
        ("prefix", 345, b"x"),
        ("reserved bytes", 511, b"x"),
    ];
    let mut cases = Vec::new();
    for (index, entry, refusal) in HEADERS {
        for (name, offset, bytes) in fields {
            let edit = move |entries: &mut Vec<Entry>| entries[index].put(offset, bytes);
            cases.push(refused(format!("{entry}: {name}"), Sample::new().edit_entries(edit), refusal));
        }
        let edit = move |entries: &mut Vec<Entry>| entries[index].header[153] ^= 1;
        cases.push(refused(format!("{entry}: wrong checksum"), Sample::new().edit_entries(edit), refusal));
        let edit = move |entries: &mut Vec<Entry>| entries[index].header[154..156].copy_from_slice(b" \0");
        cases.push(refused(
            format!("{entry}: checksum in another form"),
            Sample::new().edit_entries(edit),
            refusal,
        ));
        let edit = move |entries: &mut Vec<Entry>| entries[index].padding[0] = 1;
        cases.push(refused(format!("{entry}: padding"), Sample::new().edit_entries(edit), "must be zero"));
    }
    cases
}

/// Entries missing, twice, extra, misnamed, in another order, or of another size.
fn entries() -> Vec<Case> {
    let edit = |name: &str, edit: fn(&mut Vec<Entry>), refusal| {
        refused(name, Sample::new().edit_entries(edit), refusal)
    };
    vec![
        edit("cover missing", |e| drop(e.remove(0)), NOT_A_BUNDLE),
        edit("manifest missing", |e| drop(e.remove(2)), "header of `manifest.json.zst`"),
        edit("pack table missing", |e| drop(e.remove(3)), "header of `packs.json.zst`"),
        edit("evidence missing", |e| drop(e.remove(4)), "header of `evidence.json.zst`"),
        edit("pack missing", |e| drop(e.remove(5)), ".zst` is not the one that belongs there"),
        edit("cover twice", |e| e.insert(1, e[0].clone()), "header of `goferry.json.minisig`"),
        edit("signature twice", |e| e.insert(2, e[1].clone()), "header of `manifest.json.zst`"),
        edit("manifest twice", |e| e.insert(3, e[2].clone()), "header of `packs.json.zst`"),
        edit("pack twice", |e| e.insert(6, e[5].clone()), ".zst` is not the one that belongs there"),
        edit("last pack twice", |e| e.insert(7, e[6].clone()), "must be zero"),
        edit(
            "extra entry",
            |e| e.insert(5, Entry::new("README", b"x".to_vec())),
            "is not the one that belongs there",
        ),
        edit("pax header in front", |e| e.insert(0, pax()), NOT_A_BUNDLE),
        edit("pax header before the manifest", |e| e.insert(2, pax()), "header of `manifest.json.zst`"),
        edit("signature before cover", |e| e.swap(0, 1), NOT_A_BUNDLE),
        edit("tables in another order", |e| e.swap(2, 3), "header of `manifest.json.zst`"),
        edit("packs in another order", |e| e.swap(5, 6), ".zst` is not the one that belongs there"),
        edit("cover misnamed", |e| rename(&mut e[0], "./goferry.json"), NOT_A_BUNDLE),
        edit(
            "pack misnamed",
            |e| rename(&mut e[5], "packs/../x.zst"),
            ".zst` is not the one that belongs there",
        ),
        edit(
            "entry longer than the signed size",
            |e| resize(&mut e[5], 1),
            ".zst` is not the one that belongs",
        ),
        edit(
            "entry shorter than the signed size",
            |e| resize(&mut e[5], -1),
            ".zst` is not the one that belongs",
        ),
        refused(
            "cover over 64 KiB",
            Sample::new().edit_cover(|cover| cover.resize(65_537, b' ')),
            NOT_A_BUNDLE,
        ),
        super::accepted("cover of 64 KiB", Sample::new().edit_cover(|cover| cover.resize(65_536, b' '))),
    ]
}

/// The end of the archive, and files that are none.
fn ends() -> Vec<Case> {
    let edit =
        |name: &str, edit: fn(&mut Vec<u8>), refusal| refused(name, Sample::new().edit_file(edit), refusal);
    vec![
        edit("end missing", |file| file.truncate(file.len() - 1024), "cut off"),
        edit("end of 512 bytes", |file| file.truncate(file.len() - 512), "cut off"),
        edit("end of 1536 bytes", |file| file.resize(file.len() + 512, 0), "something follows its end"),
        edit(
            "padded to tar's records of 10 KiB",
            |file| file.resize((file.len() + 1).next_multiple_of(10_240), 0),
            "something follows its end",
        ),
        edit("one byte after the end", |file| file.push(0), "something follows its end"),
        edit(
            "another archive after the end",
            |file| file.extend_from_within(..),
            "something follows its end",
        ),
        edit("a byte in front", |file| file.insert(0, 0), NOT_A_BUNDLE),
        edit("#57 empty file", Vec::clear, NOT_A_BUNDLE),
        edit("one block of zeros", |file| *file = vec![0; 512], NOT_A_BUNDLE),
        edit("an empty tar archive", |file| *file = vec![0; 1024], NOT_A_BUNDLE),
        edit("#63 a volume of zero bytes and a header", |file| file.truncate(512), "cut off"),
    ]
}

fn pax() -> Entry {
    let mut entry = Entry::new("PaxHeaders/goferry.json", b"20 path=goferry.json\n".to_vec());
    entry.put(156, b"x");
    entry
}

fn rename(entry: &mut Entry, name: &str) {
    let mut field = [0; 100];
    field[..name.len()].copy_from_slice(name.as_bytes());
    entry.put(0, &field);
}

/// One byte more or less, in header and content, with the right padding.
fn resize(entry: &mut Entry, by: isize) {
    let size = entry.content.len().checked_add_signed(by).expect("not empty");
    entry.content.resize(size, 0);
    entry.padding = vec![0; size.next_multiple_of(512) - size];
    entry.put(124, format!("{size:011o}").as_bytes());
}
