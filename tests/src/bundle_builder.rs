//! Builds small real bundles, and ones in which any part was changed by a malicious signer.
//!
//! A [`Sample`] holds a toy toolchain and some modules; [`Sample::build`] packs and signs them as goferry does. Each
//! part can be edited on its way: packs, tables, cover, signatures, entries, the file. Whatever comes after an edited
//! part is made from it, digests and signatures included, so that a reader has nothing but its own rules to refuse by.

mod container;
mod keys;
mod source;

use goferry_manifest::bundle::frame::{self, Parameters};
use goferry_manifest::bundle::{Blob, Cover, Evidence, Manifest, Pack, PackTable, Table, UnsignedBundle};
use goferry_manifest::minisign::{SecretKey, Signature};
use goferry_manifest::{Channel, Sequence, Sha256Digest, Timestamp};

pub use self::container::{Entry, entries_of};
pub use self::keys::{another_key, key_with_the_signers_id, signer};
pub use self::source::{SampleModule, SampleToolchain};

/// What goes into a bundle, and how it is to be changed.
#[expect(missing_debug_implementations, reason = "edits are closures")]
#[must_use]
pub struct Sample {
    name: Channel,
    sequence: Sequence,
    created: Timestamp,
    /// The toolchains.
    pub toolchains: Vec<SampleToolchain>,
    /// The modules.
    pub modules: Vec<SampleModule>,
    level: i32,
    edits: Edits,
}

/// A part of the bundle before it is used.
type Edit<T> = Option<Box<dyn FnOnce(&mut T)>>;

#[derive(Default)]
struct Edits {
    packs: Edit<Vec<RawPack>>,
    manifest: Edit<Vec<u8>>,
    pack_table: Edit<Vec<u8>>,
    evidence: Edit<Vec<u8>>,
    frames: Edit<[Vec<u8>; 3]>,
    cover: Edit<Vec<u8>>,
    signatures: Edit<Vec<Vec<u8>>>,
    entries: Edit<Vec<Entry>>,
    file: Edit<Vec<u8>>,
}

/// A pack and what the table says about it besides digest and size.
#[derive(Clone, Debug)]
pub struct RawPack {
    /// The bytes.
    pub frame: Vec<u8>,
    /// What the table says of the content's size.
    pub content_size: u64,
    /// Numbers of blobs.
    pub blobs: Vec<u32>,
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// What `fixtures/golden/sample-1.goferry` holds.
    pub fn new() -> Self {
        Self {
            name: "sample".parse().expect("a channel"),
            sequence: Sequence::FIRST,
            created: "2026-11-24T08:15:00Z".parse().expect("a time"),
            toolchains: vec![SampleToolchain::toy("1.27.3")],
            modules: source::modules(),
            level: 1,
            edits: Edits::default(),
        }
    }

    /// The channel.
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.parse().expect("a channel");
        self
    }

    /// The number within the channel.
    pub fn sequence(mut self, number: u64) -> Self {
        self.sequence = Sequence::try_from(number).expect("a sequence number");
        self
    }

    /// When it says that it was made.
    pub fn created(mut self, created: &str) -> Self {
        self.created = created.parse().expect("a time");
        self
    }

    /// zstd's level for packs.
    pub fn level(mut self, level: i32) -> Self {
        self.level = level;
        self
    }

    /// With these toolchains instead.
    pub fn toolchains(mut self, toolchains: Vec<SampleToolchain>) -> Self {
        self.toolchains = toolchains;
        self
    }

    /// With these modules instead.
    pub fn modules(mut self, modules: Vec<SampleModule>) -> Self {
        self.modules = modules;
        self
    }

    /// Changes the packs; the table follows.
    pub fn edit_packs(mut self, edit: impl FnOnce(&mut Vec<RawPack>) + 'static) -> Self {
        self.edits.packs = Some(Box::new(edit));
        self
    }

    /// Changes the manifest's JSON. The pack table stays that of the unchanged manifest.
    pub fn edit_manifest(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.manifest = Some(Box::new(edit));
        self
    }

    /// Changes the pack table's JSON.
    pub fn edit_pack_table(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.pack_table = Some(Box::new(edit));
        self
    }

    /// Changes the evidence's JSON.
    pub fn edit_evidence(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.evidence = Some(Box::new(edit));
        self
    }

    /// Changes the compressed manifest, pack table and evidence; the cover states what their content should be.
    pub fn edit_table_frames(mut self, edit: impl FnOnce(&mut [Vec<u8>; 3]) + 'static) -> Self {
        self.edits.frames = Some(Box::new(edit));
        self
    }

    /// Changes the cover before it is signed.
    pub fn edit_cover(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.cover = Some(Box::new(edit));
        self
    }

    /// Changes the signature files.
    pub fn edit_signatures(mut self, edit: impl FnOnce(&mut Vec<Vec<u8>>) + 'static) -> Self {
        self.edits.signatures = Some(Box::new(edit));
        self
    }

    /// Changes the entries of the container.
    pub fn edit_entries(mut self, edit: impl FnOnce(&mut Vec<Entry>) + 'static) -> Self {
        self.edits.entries = Some(Box::new(edit));
        self
    }

    /// Changes the whole file.
    pub fn edit_file(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.file = Some(Box::new(edit));
        self
    }

    /// The bundle's bytes, signed with the test key.
    pub fn build(mut self) -> Vec<u8> {
        let manifest = self.manifest();
        let mut packs = self.packs(&manifest);
        apply(&mut self.edits.packs, &mut packs);
        let mut contents =
            [manifest.to_bytes(), pack_table_json(&packs).into_bytes(), Evidence::default().to_bytes()];
        let [manifest, pack_table, evidence] = &mut contents;
        apply(&mut self.edits.manifest, manifest);
        apply(&mut self.edits.pack_table, pack_table);
        apply(&mut self.edits.evidence, evidence);
        let mut frames = contents.each_ref().map(|content| compress(content, Parameters::TABLES));
        apply(&mut self.edits.frames, &mut frames);
        let tables = [0, 1, 2].map(|index| table(&contents[index], &frames[index]));
        let mut cover = Cover::new(self.name.clone(), self.sequence, self.created, tables).to_bytes();
        apply(&mut self.edits.cover, &mut cover);
        let mut signatures = vec![sign(&signer(), &self.name, self.sequence, &cover).to_bytes()];
        apply(&mut self.edits.signatures, &mut signatures);
        let mut entries = container::entries(cover, signatures, frames, &packs);
        apply(&mut self.edits.entries, &mut entries);
        let mut file = container::write(&entries);
        apply(&mut self.edits.file, &mut file);
        file
    }

    /// The same by way of the library's own writer; no edits.
    pub fn build_with_library(&self) -> Vec<u8> {
        let manifest = self.manifest();
        let packs = self.packs(&manifest);
        let entry = |pack: &RawPack| Pack {
            sha256: Sha256Digest::of(&pack.frame),
            size: pack.frame.len() as u64,
            content_size: pack.content_size,
            blobs: pack.blobs.iter().map(|number| manifest.blobs()[*number as usize]).collect(),
        };
        let table =
            PackTable::new(packs.iter().map(entry).collect(), manifest.blobs()).expect("a pack table");
        let bundle = UnsignedBundle::new(
            self.name.clone(),
            self.sequence,
            self.created,
            &manifest,
            table,
            &Evidence::default(),
        )
        .expect("an unsigned bundle");
        let signature = sign(&signer(), &self.name, self.sequence, bundle.cover());
        let mut frames = packs.iter();
        let mut file = Vec::new();
        let open = |_: &Pack| Ok(frames.next().expect("as many packs as in the table").frame.as_slice());
        bundle.write(&[signature], open, &mut file).expect("writing to memory");
        file
    }

    /// The manifest, unchanged.
    pub fn manifest(&self) -> Manifest {
        let toolchains = self.toolchains.iter().map(SampleToolchain::component).collect();
        let modules = self.modules.iter().map(SampleModule::component).collect();
        Manifest::new(toolchains, modules).expect("the sample holds together")
    }

    /// Every content, in order of appearance.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        let toolchains = self.toolchains.iter().flat_map(SampleToolchain::contents);
        toolchains.chain(self.modules.iter().flat_map(SampleModule::contents))
    }

    /// Two packs at most: what the toolchains hold, and what the modules hold besides.
    fn packs(&self, manifest: &Manifest) -> Vec<RawPack> {
        let mut left: Vec<&Blob> = manifest.blobs().iter().collect();
        let mut pack = |contents: &mut dyn Iterator<Item = &[u8]>| {
            let (mut content, mut blobs) = (Vec::new(), Vec::new());
            for bytes in contents {
                let sha256 = Sha256Digest::of(bytes);
                let Some(place) = left.iter().position(|blob| blob.sha256 == sha256) else { continue };
                left.remove(place);
                content.extend_from_slice(bytes);
                let number = manifest.blobs().iter().position(|blob| blob.sha256 == sha256);
                blobs.push(u32::try_from(number.expect("a blob of the manifest")).expect("a small number"));
            }
            let frame = compress(&content, Parameters::of_packs(self.level));
            RawPack { frame, content_size: content.len() as u64, blobs }
        };
        let toolchains = pack(&mut self.toolchains.iter().flat_map(SampleToolchain::contents));
        let modules = pack(&mut self.contents());
        [toolchains, modules].into_iter().filter(|pack| !pack.blobs.is_empty()).collect()
    }
}

/// The signature that `key` makes of a cover.
pub fn sign(key: &SecretKey, name: &Channel, sequence: Sequence, cover: &[u8]) -> Signature {
    let comment = format!("goferry {name} {sequence} {}", Sha256Digest::of(cover));
    key.sign(cover, comment.parse().expect("a printable comment"))
}

/// Compresses as goferry does.
pub fn compress(content: &[u8], parameters: Parameters) -> Vec<u8> {
    frame::compress(content, parameters).expect("compressing in memory")
}

fn apply<T>(edit: &mut Edit<T>, part: &mut T) {
    if let Some(edit) = edit.take() {
        edit(part);
    }
}

fn table(content: &[u8], compressed: &[u8]) -> Table {
    Table {
        sha256: Sha256Digest::of(compressed),
        size: compressed.len() as u64,
        content_sha256: Sha256Digest::of(content),
        content_size: content.len() as u64,
    }
}

fn pack_table_json(packs: &[RawPack]) -> String {
    let pack = |RawPack { frame, content_size, blobs }: &RawPack| {
        let (sha256, size) = (Sha256Digest::of(frame), frame.len());
        let blobs: Vec<String> = blobs.iter().map(u32::to_string).collect();
        let blobs = blobs.join(",");
        format!(r#"{{"sha256":"{sha256}","size":{size},"content_size":{content_size},"blobs":[{blobs}]}}"#)
    };
    let packs: Vec<String> = packs.iter().map(pack).collect();
    format!("{{\"type\":\"goferry/packs/v1\",\"packs\":[{}]}}\n", packs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_here_is_what_the_library_writes() {
        assert!(Sample::new().build() == Sample::new().build_with_library());
    }

    #[test]
    fn what_is_after_an_edited_part_follows_from_it() {
        let edit = |cover: &mut Vec<u8>| cover.push(b'\n');
        let entries = entries_of(&Sample::new().edit_cover(edit).build());
        let signature = Signature::parse_canonical(&entries[1].content).unwrap();
        assert_eq!(signer().public_key().verify(&entries[0].content, &signature), Ok(()));
        assert!(entries[0].content.ends_with(b"}\n\n"));
    }
}
