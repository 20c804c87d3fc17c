//! The manifest: bad-inputs #30 to #47.

use e2e::bundle_builder::{Sample, SampleModule, SampleToolchain};
use goferry_manifest::Sha256Digest;

use super::{Case, accepted, refused, replace};

pub(super) fn cases() -> Vec<Case> {
    [paths(), pairs_of_names(), sizes(), texts(), modules(), toolchains(), orders()]
        .into_iter()
        .flatten()
        .collect()
}

fn bad(name: impl Into<String>, from: &str, to: &str, refusal: &'static str) -> Case {
    refused(name, Sample::new().edit_manifest(replace(from, to)), refusal)
}

/// #30 to #32: in place of the last file of the toolchain, so that order is not what refuses.
fn paths() -> Vec<Case> {
    let long = |element: usize, count: usize| vec!["z".repeat(element); count].join("/");
    let mut cases = Vec::new();
    for (number, path) in [
        (30, r"z\u0000"),
        (30, r"z\n"),
        (30, r"z\r"),
        (30, r"z\u001b[2J"),
        (30, r"z\u0085"),
        (30, r"z\u202e"),
        (31, ".."),
        (31, "z/../z"),
        (31, "."),
        (31, "z/./z"),
        (31, "z//z"),
        (31, "/z"),
        (31, ""),
        (31, "z/"),
        (31, r"z\\z"),
        (31, "z:z"),
        (31, "z."),
        (31, "z/con.txt"),
        (31, "z*"),
        (33, r"z\u0301"),
    ] {
        let edit = replace("src/fmt/print.go", path);
        cases.push(refused(
            format!("#{number} path {path:?}"),
            Sample::new().edit_manifest(edit),
            "is not a file path",
        ));
    }
    for (name, path) in [
        ("a name of 256 bytes", long(256, 1)),
        ("a path of 4097 bytes", long(1, 2048) + "zz"),
        ("a name of 256 bytes of é", "é".repeat(128)),
    ] {
        let edit = replace("src/fmt/print.go", &path);
        cases.push(refused(format!("#32 {name}"), Sample::new().edit_manifest(edit), "is not a file path"));
    }
    let module = |path: &str| SampleModule::new("example.com/z", "v1.0.0", &[(path, "z")]);
    for (name, path) in [
        ("a name of 255 bytes", long(255, 1)),
        ("a path of 4095 bytes, depth 2048", long(1, 2048)),
        ("depth 300", long(3, 300)),
        ("a path of letters", "日本/ñ/ſ.go".to_owned()),
        ("#36 names of our own files", "receipt.json/.staging-1/.lock".to_owned()),
    ] {
        cases.push(accepted(name, Sample::new().modules(vec![module(&path)])));
    }
    cases
}

/// #33 to #35.
fn pairs_of_names() -> Vec<Case> {
    let module = |files: &[(&str, &str)]| {
        Sample::new().modules(vec![SampleModule::new("example.com/z", "v1.0.0", files)])
    };
    vec![
        bad("#33 names equal under case folding", "\"bin/go\"", "\"bin/GOFMT\"", "differ only in case"),
        bad("#33 directories equal under case folding", "\"VERSION\"", "\"BIN/x\"", "differ only in case"),
        refused(
            "#33 Kelvin sign and k",
            module(&[("y", "y"), ("z", "z")]).edit_manifest(|text| {
                replace("\"path\":\"y\"", "\"path\":\"k\"")(text);
                replace("\"path\":\"z\"", "\"path\":\"\u{212a}\"")(text);
            }),
            "differ only in case",
        ),
        accepted(
            "#33 ß and ss are two names, as in x/mod/zip",
            module(&[("ß", "1"), ("ss", "2"), ("ẞ2", "3")]),
        ),
        bad("#34 a file and a directory", "bin/gofmt", "bin/go/fmt", "is a file and a directory"),
        bad("#35 the same path twice", "bin/gofmt", "bin/go", "is not after the entry before it"),
        bad(
            "_go.mod beside a file that is called go.mod",
            "\"lib/wasm/go_js_wasm_exec\"",
            "\"go.mod\"",
            "`go.mod` is listed twice",
        ),
        bad("files not sorted", "\"VERSION\"", "\"zz\"", "is not after the entry before it"),
    ]
}

/// #39, #40, #45: sizes do not enter h1.
fn sizes() -> Vec<Case> {
    let size_of = |path: &str| {
        let marker = format!("\"path\":\"{path}\",\"size\":");
        move |text: &mut Vec<u8>| {
            let all = String::from_utf8(text.clone()).expect("text");
            let at = all.find(&marker).expect("the file") + marker.len();
            let end = at + all[at..].find(',').expect("an end");
            text.splice(at..end, b"524288001".iter().copied());
        }
    };
    let bad =
        |name: &str, path: &str, refusal| refused(name, Sample::new().edit_manifest(size_of(path)), refusal);
    vec![
        bad(
            "#39 a module above 500 MiB",
            "deep.go",
            "the size of example.com/deep@v1.9.0 is above the limit",
        ),
        bad("a LICENSE above 16 MiB", "LICENSE", "above the limit"),
        bad("one content with two sizes", "a/b/c/d/e/f/same.go", "above the limit"),
        bad("sizes that are not the packed ones", "bin/go", "bytes of content, its blobs have"),
        refused(
            "#39 sizes whose sum overflows",
            Sample::new().edit_pack_table(|text| {
                replace("\"content_size\":", "\"content_size\":1844674407370955")(text);
            }),
            "pack table: ",
        ),
    ]
}

/// #37, #38, #41: fields that do not exist, texts of another form.
fn texts() -> Vec<Case> {
    let file = |name: &str, field: &str, refusal| {
        bad(name, "{\"path\":\"VERSION\"", &format!("{{{field}\"path\":\"VERSION\""), refusal)
    };
    vec![
        file("#37 setuid mode", "\"mode\":2541,", "unknown field `mode`"),
        file("#37 executable", "\"executable\":true,", "unknown field `executable`"),
        file("#38 symbolic link", "\"type\":\"symlink\",\"target\":\"/etc/passwd\",", "unknown field `type`"),
        file("#38 hard link", "\"link\":\"bin/go\",", "unknown field `link`"),
        file("#38 extended attributes", "\"xattr\":{},", "unknown field `xattr`"),
        file("path twice", "\"path\":\"A\",", "duplicate field `path`"),
        bad("#41 digest too short", "\"sha256\":\"", "\"sha256\":\"0\",\"x\":\"", "is not a SHA-256 digest"),
        bad(
            "#41 weaker algorithm",
            "\"sha256\":\"",
            "\"md5\":\"d41d8cd98f00b204e9800998ecf8427e\",\"sha256\":\"",
            "unknown field `md5`",
        ),
        bad("#41 another version of h1", "\"h1\":\"h1:", "\"h1\":\"h2:", "is not a Go directory hash"),
        bad("h1 in another base64", "\"h1\":\"h1:", "\"h1\":\"h1: ", "is not a Go directory hash"),
        bad(
            "a file in array form",
            "{\"path\":\"VERSION\"",
            "[\"VERSION\",9,\"x\"],{\"path\":\"VERSION\"",
            "values of different kinds",
        ),
        bad("files is an object", "\"files\":[", "\"files\":{},\"x\":[", "invalid type: map"),
        bad("zip is null", "\"go_mod\":{", "\"zip\":null,\"go_mod\":{", "invalid type: null"),
    ]
}

/// #43 to #45.
fn modules() -> Vec<Case> {
    let path = |name: &str, to: &str, refusal| bad(name, "\"gopkg.in/yaml.v3\"", &format!("{to:?}"), refusal);
    let version = |name: &str, to: &str, refusal| bad(name, "\"v1.10.0\"", &format!("{to:?}"), refusal);
    vec![
        path("#43 a path that is escaped already", "gopkg.in/!yaml.v3", "is not a module path"),
        path("#43 a path without a dot", "gopkg/yaml", "is not a module path"),
        path("#43 a path with an upper-case host", "Gopkg.in/yaml.v3", "is not a module path"),
        path("#43 a path with v1", "gopkg.io/yaml/v1", "is not a module path"),
        path("#43 gopkg.in without a version", "gopkg.in/yaml", "is not a module path"),
        path("#31 a path with ..", "gopkg.in/../yaml.v3", "is not a module path"),
        path("#43 a path of another major version", "gopkg.io/yaml/v4", "cannot belong to module"),
        path("a path with a short name of Windows", "gopkg.io/yaml~1", "is not a module path"),
        version("#43 a version of another major version", "v2.0.0", "cannot belong to module"),
        version("#43 a version that is not canonical", "v1.10", "is not a canonical module version"),
        version("#43 a version with metadata", "v1.10.0+meta", "is not a canonical module version"),
        version("#43 a version with leading zeros", "v1.010.0", "is not a canonical module version"),
        version("#43 a version of upper case", "V1.10.0", "is not a canonical module version"),
        version(
            "#43 a major version of 2^64",
            "v18446744073709551616.0.0+incompatible",
            "is not a canonical",
        ),
        version("#31 a version with ..", "v1.10.0-a/..", "is not a canonical module version"),
        bad(
            "#43 incompatible without need",
            "\"gopkg.in/yaml.v3\",\"version\":\"v3.0.1",
            "\"gopkg.in/yaml.v3\",\"version\":\"v3.0.1+incompatible",
            "cannot belong to module",
        ),
        bad("#44 time with an offset", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "is not a time"),
        bad(
            "#44 further origin of the .info",
            "\"time\":",
            "\"origin\":{},\"time\":",
            "unknown field `origin`",
        ),
        bad(
            "#45 the h1 of another module",
            "\"version\":\"v1.9.0\"",
            "\"version\":\"v1.9.1\"",
            "is not what its files are",
        ),
        bad(
            "#45 a file renamed",
            "\"path\":\"toml.go\"",
            "\"path\":\"tomk.go\"",
            "is not what its files are",
        ),
        refused(
            "#44 two go.mod in one module",
            Sample::new().edit_manifest(other_go_mod),
            "is not the one among its files",
        ),
        refused(
            "#44 the h1 of another go.mod",
            Sample::new().edit_manifest(other_go_mod_content),
            "/go.mod` is not what its files are",
        ),
    ]
}

/// #46, #47.
fn toolchains() -> Vec<Case> {
    let release = |name: &str, to: &str, refusal| {
        bad(name, "\"version\":\"1.27.3\"", &format!("\"version\":{to:?}"), refusal)
    };
    let platform = |name: &str, to: &str, refusal| bad(name, "\"linux/amd64\"", &format!("{to:?}"), refusal);
    let empty = concat!(
        "{\"type\":\"goferry/manifest/v1\",\"toolchains\":[{\"version\":\"1.27.3\",\"platform\":\"linux/amd64\",",
        "\"h1\":\"h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\",\"files\":[]}],\"modules\":[]}"
    );
    vec![
        release(
            "#46 the files of another release",
            "1.27.4",
            "`go1.27.4 linux/amd64` is not what its files are",
        ),
        release("a release with its prefix", "go1.27.3", "is not a Go release"),
        release("a language version", "1.27", "is not a Go release"),
        release("a release with leading zeros", "1.27.03", "is not a Go release"),
        release("a release that is a path", "1.27.3/..", "is not a Go release"),
        platform("#47 the files of another platform", "linux/arm64", "is not what its files are"),
        platform("a platform in upper case", "Linux/amd64", "is not a platform"),
        platform("a platform of one word", "linux", "is not a platform"),
        platform("a platform that is a path", "../amd64", "is not a platform"),
        refused(
            "#57 a toolchain without files",
            whole_manifest(empty),
            "`go1.27.3 linux/amd64` has no files",
        ),
        refused(
            "#57 a manifest of nothing",
            whole_manifest("{\"type\":\"goferry/manifest/v1\",\"toolchains\":[],\"modules\":[]}"),
            "it lists no component",
        ),
        accepted("toolchains only", Sample::new().modules(Vec::new())),
        accepted("modules only", Sample::new().toolchains(Vec::new())),
        accepted(
            "one go.mod only",
            Sample::new().toolchains(Vec::new()).modules(vec![
                SampleModule::new("example.com/z", "v0.0.0-20260102030405-0123456789ab", &[]).without_files(),
            ]),
        ),
        accepted(
            "releases of every kind",
            Sample::new().toolchains(
                ["1.9.0", "1.27beta1", "1.27rc2", "1.27.0", "1.27.10"].map(SampleToolchain::toy).into(),
            ),
        ),
    ]
}

/// Components out of order or twice.
fn orders() -> Vec<Case> {
    let swapped = |name: &str, first: &str, second: &str| {
        let (from, to) = (format!("\"version\":\"{first}\""), format!("\"version\":\"{second}\""));
        refused(name, Sample::new().edit_manifest(replace(&from, &to)), "is not after the entry before it")
    };
    vec![
        swapped("versions as text: v1.10.0 before v1.9.0", "v1.0.0", "v1.9.5"),
        swapped("one module twice", "v1.10.0", "v1.9.0"),
        bad(
            "modules not sorted by path",
            "\"example.com/deep\"",
            "\"example.org/deep\"",
            "is not after the entry before it",
        ),
    ]
}

fn whole_manifest(json: &'static str) -> Sample {
    Sample::new().edit_manifest(move |text| *text = json.into())
}

/// Another digest in the go.mod of the first module, with its right h1.
fn other_go_mod(text: &mut Vec<u8>) {
    let (sha256, h1) = digests(b"module other\n");
    let all = String::from_utf8(text.clone()).expect("text");
    let (head, tail) = all.split_once("\"go_mod\":{").expect("a go.mod");
    let (_, tail) = tail.split_once('}').expect("its end");
    *text = format!("{head}\"go_mod\":{{\"size\":13,\"sha256\":\"{sha256}\",\"h1\":\"{h1}\"}}{tail}")
        .into_bytes();
}

/// Another digest in the go.mod of the first module, with the old h1.
fn other_go_mod_content(text: &mut Vec<u8>) {
    let (sha256, _) = digests(b"module other\n");
    let all = String::from_utf8(text.clone()).expect("text");
    let at = all.find("\"go_mod\":{").expect("a go.mod");
    let at = at + all[at..].find("\"sha256\":\"").expect("its digest") + "\"sha256\":\"".len();
    text.splice(at..at + 64, sha256.to_string().bytes());
}

fn digests(content: &[u8]) -> (Sha256Digest, goferry_manifest::DirHash) {
    let sha256 = Sha256Digest::of(content);
    (sha256, goferry_manifest::DirHash::of_go_mod(sha256))
}
