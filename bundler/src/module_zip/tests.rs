use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const PREFIX: &str = "a.b/c@v1.0.0/";

fn module() -> Module {
    Module::new("a.b/c".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
        } else {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn good() -> Vec<u8> {
    zip_of(&[("a.b/c@v1.0.0/go.mod", b"module a.b/c\n"), ("a.b/c@v1.0.0/x/y.go", b"package x\n")])
}

fn refusal(bytes: &[u8]) -> Flaw {
    *read(&module(), Cursor::new(bytes)).unwrap_err().flaw
}

/// Every place where `from` stands, replaced by `to` of the same length.
fn patched(bytes: &[u8], from: &[u8], to: &[u8], which: usize) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut places = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from));
    let at = places.nth(which).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn files_and_h1_are_those_that_go_sees() {
    let zip = read(&module(), Cursor::new(good())).unwrap();
    let names: Vec<_> = zip.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["go.mod", "x/y.go"]);
    assert_eq!(zip.files[1].size, 10);
    assert_eq!(zip.h1.to_string(), "h1:vu8DgasuJgT2XDdhtVXyE0NpAst6qhvqa1vGZFZdnDQ=");
    let stored_in_other_order =
        zip_of(&[("a.b/c@v1.0.0/x/y.go", b"package x\n"), ("a.b/c@v1.0.0/go.mod", b"module a.b/c\n")]);
    assert_eq!(read(&module(), Cursor::new(stored_in_other_order)).unwrap().h1, zip.h1);
}

#[test]
fn names_that_go_refuses_are_refused() {
    // bad-inputs #30, #31, #110
    for name in ["../x", "/x", "x//y", "./x", "x/../y", "a\\b", "x\n", "con", "x.", "x:y"] {
        let flaw = refusal(&zip_of(&[(&format!("{PREFIX}{name}"), b"")]));
        assert!(matches!(flaw, Flaw::Path(_)), "{name:?}: {flaw}");
    }
    for name in ["go.mod", "a.b/c@v1.0.1/go.mod", "a.b/C@v1.0.0/go.mod", "a.b/c/go.mod", "/a.b/c@v1.0.0/x"] {
        let flaw = refusal(&zip_of(&[(name, b"")]));
        assert!(matches!(flaw, Flaw::Prefix { .. }), "{name:?}: {flaw}");
    }
    for name in ["Go.mod", "GO.MOD", "x/go.mod", "x/Go.Mod"] {
        let flaw = refusal(&zip_of(&[(&format!("{PREFIX}{name}"), b"")]));
        assert!(matches!(flaw, Flaw::MisplacedGoMod(_)), "{name:?}: {flaw}");
    }
    for name in [PREFIX, "a.b/c@v1.0.0/x/"] {
        assert!(matches!(refusal(&zip_of(&[(name, b"")])), Flaw::Directory { .. }), "{name}");
    }
    assert!(matches!(refusal(&zip_of(&[("a.b/", b"")])), Flaw::Prefix { .. }));
}

#[test]
fn names_that_clash_are_refused() {
    // bad-inputs #33, #34, #35
    for pair in [["x.go", "X.go"], ["x/y", "X/z"], ["x", "x/y"]] {
        let [one, two] = pair.map(|name| format!("{PREFIX}{name}"));
        assert!(matches!(refusal(&zip_of(&[(&one, b"1"), (&two, b"2")])), Flaw::Clash(_)), "{pair:?}");
    }
    let twins = zip_of(&[("a.b/c@v1.0.0/x1", b"1"), ("a.b/c@v1.0.0/x2", b"2")]);
    let once = patched(&twins, b"x2", b"x1", 0);
    let twice = patched(&once, b"x2", b"x1", 0);
    assert!(matches!(refusal(&twice), Flaw::Zip(_)));
}

#[test]
fn local_headers_that_say_something_else_are_refused() {
    // bad-inputs #110
    let name = b"x/y.go";
    assert!(matches!(refusal(&patched(&good(), name, b"x/z.go", 0)), Flaw::Zip(_)));
    assert!(matches!(refusal(&patched(&good(), name, b"x/z.go", 1)), Flaw::Zip(_)));
    let zip = good();
    let local = zip.windows(4).rposition(|window| window == b"PK\x03\x04").unwrap();
    let central = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    // flags, method, CRC, sizes; behind the signature, and in the central one behind the version made by
    for field in [2, 4, 10, 14, 18] {
        for header in [local + 4, central + 6] {
            let mut bytes = zip.clone();
            bytes[header + field] ^= 1;
            assert!(read(&module(), Cursor::new(&bytes)).is_err(), "{field} {header}");
        }
    }
}

#[test]
fn sizes_that_lie_are_refused() {
    let zip = good();
    let local = zip.windows(4).rposition(|window| window == b"PK\x03\x04").unwrap();
    let central = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    for size in [0_u32, 9, 11, 1 << 20] {
        let mut bytes = zip.clone();
        bytes[local + 22..local + 26].copy_from_slice(&size.to_le_bytes());
        bytes[central + 24..central + 28].copy_from_slice(&size.to_le_bytes());
        assert!(read(&module(), Cursor::new(&bytes)).is_err(), "{size}");
    }
}

#[test]
fn what_is_larger_than_go_allows_is_refused_before_it_is_decompressed() {
    let large = vec![0; usize::try_from(MAX_SPECIAL_FILE_BYTES).unwrap() + 1];
    for name in ["go.mod", "LICENSE"] {
        let flaw = refusal(&zip_of(&[(&format!("{PREFIX}{name}"), &large)]));
        assert!(matches!(flaw, Flaw::TooLarge { .. }), "{flaw}");
    }
    assert!(read(&module(), Cursor::new(zip_of(&[("a.b/c@v1.0.0/x/LICENSE", &large)]))).is_ok());
    let chunk = vec![0; 64 << 20];
    let names: Vec<String> = (0..8).map(|n| format!("{PREFIX}{n}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), chunk.as_slice())).collect();
    assert!(matches!(refusal(&zip_of(&entries)), Flaw::TooLarge { .. }));
}

#[test]
fn bytes_around_the_archive_are_refused() {
    // bad-inputs #110
    let zip = good();
    let with = |parts: &[&[u8]]| read(&module(), Cursor::new(parts.concat()));
    assert!(with(&[&zip]).is_ok());
    for junk in [&b"x"[..], &[0; 40], b"PK\x03\x04", &zip] {
        assert!(with(&[junk, &zip]).is_err());
        assert!(with(&[&zip, junk]).is_err());
    }
    let central = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let mut shifted = [&zip[..central], &[0; 40], &zip[central..]].concat();
    let offset = shifted.len() - 6;
    let start = u32::try_from(central + 40).unwrap();
    shifted[offset..offset + 4].copy_from_slice(&start.to_le_bytes());
    assert!(matches!(refusal(&shifted), Flaw::ForeignBytes(_)));
    let end = zip.len() - 22;
    assert!(with(&[&zip[..end], &[0; 40], &zip[end..]]).is_err());
}

#[test]
fn encrypted_files_and_other_methods_are_refused() {
    let zip = good();
    let local = zip.windows(4).rposition(|window| window == b"PK\x03\x04").unwrap();
    let central = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let with = |field: usize, value: u8| {
        let mut bytes = zip.clone();
        (bytes[local + 4 + field], bytes[central + 6 + field]) = (value, value);
        refusal(&bytes)
    };
    assert!(matches!(with(2, 1), Flaw::Encoding { .. }));
    for method in [1, 9, 12, 14, 93, 99] {
        assert!(matches!(with(4, method), Flaw::Encoding { .. } | Flaw::Zip(_)), "{method}");
    }
}

#[test]
fn no_cut_or_changed_zip_makes_the_reader_panic() {
    let zip = good();
    for length in 0..zip.len() {
        assert!(read(&module(), Cursor::new(&zip[..length])).is_err(), "{length}");
    }
    for bit in 0..zip.len() * 8 {
        let mut bytes = zip.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ = read(&module(), Cursor::new(&bytes));
    }
}
