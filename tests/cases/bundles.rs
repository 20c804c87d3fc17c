//! Good bundles: the golden one, and whatever comes out of pack → verify → unpack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use e2e::bundle_builder::{Sample, SampleModule, SampleToolchain, signer};
use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::{Blob, BlobSink, UnverifiedBundle, VerifiedBundle, frame};
use proptest::prelude::*;

use super::bad_bundles::{second_reader, trust};

/// The golden bundle under zstd 1.5.7; another release may compress to other bytes.
const GOLDEN_SHA256: &str = "a69c3232e6c6e60db062889a8131cfd4f5b3513878b9a9cd3337736c6f554891";
const GOLDEN_ZSTD: &str = "1.5.7";

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/sample-1.goferry")
}

/// The golden bundle; made anew where `GOFERRY_UPDATE_GOLDEN` asks for it.
fn golden() -> Vec<u8> {
    if std::env::var_os("GOFERRY_UPDATE_GOLDEN").is_some() {
        std::fs::write(golden_path(), Sample::new().build()).unwrap();
    }
    std::fs::read(golden_path()).unwrap()
}

#[test]
fn the_golden_bundle_still_says_what_it_said() {
    let bundle = UnverifiedBundle::open(golden()).unwrap().verify(&trust()).unwrap();
    let sample = Sample::new();
    assert_eq!(bundle.manifest(), &sample.manifest());
    assert_eq!(bundle.cover().name.as_str(), "sample");
    assert_eq!(bundle.cover().sequence.get(), 1);
    assert_eq!(bundle.cover().created.to_string(), "2026-11-24T08:15:00Z");
    assert_eq!(bundle.signers(), [signer().public_key()]);
    assert_eq!(contents(&bundle), expected_contents(&sample));
}

#[test]
fn the_golden_bundle_is_still_made_byte_for_byte() {
    assert_eq!(Sha256Digest::of(&golden()).to_string(), GOLDEN_SHA256);
    if frame::zstd_release() == GOLDEN_ZSTD {
        assert_eq!(Sha256Digest::of(&Sample::new().build()).to_string(), GOLDEN_SHA256);
    }
}

#[test]
fn the_second_reader_sees_the_same_in_the_golden_bundle() {
    let Some(reader) = second_reader("the_second_reader_sees_the_same_in_the_golden_bundle") else { return };
    let seen = reader.read(&[golden_path()]).remove(0);
    let bundle = UnverifiedBundle::open(golden()).unwrap().verify(&trust()).unwrap();
    let manifest = bundle.manifest();
    let toolchain = &manifest.toolchains()[0];
    assert_eq!(seen["id"], bundle.id().to_string());
    assert_eq!(seen["size"], bundle.size().unwrap());
    assert_eq!(seen["signers"][0], bundle.signers()[0].key_id().to_string());
    assert_eq!(seen["toolchains"][0]["h1"], toolchain.h1.to_string());
    assert_eq!(seen["toolchains"][0]["files"], toolchain.files.len());
    for (index, module) in manifest.modules().iter().enumerate() {
        let seen = &seen["modules"][index];
        assert_eq!(seen["module"], module.module.to_string());
        assert_eq!(seen["go_mod_h1"], module.go_mod.h1.to_string());
        let h1 = module.zip.as_ref().map(|zip| zip.h1.to_string());
        assert_eq!(seen.get("h1").and_then(serde_json::Value::as_str), h1.as_deref());
    }
    for (index, pack) in bundle.packs().iter().enumerate() {
        assert_eq!(seen["packs"][index]["sha256"], pack.sha256.to_string());
        assert_eq!(seen["packs"][index]["blobs"], pack.blobs.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_comes_out_again(
        files in prop::collection::vec(("[a-z]{1,8}(/[a-zé]{1,8}){0,3}\\.go", content()), 0..20),
        toolchain in any::<bool>(),
        level in 1..=3_i32,
    ) {
        let mut module = SampleModule::new("example.com/any", "v1.2.3", &[]);
        let all = module.files.as_mut().expect("it has a go.mod");
        all.extend(files.into_iter().collect::<BTreeMap<_, _>>());
        let toolchains = if toolchain { vec![SampleToolchain::toy("1.27.3")] } else { Vec::new() };
        let sample = || Sample::new().level(level).toolchains(toolchains.clone()).modules(vec![module.clone()]);
        let built = sample().build();
        prop_assert!(built == sample().build_with_library());
        let bundle = UnverifiedBundle::open(built).unwrap().verify(&trust()).unwrap();
        prop_assert_eq!(bundle.manifest(), &sample().manifest());
        prop_assert_eq!(contents(&bundle), expected_contents(&sample()));
    }
}

/// Nothing, a few bytes, or many that compress well.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    (bytes, prop_oneof![Just(1_usize), Just(2_000)]).prop_map(|(bytes, times)| bytes.repeat(times))
}

fn expected_contents(sample: &Sample) -> BTreeMap<Sha256Digest, Vec<u8>> {
    let contents = sample.contents().map(|content| (Sha256Digest::of(content), content.to_vec()));
    contents.collect()
}

fn contents(bundle: &VerifiedBundle<Vec<u8>>) -> BTreeMap<Sha256Digest, Vec<u8>> {
    let mut sink = Collect::default();
    for index in 0..bundle.packs().len() {
        bundle.read_pack(index).unwrap().unpack(&mut sink).unwrap();
    }
    assert_eq!(sink.finished.len(), bundle.manifest().blobs().len());
    sink.finished
}

#[derive(Default)]
struct Collect {
    current: Vec<u8>,
    finished: BTreeMap<Sha256Digest, Vec<u8>>,
}

impl BlobSink for Collect {
    type Error = std::convert::Infallible;

    fn begin(&mut self, _: &Blob) -> Result<(), Self::Error> {
        self.current.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.current.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Self::Error> {
        let content = std::mem::take(&mut self.current);
        self.finished.insert(Sha256Digest::of(&content), content);
        Ok(())
    }
}
