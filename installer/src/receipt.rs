//! The receipt of a generation: what it is made of, what it was made from, and what may never be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use goferry_manifest::bundle::{Manifest, Toolchain};
use goferry_manifest::{
    Channel, DirHash, GoRelease, JsonError, Module, Platform, Sequence, Sha256Digest, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::prefix::Prefix;
use crate::tree_name::TreeName;

/// The name of a receipt in its generation.
pub const RECEIPT: &str = "receipt.json";
/// Bytes of the largest receipt that is read.
pub const RECEIPT_BYTES: u64 = 256 << 20;

/// What a generation says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this document.
    pub schema: Schema,
    /// The generation's number.
    pub generation: u64,
    /// The generation before it.
    pub parent: Option<Parent>,
    /// The bundle that each channel was last installed from.
    pub channels: BTreeMap<Channel, ChannelRecord>,
    /// The Go that `current/bin/go` is.
    pub default_go: Option<DefaultGo>,
    /// The trees that it links to.
    pub trees: Trees,
    /// The hash of every module version and toolchain that this prefix ever held, by `path@version`.
    pub ledger: Ledger,
    /// The digest of each module zip in the module cache, by `path@version`: zips are made here, so that no signed
    /// table names them.
    pub zips: BTreeMap<String, Sha256Digest>,
    /// The GOPATH that `go.env` sets for every user.
    pub gopath: Option<Prefix>,
    /// The user who installed it.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// The version of the program.
    pub goport: String,
}

/// The version of the receipt's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Schema {
    /// The first.
    V1,
}

impl TryFrom<u32> for Schema {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            1 => Ok(Self::V1),
            other => Err(format!("receipts of schema {other} are not known to this version")),
        }
    }
}

impl From<Schema> for u32 {
    fn from(_: Schema) -> Self {
        1
    }
}

/// The generation that another was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its number.
    pub generation: u64,
    /// The digest of its receipt.
    pub receipt: Sha256Digest,
}

/// What is remembered of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRecord {
    /// The highest sequence that was installed: nothing below it is, unless asked for.
    pub floor: Sequence,
    /// The digest of the manifest of every bundle that was ever installed: another one of the same sequence is refused,
    /// also after a downgrade.
    pub manifests: BTreeMap<Sequence, Sha256Digest>,
    /// The sequence of the installed bundle.
    pub sequence: Sequence,
    /// The id of the installed bundle: the digest of its cover.
    pub bundle: Sha256Digest,
    /// The digest of its manifest, uncompressed.
    pub manifest: Sha256Digest,
    /// Fingerprints of the trusted keys that had signed it.
    pub signers: BTreeSet<Sha256Digest>,
}

/// The default Go, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultGo {
    /// The release.
    pub release: GoRelease,
    /// The channel whose newest release it is; another channel never changes it.
    pub channel: Channel,
    /// Whether the operator chose it; then no bundle changes it while it is there.
    pub chosen: bool,
}

/// Names of trees, below `trees/<kind>/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trees {
    /// The toolchains.
    pub toolchain: BTreeMap<GoRelease, TreeName>,
    /// The module cache.
    pub modcache: TreeName,
}

/// Hashes that `path@version` may never change: `go` caches by directory name, and would build the old program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(BTreeMap<String, Hashes>);

/// The hashes of one module version, as far as they were ever known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// Of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h1: Option<DirHash>,
    /// Of its go.mod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go_mod: Option<DirHash>,
}

/// A name whose hash would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// `path@version`, with `/go.mod` where its go.mod is meant.
    pub name: String,
    /// The hash in the ledger.
    pub held: DirHash,
    /// The other hash.
    pub incoming: DirHash,
}

impl Ledger {
    /// Enters what a bundle carries for this platform; at the first name whose hash would change it stops.
    pub fn enter(&mut self, manifest: &Manifest, platform: &Platform) -> Result<(), Conflict> {
        for toolchain in manifest.toolchains().iter().filter(|toolchain| &toolchain.platform == platform) {
            self.enter_toolchain(toolchain)?;
        }
        for carried in manifest.modules() {
            let hashes =
                Hashes { h1: carried.zip.as_ref().map(|zip| zip.h1), go_mod: Some(carried.go_mod.h1) };
            self.enter_hashes(&carried.module, hashes)?;
        }
        Ok(())
    }

    /// Enters the hashes of one name.
    pub fn enter_hashes(&mut self, module: &Module, hashes: Hashes) -> Result<(), Conflict> {
        let name = module.to_string();
        let held = self.0.entry(name.clone()).or_default();
        for (name, held, incoming) in
            [(name.clone(), &mut held.h1, hashes.h1), (name + "/go.mod", &mut held.go_mod, hashes.go_mod)]
        {
            match (*held, incoming) {
                (Some(held), Some(incoming)) if held != incoming => {
                    return Err(Conflict { name, held, incoming });
                }
                (None, Some(_)) => *held = incoming,
                _ => {}
            }
        }
        Ok(())
    }

    /// The hashes of a name.
    pub fn get(&self, module: &Module) -> Option<Hashes> {
        self.0.get(&module.to_string()).copied()
    }

    fn enter_toolchain(&mut self, toolchain: &Toolchain) -> Result<(), Conflict> {
        self.enter_hashes(&toolchain.module(), Hashes { h1: Some(toolchain.h1), go_mod: None })
    }
}

impl Receipt {
    /// Reads a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("receipts have only string keys and finite numbers");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> DirHash {
        DirHash::of_go_mod(Sha256Digest::of(text.as_bytes()))
    }

    fn module() -> Module {
        Module::new("a.b/c".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_name_never_changes_its_hash() {
        let mut ledger = Ledger::default();
        let enter = |ledger: &mut Ledger, h1, go_mod| ledger.enter_hashes(&module(), Hashes { h1, go_mod });
        enter(&mut ledger, None, Some(hash("m"))).unwrap();
        enter(&mut ledger, Some(hash("f")), Some(hash("m"))).unwrap();
        enter(&mut ledger, None, Some(hash("m"))).unwrap();
        assert_eq!(ledger.get(&module()), Some(Hashes { h1: Some(hash("f")), go_mod: Some(hash("m")) }));
        let conflict = enter(&mut ledger, Some(hash("x")), None).unwrap_err();
        assert_eq!(
            conflict,
            Conflict { name: "a.b/c@v1.0.0".to_owned(), held: hash("f"), incoming: hash("x") }
        );
        let conflict = enter(&mut ledger, None, Some(hash("y"))).unwrap_err();
        assert_eq!(conflict.name, "a.b/c@v1.0.0/go.mod");
    }

    #[test]
    fn a_receipt_survives_the_round_trip_and_tolerates_nothing_else() {
        let receipt = Receipt {
            schema: Schema::V1,
            generation: 2,
            parent: Some(Parent { generation: 1, receipt: Sha256Digest::of(b"1") }),
            channels: BTreeMap::new(),
            default_go: None,
            trees: Trees { toolchain: BTreeMap::new(), modcache: "0".parse().unwrap() },
            ledger: Ledger::default(),
            zips: BTreeMap::new(),
            gopath: None,
            who: "root".to_owned(),
            when: "2026-11-24T08:15:00Z".parse().unwrap(),
            goport: "0.1.0".to_owned(),
        };
        let bytes = receipt.to_bytes();
        assert_eq!(Receipt::parse(&bytes).unwrap(), receipt);
        let text = String::from_utf8(bytes).unwrap();
        assert!(Receipt::parse(text.replace("\"schema\": 1", "\"schema\": 2").as_bytes()).is_err());
        assert!(Receipt::parse(text.replace("\"who\"", "\"whom\"").as_bytes()).is_err());
    }
}
