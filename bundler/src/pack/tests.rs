//! Tests of the whole of packing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Mutex;

use goferry_manifest::bundle::{AuthenticPack, BlobSink, CarriedModule, GoMod, Toolchain, Zip};
use goferry_manifest::{DirHash, Module, bundle};
use proptest::prelude::*;

use super::order::{FileOrder, plan_packs};
use super::*;

/// Contents by digest, as a cache of downloads would hold them.
#[derive(Debug, Default)]
struct Memory {
    contents: BTreeMap<Sha256Digest, Vec<u8>>,
    reads: Mutex<usize>,
}

impl Contents for Memory {
    fn read(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        *self.reads.lock().unwrap() += 1;
        self.contents.get(&blob.sha256).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Memory {
    fn files(&mut self, files: &[(&str, Vec<u8>)]) -> Vec<bundle::File> {
        let mut list: Vec<_> = files
            .iter()
            .map(|(path, content)| {
                let sha256 = Sha256Digest::of(content);
                self.contents.insert(sha256, content.clone());
                bundle::File { path: path.parse().unwrap(), size: content.len() as u64, sha256 }
            })
            .collect();
        list.sort_by(|a, b| a.path.cmp(&b.path));
        list
    }

    fn toolchain(&mut self, release: &str, files: &[(&str, Vec<u8>)]) -> Toolchain {
        let (version, platform) = (release.parse().unwrap(), "linux/amd64".parse().unwrap());
        let files = self.files(files);
        let mut toolchain = Toolchain { version, platform, h1: DirHash::of_files([]), files };
        toolchain.h1 = hash(&toolchain.module(), &toolchain.files);
        toolchain
    }

    fn module(&mut self, path: &str, version: &str, files: &[(&str, Vec<u8>)]) -> CarriedModule {
        let module = Module::new(path.parse().unwrap(), version.parse().unwrap()).unwrap();
        let mut files = files.to_vec();
        files.push(("go.mod", format!("module {path}\n").into_bytes()));
        let files = self.files(&files);
        let go_mod = files.iter().find(|file| file.path.as_str() == "go.mod").unwrap();
        let h1 = DirHash::of_go_mod(go_mod.sha256);
        let go_mod = GoMod { size: go_mod.size, sha256: go_mod.sha256, h1 };
        let zip = Some(Zip { h1: hash(&module, &files), files });
        CarriedModule { module, time: None, go_mod, zip }
    }
}

fn hash(module: &Module, files: &[bundle::File]) -> DirHash {
    DirHash::of_prefixed(&module.zip_prefix(), files.iter().map(|file| (file.path.as_str(), file.sha256)))
}

fn text(content: &str) -> Vec<u8> {
    content.into()
}

/// Two toolchains and three modules, and the names of their contents.
fn sample() -> (Vec<Toolchain>, Vec<CarriedModule>, Memory) {
    let mut memory = Memory::default();
    let toolchains = vec![
        memory.toolchain(
            "1.27.3",
            &[
                ("bin/go", text("go 27")),
                ("pkg/tool/linux_amd64/asm", text("asm 27")),
                ("src/os/a_test.go", text("os/a_test 27")),
                ("src/os/b.go", text("os/b 27")),
                ("src/io/a.go", text("io/a")),
                ("VERSION", text("version 27")),
            ],
        ),
        memory.toolchain(
            "1.26.8",
            &[("bin/go", text("go 26")), ("src/io/a.go", text("io/a")), ("src/os/b.go", text("os/b 26"))],
        ),
    ];
    let modules = vec![
        memory.module("example.org/b", "v1.0.0", &[("b.go", text("b"))]),
        memory.module("example.org/a", "v1.10.0", &[("x.go", text("x 10")), ("a.go", text("a 10"))]),
        memory.module("example.org/a", "v1.9.0", &[("x.go", text("x 9")), ("LICENSE", text("b"))]),
    ];
    (toolchains, modules, memory)
}

fn names(memory: &Memory, packs: &[Vec<Blob>]) -> Vec<Vec<String>> {
    let name =
        |blob: &Blob| String::from_utf8(memory.contents[&blob.sha256].clone()).unwrap().trim().to_owned();
    packs.iter().map(|pack| pack.iter().map(name).collect()).collect()
}

#[test]
fn what_is_alike_lies_close_together() {
    let (toolchains, modules, memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    let order = Order { group_cut: 1, ..Order::STANDARD };
    let packs = names(&memory, &plan_packs(&manifest, &order));
    assert_eq!(
        packs,
        [
            vec!["asm 27", "go 26", "go 27"],
            vec!["version 27", "io/a", "os/b 26", "os/b 27", "os/a_test 27"],
            // `b` is also the content of b.go, and lies where it comes first.
            vec!["b", "a 10", "x 9", "x 10", "module example.org/a"],
            vec!["module example.org/b"],
        ]
    );
}

#[test]
fn small_groups_share_a_pack_and_large_ones_are_cut() {
    let (toolchains, modules, memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    assert_eq!(plan_packs(&manifest, &Order::STANDARD).len(), 1);
    let order = Order { group_cut: 10, cut: 12, ..Order::STANDARD };
    let packs = names(&memory, &plan_packs(&manifest, &order));
    assert_eq!(
        packs,
        [
            vec!["asm 27", "go 26", "go 27"],
            vec!["version 27"],
            vec!["io/a", "os/b 26"],
            vec!["os/b 27"],
            vec!["os/a_test 27"],
            vec!["b", "a 10", "x 9", "x 10"],
            vec!["module example.org/a"],
            vec!["module example.org/b"],
        ]
    );
}

fn packing(level: i32, threads: usize, cache: &Path) -> Packing<'_> {
    let order = Order { group_cut: 8, cut: 20, ..Order::STANDARD };
    let threads = NonZeroUsize::new(threads).unwrap();
    Packing { order, ..Packing::at_level(level, threads, cache) }
}

fn run(
    packing: &Packing<'_>,
    manifest: &Manifest,
    memory: &Memory,
) -> Result<(PackTable, Vec<Vec<u8>>), PackError> {
    let (table, store) = packing.pack(manifest, memory, &Stop::new(), &|_| ())?;
    let read = |pack: &Pack| {
        let mut frame = Vec::new();
        store.open(pack).unwrap().read_to_end(&mut frame).unwrap();
        frame
    };
    let frames = table.packs().iter().map(read).collect();
    Ok((table, frames))
}

#[test]
fn the_same_components_give_the_same_bytes_whatever_runs() {
    let (mut toolchains, mut modules, memory) = sample();
    let manifest = Manifest::new(toolchains.clone(), modules.clone()).unwrap();
    toolchains.reverse();
    modules.rotate_left(1);
    let listed_otherwise = Manifest::new(toolchains, modules).unwrap();
    let (cold, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(&packing(3, 1, cold.path()), &manifest, &memory).unwrap();
    assert!(expected.1.len() > 3);
    let warm = run(&packing(3, 4, cold.path()), &manifest, &memory).unwrap();
    let threads = run(&packing(3, 4, other.path()), &listed_otherwise, &memory).unwrap();
    let tight = tempfile::tempdir().unwrap();
    let tight = run(&Packing { memory: 1, ..packing(3, 4, tight.path()) }, &manifest, &memory).unwrap();
    for other in [warm, threads, tight] {
        assert_eq!(other, expected);
    }
}

#[test]
fn unchanged_packs_are_neither_read_nor_compressed_again() {
    let (toolchains, modules, memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let expected = run(&packing(3, 2, cache.path()), &manifest, &memory).unwrap();
    assert_eq!(run(&packing(3, 2, cache.path()), &manifest, &Memory::default()).unwrap(), expected);
    // Other parameters are other frames.
    assert!(matches!(
        run(&packing(4, 2, cache.path()), &manifest, &Memory::default()),
        Err(PackError::Read { .. })
    ));
}

#[test]
fn a_cached_pack_that_is_not_what_it_was_is_made_anew() {
    let (toolchains, modules, memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let expected = run(&packing(3, 1, cache.path()), &manifest, &memory).unwrap();
    let mut files: Vec<_> = fs_err::read_dir(cache.path().join("packs")).unwrap().collect();
    files.sort_by_key(|entry| entry.as_ref().unwrap().path());
    let files: Vec<_> = files.into_iter().map(|entry| entry.unwrap().path()).collect();
    let frames: Vec<_> = files.iter().map(|path| fs_err::read(path).unwrap()).collect();
    let replace = |path: &Path, frame: &[u8]| {
        fs_err::remove_file(path).unwrap();
        fs_err::write(path, frame).unwrap();
    };
    // The sound frame of another pack, a cut one, an empty one, a changed one.
    replace(&files[0], &frames[1]);
    replace(&files[1], &frames[1][..frames[1].len() - 1]);
    replace(&files[2], &[]);
    let mut changed = frames[3].clone();
    *changed.last_mut().unwrap() ^= 1;
    replace(&files[3], &changed);
    let before = *memory.reads.lock().unwrap();
    assert_eq!(run(&packing(3, 1, cache.path()), &manifest, &memory).unwrap(), expected);
    assert!(*memory.reads.lock().unwrap() > before);
}

#[test]
fn contents_that_are_not_those_of_the_manifest_are_refused() {
    let (toolchains, modules, mut memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let victim = Sha256Digest::of(b"go 27");
    memory.contents.insert(victim, text("go 28"));
    let error = run(&packing(3, 1, cache.path()), &manifest, &memory).unwrap_err();
    assert!(matches!(error, PackError::Content { expected, .. } if expected.sha256 == victim), "{error}");
    memory.contents.remove(&victim);
    let error = run(&packing(3, 1, cache.path()), &manifest, &memory).unwrap_err();
    assert!(matches!(error, PackError::Read { blob, .. } if blob == victim), "{error}");
}

#[test]
fn progress_adds_up_to_the_content_and_a_stop_is_obeyed() {
    let (toolchains, modules, memory) = sample();
    let manifest = Manifest::new(toolchains, modules).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let done = Mutex::new(0);
    let packing = packing(3, 2, cache.path());
    packing.pack(&manifest, &memory, &Stop::new(), &|bytes| *done.lock().unwrap() += bytes).unwrap();
    let expected: u64 = manifest.blobs().iter().map(|blob| blob.size).sum();
    assert_eq!(done.into_inner().unwrap(), expected);
    let stop = Stop::new();
    stop.stop();
    assert!(matches!(packing.pack(&manifest, &memory, &stop, &|_| ()), Err(PackError::Stopped)));
}

/// Collects blobs.
#[derive(Default)]
struct Collect {
    open: Vec<u8>,
    contents: BTreeSet<Vec<u8>>,
}

impl BlobSink for Collect {
    type Error = String;

    fn begin(&mut self, _: &Blob) -> Result<(), String> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        let content = std::mem::take(&mut self.open);
        if self.contents.insert(content) { Ok(()) } else { Err("twice".to_owned()) }
    }
}

const PATHS: [&str; 9] =
    ["bin/go", "bin/gofmt", "pkg/tool/asm", "a/b.go", "a/b_test.go", "a/c.s", "README", "x.y.z", "b/b.go"];

/// A content that its number decides: empty, tiny, larger than the cuts of the tests.
fn content(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) * 5 % 301]
}

fn component() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    proptest::collection::btree_map(0..PATHS.len(), 0_u8..90, 1..PATHS.len())
        .prop_map(|files| files.into_iter().map(|(path, number)| (PATHS[path], content(number))).collect())
}

fn components() -> impl Strategy<Value = (Manifest, Memory)> {
    let toolchains = proptest::collection::vec(component(), 0..3);
    let modules = proptest::collection::vec((0..3, component()), 1..6);
    (toolchains, modules).prop_map(|(toolchains, modules)| {
        let mut memory = Memory::default();
        let releases = ["1.26.8", "1.27.3"];
        let toolchains =
            toolchains.iter().zip(releases).map(|(files, release)| memory.toolchain(release, files));
        let toolchains = toolchains.collect();
        let modules = modules.iter().enumerate().map(|(number, (path, files))| {
            memory.module(&format!("example.org/m{path}"), &format!("v0.{number}.0"), files)
        });
        let modules = modules.collect();
        (Manifest::new(toolchains, modules).unwrap(), memory)
    })
}

fn orders() -> impl Strategy<Value = Order> {
    let files =
        || prop::sample::select(vec![FileOrder::Name, FileOrder::Package, FileOrder::Path, FileOrder::Size]);
    (files(), files(), files(), 0_u64..400, 0_u64..400).prop_map(
        |(executables, sources, modules, group_cut, cut)| Order {
            executables,
            sources,
            modules,
            group_cut,
            cut,
        },
    )
}

proptest! {
    #[test]
    fn every_blob_is_in_exactly_one_pack_and_cuts_are_kept((manifest, _) in components(), order in orders()) {
        let packs = plan_packs(&manifest, &order);
        let mut blobs = packs.concat();
        blobs.sort_unstable();
        prop_assert_eq!(&blobs, manifest.blobs());
        let files = manifest.toolchains().iter().flat_map(|toolchain| &toolchain.files);
        let executables: BTreeSet<_> = files
            .filter(|file| ["bin", "pkg"].contains(&file.path.elements().next().unwrap()))
            .map(|file| file.sha256)
            .collect();
        let is_executable = |blob: &Blob| executables.contains(&blob.sha256);
        let size = |pack: &[Blob]| pack.iter().map(|blob| blob.size).sum::<u64>();
        for (index, pack) in packs.iter().enumerate() {
            prop_assert!(!pack.is_empty());
            // All executables come first, in one pack.
            prop_assert!(index == 0 || !pack.iter().any(is_executable));
            prop_assert!(pack.is_sorted_by_key(|blob| !is_executable(blob)));
            prop_assert!(size(pack) <= order.cut || pack.len() == 1 || is_executable(&pack[pack.len() - 1]));
        }
        for pair in packs.windows(2) {
            // A pack ended because it was large enough, or because the next blob had no place in it.
            let next = pair[1][0].size;
            prop_assert!(size(&pair[0]) >= order.group_cut || size(&pair[0]) + next > order.cut);
        }
    }

    #[test]
    fn what_was_packed_unpacks_to_the_same_contents((manifest, memory) in components(), order in orders()) {
        let cache = tempfile::tempdir().unwrap();
        let packing = Packing { order, ..packing(1, 2, cache.path()) };
        let (table, frames) = run(&packing, &manifest, &memory).unwrap();
        let mut sink = Collect::default();
        for (pack, frame) in table.packs().iter().zip(frames) {
            AuthenticPack::new(pack, frame).unwrap().unpack(&mut sink).unwrap();
        }
        prop_assert_eq!(sink.contents, memory.contents.values().cloned().collect());
        let again = PackTable::parse(&table.to_bytes(manifest.blobs()), manifest.blobs()).unwrap();
        prop_assert_eq!(again, table);
    }
}
