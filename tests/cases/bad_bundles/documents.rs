//! The JSON documents: bad-inputs #11, #24 to #29, #48, and the cover.

use e2e::bundle_builder::Sample;

use super::{Case, accepted, refused, replace, replace_with_bytes};

pub(super) fn cases() -> Vec<Case> {
    [everywhere(), cover(), numbers(), evidence()].into_iter().flatten().collect()
}

/// Each leniency of JSON, in each document.
fn everywhere() -> Vec<Case> {
    type Lenient<'a> = (&'static str, &'static str, &'a [u8], &'static str);
    let bomb = "{\"a\":".repeat(10_000);
    // Applied to a document that begins with `{"type":…`.
    let lenient: [Lenient<'_>; 9] = [
        ("#24 duplicate key", "{", b"{\"type\":\"x\",", "duplicate field `type`"),
        ("#25 unknown field", "{", b"{\"extra\":1,", "unknown field `extra`"),
        ("#26 second document behind", "}\n", b"}\n{}", "trailing characters"),
        ("#26 NUL behind", "}\n", b"}\n\0", "trailing characters"),
        ("#27 depth bomb", "{", bomb.as_bytes(), "nested deeper than 8 levels"),
        ("#29 invalid UTF-8", "/v1", b"/v1\xff", "invalid unicode code point"),
        ("#29 lone surrogate", "/v1", b"/v1\\ud800", "hex escape"),
        ("byte-order mark", "{", b"\xef\xbb\xbf{", "expected value"),
        ("#48 version 2", "/v1", b"/v2", "not a `goferry/"),
    ];
    let documents: [(&str, EditDocument); 4] = [
        ("cover", |sample, edit| sample.edit_cover(edit)),
        ("manifest", |sample, edit| sample.edit_manifest(edit)),
        ("pack table", |sample, edit| sample.edit_pack_table(edit)),
        ("evidence", |sample, edit| sample.edit_evidence(edit)),
    ];
    let mut cases = Vec::new();
    for (document, edit) in documents {
        for (name, from, to, refusal) in lenient {
            // Behind the last brace, not behind the first.
            let change: Edit = if from == "}\n" {
                let to = to.to_vec();
                Box::new(move |text| {
                    text.truncate(text.len() - from.len());
                    text.extend_from_slice(&to);
                })
            } else {
                Box::new(replace_with_bytes(from, to))
            };
            cases.push(refused(format!("{name} in the {document}"), edit(Sample::new(), change), refusal));
        }
        let empty: Edit = Box::new(Vec::clear);
        cases.push(refused(format!("empty {document}"), edit(Sample::new(), empty), "EOF while parsing"));
    }
    cases
}

type EditDocument = fn(Sample, Edit) -> Sample;
type Edit = Box<dyn FnOnce(&mut Vec<u8>)>;

fn cover() -> Vec<Case> {
    let bad = |name: &str, from: &str, to: &str, refusal| {
        refused(name, Sample::new().edit_cover(replace(from, to)), refusal)
    };
    let good = |name: &str, from: &str, to: &str| accepted(name, Sample::new().edit_cover(replace(from, to)));
    let created = "\"2026-11-24T08:15:00Z\"";
    vec![
        bad(
            "#11 a signed document of another type",
            "goferry/bundle/v1",
            "goferry/rotation/v1",
            "the document is a `goferry/rotation/v1`",
        ),
        bad(
            "#48 an unknown minor version",
            "goferry/bundle/v1",
            "goferry/bundle/v1.1",
            "the document is a `goferry/bundle/v1.1`",
        ),
        bad(
            "what is required is unknown",
            "\"requires\": []",
            "\"requires\": [\"base 04e0\"]",
            "requires `base 04e0`",
        ),
        bad("requires missing", "\"requires\": [],", "", "missing field `requires`"),
        good(
            "#12 expired: the host's clock decides nothing here",
            created,
            &format!("{created}, \"expires\": \"1970-01-01T00:00:00Z\""),
        ),
        bad("expires is null", created, &format!("{created}, \"expires\": null"), "invalid type: null"),
        good("compact cover", "  \"type\": ", "\"type\":"),
        good("escaped letter", "\"sample\"", "\"s\\u0061mple\""),
        bad("#30 ESC in the name", "\"sample\"", "\"s\\u001b[2J\"", "is not a channel name"),
        bad("name with a slash", "\"sample\"", "\"../sample\"", "is not a channel name"),
        bad("name empty", "\"sample\"", "\"\"", "is not a channel name"),
        bad(
            "name of 65 characters",
            "\"sample\"",
            &format!("\"{}\"", "a".repeat(65)),
            "is not a channel name",
        ),
        bad("created with an offset", created, "\"2026-11-24T08:15:00+00:00\"", "is not a time"),
        bad("created with fractions", created, "\"2026-11-24T08:15:00.5Z\"", "is not a time"),
        bad("created on no day", created, "\"2026-02-29T08:15:00Z\"", "is not a time"),
        good("created on a leap day", created, "\"2024-02-29T23:59:59Z\""),
        bad("created in a leap second", created, "\"2016-12-31T23:59:60Z\"", "is not a time"),
        bad("created at hour 24", created, "\"2026-11-24T24:00:00Z\"", "is not a time"),
        good("created in the year 0", created, "\"0000-01-01T00:00:00Z\""),
        good("the last moment", created, "\"9999-12-30T22:00:00Z\""),
        bad("after the last moment", created, "\"9999-12-31T00:00:00Z\"", "is not a time"),
        bad("#41 upper-case digest", "\"sha256\": \"", "\"sha256\": \"A", "is not a SHA-256 digest"),
        bad(
            "#41 digest with its algorithm's name",
            "\"sha256\": \"",
            "\"sha256\": \"sha256:",
            "is not a SHA-256 digest",
        ),
        bad("a field of another digest", "\"sha256\": \"", "\"sha1\": \"", "unknown field `sha1`"),
        bad(
            "a table in array form",
            "\"manifest\": {",
            "\"manifest\": [1, \"a\"], \"x\": {",
            "values of different kinds",
        ),
        refused(
            "#40 a table above 256 MiB",
            Sample::new().edit_cover(|text| number_after(text, "content_size", "268435457")),
            "above the limit of 268435456",
        ),
        refused(
            "#40 a compressed table above 256 MiB",
            Sample::new().edit_cover(|text| number_after(text, "size", "268435457")),
            "above the limit of 268435456",
        ),
    ]
}

/// #28: numbers that are no plain integers in range.
fn numbers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, refusal) in [
        ("1e400", "number out of range"),
        ("1e0", "invalid type: floating point"),
        ("1.0", "invalid type: floating point"),
        ("-0", "invalid type: floating point"),
        ("-1", "invalid value: integer `-1`"),
        ("0", "is not a sequence number"),
        ("01", "invalid number"),
        ("9007199254740992", "is not a sequence number"),
        ("9007199254740993", "is not a sequence number"),
        ("18446744073709551615", "is not a sequence number"),
        ("18446744073709551616", "invalid type: floating point"),
        ("\"1\"", "invalid type: string"),
        ("true", "invalid type: boolean"),
        ("null", "invalid type: null"),
        ("NaN", "expected"),
        ("+1", "expected value"),
        ("0x1", "expected `,` or `}`"),
    ] {
        let edit = replace("\"sequence\": 1", &format!("\"sequence\": {number}"));
        cases.push(refused(format!("#28 sequence {number}"), Sample::new().edit_cover(edit), refusal));
    }
    let edit = replace("\"sequence\": 1", "\"sequence\": 9007199254740991");
    cases.push(accepted("#18 the largest sequence", Sample::new().edit_cover(edit)));
    for (number, refusal) in [
        ("-9", "invalid value: integer `-9`"),
        ("9.0", "invalid type: floating point"),
        ("9007199254740993", "above the limit of 536870912"),
        ("536870913", "above the limit of 536870912"),
        ("18446744073709551616", "invalid type: floating point"),
    ] {
        let edit = replace("\"size\":9", &format!("\"size\":{number}"));
        cases.push(refused(format!("#28 file size {number}"), Sample::new().edit_manifest(edit), refusal));
    }
    cases
}

fn evidence() -> Vec<Case> {
    let bad = |name: &str, to: &str, refusal| {
        refused(name, Sample::new().edit_evidence(replace("\"runs\":[]", to)), refusal)
    };
    vec![
        bad("evidence of a later version", "\"runs\":[{}]", "evidence: "),
        bad("runs is null", "\"runs\":null", "invalid type: null"),
        bad("runs is an object", "\"runs\":{}", "invalid type: map"),
        accepted(
            "evidence spread over lines",
            Sample::new().edit_evidence(replace("\"runs\":[]", "\r\n\t\"runs\" : [ ] ")),
        ),
    ]
}

/// Replaces the number of the first field of this name.
fn number_after(text: &mut Vec<u8>, field: &str, number: &str) {
    let all = String::from_utf8(text.clone()).expect("text");
    let key = format!("\"{field}\": ");
    let at = all.find(&key).expect("a field") + key.len();
    let end = at + all[at..].find(|c: char| !c.is_ascii_digit()).expect("an end");
    text.splice(at..end, number.bytes());
}
