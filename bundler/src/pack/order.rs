//! Which blob lies in which pack, and where in it: what is alike lies close together.
//!
//! A plan is a pure function of the manifest, so the same components always give the same packs. Its order is data, so
//! that a benchmark can compare others.

use std::cmp::Reverse;
use std::collections::HashSet;

use goferry_manifest::Limits;
use goferry_manifest::bundle::{Blob, File, Manifest};

/// How blobs are ordered and cut into packs (DESIGN §3, "Packing").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order of the executables of all toolchains, which share packs.
    pub executables: FileOrder,
    /// The order of all other files of toolchains.
    pub sources: FileOrder,
    /// The order of the files of one module path, all versions together.
    pub modules: FileOrder,
    /// Bytes of content from which a pack ends where its group ends.
    pub group_cut: u64,
    /// Bytes of content that a pack has at most, unless it holds one larger blob or executables.
    pub cut: u64,
}

/// The order of the files of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOrder {
    /// By extension, name, path, version: files of one name stand together, wherever they lie.
    Name,
    /// By extension, Go tests last, then directory, name, version: the files of a package stand together.
    Package,
    /// By path, version: as in an archive.
    Path,
    /// Largest first, then by path and version.
    Size,
}

impl Order {
    /// The order of bundles.
    ///
    /// Executables by name, so that one tool's versions are neighbours; sizes or hand-made sequences changed less than
    /// 0.5 %. Everything else by package, which took 0.6 % off the sources of one toolchain at level 19 against [`FileOrder::Name`].
    pub const STANDARD: Self = Self {
        executables: FileOrder::Name,
        sources: FileOrder::Package,
        modules: FileOrder::Package,
        group_cut: 16 << 20,
        cut: 64 << 20,
    };
}

/// The packs of a manifest: each blob once, at the first place that the order gives it.
pub fn plan_packs(manifest: &Manifest, order: &Order) -> Vec<Vec<Blob>> {
    let mut cutter = Cutter::default();
    let mut seen = HashSet::new();
    let mut add = |mut group: Vec<Entry<'_>>, order: FileOrder, cut: u64, group_cut: u64| {
        order.sort(&mut group);
        group.retain(|entry| seen.insert(entry.blob.sha256));
        cutter.add(group.into_iter().map(|entry| entry.blob), cut);
        cutter.end_group(group_cut);
    };
    let files = manifest.toolchains().iter().enumerate();
    let files = files.flat_map(|(number, toolchain)| toolchain.files.iter().map(move |file| (number, file)));
    let (executables, sources): (Vec<_>, Vec<_>) =
        files.map(|(number, file)| Entry::of(number, file)).partition(|entry| is_executable(entry.path));
    add(executables, order.executables, Limits::FORMAT_1.pack_content_bytes, order.group_cut);
    add(sources, order.sources, order.cut, order.group_cut);
    for versions in manifest.modules().chunk_by(|a, b| a.module.path() == b.module.path()) {
        let mut group = Vec::new();
        for (number, carried) in versions.iter().enumerate() {
            let files = carried.zip.iter().flat_map(|zip| &zip.files);
            group.extend(files.map(|file| Entry::of(number, file)));
            let blob = Blob { sha256: carried.go_mod.sha256, size: carried.go_mod.size };
            group.push(Entry { path: "go.mod", version: number, blob });
        }
        add(group, order.modules, order.cut, order.group_cut);
    }
    cutter.finish()
}

/// Whether a file of a toolchain is a program for its platform: nothing else lies in these directories.
fn is_executable(path: &str) -> bool {
    path.starts_with("bin/") || path.starts_with("pkg/tool/")
}

/// A file of a group.
struct Entry<'m> {
    path: &'m str,
    /// Which toolchain, or which version of the module: its number among them.
    version: usize,
    blob: Blob,
}

impl<'m> Entry<'m> {
    fn of(version: usize, file: &'m File) -> Self {
        let File { path, size, sha256 } = file;
        Self { path: path.as_str(), version, blob: Blob { sha256: *sha256, size: *size } }
    }

    /// Directory and name.
    fn split(&self) -> (&'m str, &'m str) {
        self.path.rsplit_once('/').unwrap_or(("", self.path))
    }
}

impl FileOrder {
    /// Sorts files. Two of the same path and version have the same content, so no order leaves a choice.
    fn sort(self, entries: &mut [Entry<'_>]) {
        match self {
            Self::Name => entries.sort_by_key(|entry| {
                let (_, name) = entry.split();
                (extension(name), name, entry.path, entry.version)
            }),
            Self::Package => entries.sort_by_key(|entry| {
                let (directory, name) = entry.split();
                (extension(name), name.ends_with("_test.go"), directory, name, entry.version)
            }),
            Self::Path => entries.sort_by_key(|entry| (entry.path, entry.version)),
            Self::Size => {
                entries.sort_by_key(|entry| (Reverse(entry.blob.size), entry.path, entry.version));
            }
        }
    }
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Cuts a sequence of blobs into packs.
#[derive(Default)]
struct Cutter {
    packs: Vec<Vec<Blob>>,
    open: Vec<Blob>,
    /// Bytes of the open pack's content.
    bytes: u64,
}

impl Cutter {
    fn add(&mut self, blobs: impl Iterator<Item = Blob>, cut: u64) {
        let cut = cut.min(Limits::FORMAT_1.pack_content_bytes);
        for blob in blobs {
            if self.bytes.saturating_add(blob.size) > cut {
                self.close();
            }
            self.bytes += blob.size;
            self.open.push(blob);
        }
    }

    fn end_group(&mut self, group_cut: u64) {
        if self.bytes >= group_cut {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.packs.push(std::mem::take(&mut self.open));
        }
        self.bytes = 0;
    }

    fn finish(mut self) -> Vec<Vec<Blob>> {
        self.close();
        self.packs
    }
}
