//! Signatures: bad-inputs #1 to #10, #22, #23, and what minisign's container adds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::bundle_builder::{Sample, another_key, entries_of, key_with_the_signers_id, sign, signer};
use goferry_manifest::Sequence;
use goferry_manifest::minisign::SecretKey;

use super::{Case, accepted, refused};

const NOT_OF_THE_KEY: &str = "is not a signature of `goferry.json` by the trusted key";

pub(super) fn cases() -> Vec<Case> {
    [keys(), numbers(), values(), lines()].into_iter().flatten().collect()
}

/// Who signed.
fn keys() -> Vec<Case> {
    vec![
        refused("#6 signed by an unknown key", signed_by(vec![another_key()]), "no trusted key"),
        refused(
            "#7 another key with the signer's id",
            signed_by(vec![key_with_the_signers_id()]),
            NOT_OF_THE_KEY,
        ),
        accepted("#8 the same key twice is one signer", signed_by(vec![signer(), signer()])),
        accepted("an unknown key's signature beside a trusted one", signed_by(vec![another_key(), signer()])),
        refused(
            "a trusted key's bad signature beside a good one",
            signed_by(vec![signer(), key_with_the_signers_id()]),
            "`goferry.json.2.minisig` is not a signature",
        ),
        refused(
            "#22 the signature of another bundle",
            Sample::new().edit_signatures(|files| {
                files[0] = entries_of(&Sample::new().sequence(2).build()).remove(1).content;
            }),
            NOT_OF_THE_KEY,
        ),
    ]
}

/// How many signatures there are.
fn numbers() -> Vec<Case> {
    let signed = |count: usize| signed_by((0..count).map(|_| signer()).collect());
    vec![
        accepted("16 signatures", signed(16)),
        refused("#9 17 signatures", signed(17), "header of `manifest.json.zst`"),
        refused(
            "#10 no signature",
            Sample::new().edit_signatures(Vec::clear),
            "header of `goferry.json.minisig`",
        ),
        refused(
            "a gap in the signature numbers",
            signed(3).edit_entries(|entries| drop(entries.remove(2))),
            "header of `manifest.json.zst`",
        ),
    ]
}

/// Other numbers in a well-formed signature. The bytes of line 2: `ED`, key id, R, S; of line 4: R, S.
fn values() -> Vec<Case> {
    let bad = |name: &str, line: usize, edit: fn(&mut [u8]), refusal| {
        refused(
            name,
            Sample::new().edit_signatures(move |files| edit_base64(&mut files[0], line, edit)),
            refusal,
        )
    };
    vec![
        bad("#1 one bit of R flipped", 1, |bytes| bytes[10] ^= 1, NOT_OF_THE_KEY),
        bad("#1 one bit of S flipped", 1, |bytes| bytes[42] ^= 1, NOT_OF_THE_KEY),
        bad("#1 one bit of the global signature flipped", 3, |bytes| bytes[0] ^= 1, NOT_OF_THE_KEY),
        bad("#2 S plus the group order", 1, |bytes| add_group_order(&mut bytes[42..]), NOT_OF_THE_KEY),
        bad(
            "#2 S plus the group order, global",
            3,
            |bytes| add_group_order(&mut bytes[32..]),
            NOT_OF_THE_KEY,
        ),
        bad("#4 R is a small-order point", 1, |bytes| small_order(&mut bytes[10..42]), NOT_OF_THE_KEY),
        bad("#4 R in a non-canonical encoding", 1, |bytes| non_canonical(&mut bytes[10..42]), NOT_OF_THE_KEY),
        bad("legacy `Ed` where `ED` is required", 1, |bytes| bytes[1] = b'd', "legacy kind `Ed`"),
        bad("another algorithm", 1, |bytes| bytes[0] = b'X', "not of minisign's prehashed kind"),
        bad("the key id of an unknown key", 1, |bytes| bytes[2] ^= 1, "no trusted key"),
    ]
}

/// Other text around it.
fn lines() -> Vec<Case> {
    let text = |name: &str, edit: fn(String) -> String, refusal| {
        let edit = move |files: &mut Vec<Vec<u8>>| {
            let file = String::from_utf8(files[0].clone()).expect("text");
            files[0] = edit(file).into_bytes();
        };
        refused(name, Sample::new().edit_signatures(edit), refusal)
    };
    vec![
        text(
            "trusted comment changed",
            |file| file.replace("goferry sample", "goferry simple"),
            NOT_OF_THE_KEY,
        ),
        text(
            "trusted comment with an escape",
            |file| file.replace("goferry sample", "\u{1b}[2J"),
            "not a printable character",
        ),
        text(
            "trusted comment too long",
            |file| file.replace("sample", &"x".repeat(500)),
            "trusted comment has",
        ),
        text(
            "first line of minisign",
            |file| file.replace("goferry secret key", "minisign secret key"),
            "first line of the signature",
        ),
        text("CRLF", |file| file.replace('\n', "\r\n"), "end with LF alone"),
        text("byte-order mark", |file| format!("\u{feff}{file}"), "first line of the signature"),
        text("last LF missing", |file| file.trim_end().to_owned(), "four lines"),
        text("extra line", |file| format!("{file}\n"), "four lines"),
        text("#23 signature appended twice", |file| file.repeat(2), "four lines"),
        text("#23 trailing garbage", |file| format!("{file}x"), "four lines"),
        text("#23 trailing NUL", |file| format!("{file}\0"), "four lines"),
        text("empty signature", |_| String::new(), "four lines"),
        text("base64 with a blank", |file| file.replacen("\nR", "\n R", 1), "canonical base64"),
        text("base64 cut", |file| file.replacen("\nRU", "\nRUQ", 1), "canonical base64"),
        text("URL alphabet", |file| file.replacen("\nRU", "\n-_", 1), "canonical base64"),
        text("base64 without padding", |file| file.replace("=\n", "\n"), "canonical base64"),
        text(
            "signature over 1 KiB",
            |file| format!("{file}{}", "x".repeat(1024)),
            "header of `goferry.json.minisig`",
        ),
    ]
}

fn signed_by(keys: Vec<SecretKey>) -> Sample {
    Sample::new().edit_entries(move |entries| {
        let name = "sample".parse().expect("a channel");
        let cover = entries[0].content.clone();
        let signature = |key: &SecretKey| sign(key, &name, Sequence::FIRST, &cover).to_bytes();
        let entry = |(index, key): (usize, &SecretKey)| {
            let number = if index == 0 { String::new() } else { format!(".{}", index + 1) };
            e2e::bundle_builder::Entry::new(&format!("goferry.json{number}.minisig"), signature(key))
        };
        entries.splice(1..2, keys.iter().enumerate().map(entry));
    })
}

fn edit_base64(file: &mut Vec<u8>, line: usize, edit: fn(&mut [u8])) {
    let text = String::from_utf8(file.clone()).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut bytes = STANDARD.decode(&lines[line]).expect("base64");
    edit(&mut bytes);
    lines[line] = STANDARD.encode(&bytes);
    *file = format!("{}\n", lines.join("\n")).into_bytes();
}

/// Adds L = 2^252 + 27742317777372353535851937790883648493 to the little-endian number.
fn add_group_order(scalar: &mut [u8]) {
    let mut order = [0_u8; 32];
    order[..16].copy_from_slice(&27_742_317_777_372_353_535_851_937_790_883_648_493_u128.to_le_bytes());
    order[31] = 0x10;
    let mut carry = 0;
    for (byte, add) in scalar.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

/// The neutral element.
fn small_order(point: &mut [u8]) {
    point.fill(0);
    point[0] = 1;
}

/// y = p + 1, which is 1 once more.
fn non_canonical(point: &mut [u8]) {
    point.fill(0xff);
    point[0] = 0xee;
    point[31] = 0x7f;
}
