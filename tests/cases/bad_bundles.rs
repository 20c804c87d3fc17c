//! Bad bundles are refused with their reason, by the library, by the second reader and by `goport`.
//!
//! The cases are data: each a name with its number of bad-inputs, a bundle, and a part of the message of its refusal.
//! Digests and signatures are right wherever the case is not about them, so that only the rule in question refuses.

mod container;
mod corruption;
mod documents;
mod frames;
mod goport;
mod manifest;
mod pack_table;
mod signatures;
mod sources;

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::bundle_builder::{Sample, signer};
use e2e::requirement::{Requirement, can_run};
use goferry_manifest::bundle::{Blob, BlobSink, ReadAt, UnverifiedBundle};
use goferry_manifest::trust::{Scope, TrustPolicy};

/// One bundle and what becomes of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bundle: Vec<u8>,
    /// A part of the message; `None` for a bundle that looks bad and is not.
    pub(crate) refusal: Option<&'static str>,
}

/// Every bundle of the table.
pub(crate) fn cases() -> Vec<Case> {
    [
        signatures::cases(),
        container::cases(),
        documents::cases(),
        manifest::cases(),
        pack_table::cases(),
        frames::cases(),
        corruption::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn refused(name: impl Into<String>, sample: Sample, refusal: &'static str) -> Case {
    Case { name: name.into(), bundle: sample.build(), refusal: Some(refusal) }
}

fn accepted(name: impl Into<String>, sample: Sample) -> Case {
    Case { name: name.into(), bundle: sample.build(), refusal: None }
}

/// Replaces the first `from`, which must be there.
fn replace(from: &str, to: &str) -> impl FnOnce(&mut Vec<u8>) + 'static {
    replace_with_bytes(from, to.as_bytes())
}

fn replace_with_bytes(from: &str, to: &[u8]) -> impl FnOnce(&mut Vec<u8>) + 'static {
    let (from, to) = (from.as_bytes().to_vec(), to.to_vec());
    move |text| {
        let at = text.windows(from.len()).position(|window| window == from);
        let at = at.unwrap_or_else(|| panic!("`{}` is there to be replaced", String::from_utf8_lossy(&from)));
        text.splice(at..at + from.len(), to);
    }
}

/// Trust in the test key alone.
pub(crate) fn trust() -> TrustPolicy {
    TrustPolicy::any_of([(signer().public_key(), Scope::EveryChannel)])
}

/// Reads everything in a bundle with the library.
fn read(source: impl ReadAt, trust: &TrustPolicy) -> Result<(), Box<dyn Error>> {
    let bundle = UnverifiedBundle::open(source)?.verify(trust)?;
    for index in 0..bundle.packs().len() {
        bundle.read_pack(index)?.unpack(&mut Nowhere)?;
    }
    Ok(())
}

/// Error and causes in one line.
fn message(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error: &&dyn Error| (*error).source());
    causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"))
}

struct Nowhere;

impl BlobSink for Nowhere {
    type Error = std::convert::Infallible;

    fn begin(&mut self, _: &Blob) -> Result<(), Self::Error> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn case_names_are_unique() {
    let mut seen = HashSet::new();
    for case in cases() {
        assert!(seen.insert(case.name.clone()), "{}", case.name);
    }
}

#[test]
fn the_library_refuses_each_for_its_reason() {
    let mut wrong = Vec::new();
    for Case { name, bundle, refusal } in cases() {
        let result = read(bundle, &trust()).map_err(|error| message(&*error));
        let right = match (&result, refusal) {
            (Ok(()), None) => true,
            (Err(message), Some(refusal)) => message.contains(refusal),
            _ => false,
        };
        if !right {
            wrong.push(format!("{name}\n  expected: {refusal:?}\n    actual: {result:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_second_reader_agrees_on_each() {
    let Some(reader) = second_reader("the_second_reader_agrees_on_each") else { return };
    let directory = tempfile::tempdir().unwrap();
    let cases = cases();
    let paths: Vec<PathBuf> =
        (0..cases.len()).map(|n| directory.path().join(format!("{n}.goferry"))).collect();
    for (case, path) in cases.iter().zip(&paths) {
        std::fs::write(path, &case.bundle).unwrap();
    }
    let verdicts = reader.read(&paths);
    assert_eq!(verdicts.len(), cases.len());
    let disagree = cases
        .iter()
        .zip(&verdicts)
        .filter(|(case, verdict)| case.refusal.is_some() != verdict.get("refused").is_some());
    let disagree: Vec<String> =
        disagree.map(|(case, verdict)| format!("{}: {:?} {verdict}", case.name, case.refusal)).collect();
    assert!(disagree.is_empty(), "{}", disagree.join("\n"));
}

/// `tests/second_reader/read_bundle.py` and what it needs.
pub(crate) struct SecondReader {
    script: PathBuf,
    key: PathBuf,
}

/// `None`, said aloud, where a command is missing.
pub(crate) fn second_reader(test: &str) -> Option<SecondReader> {
    if !can_run(test, &[Requirement::SecondReader]) {
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Some(SecondReader {
        script: root.join("second_reader/read_bundle.py"),
        key: root.join("../fixtures/keys/test-signer.pub"),
    })
}

impl SecondReader {
    /// What it says of each bundle.
    pub(crate) fn read(&self, bundles: &[PathBuf]) -> Vec<serde_json::Value> {
        let output =
            Command::new("python3").arg(&self.script).arg("--key").arg(&self.key).args(bundles).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3)) && stderr.is_empty(), "{stderr}");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
