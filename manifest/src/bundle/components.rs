//! The manifest: *what* is inside a bundle.
//!
//! A [`Manifest`] exists only if all of it holds together: every h1 was recomputed from the files listed, the names
//! of each component can stand side by side, everything is sorted, and all sizes are within [`Limits`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::file_path::{NameClash, Names};
use crate::module::MajorMismatch;
use crate::strict_json::{self, JsonError, document};
use crate::{
    DirHash, FilePath, GoRelease, Limits, Module, ModulePath, ModuleVersion, Platform, Sha256Digest,
    Timestamp,
};

/// `modzip.MaxZipFile`: bytes of a module's files together.
const MODULE_BYTES: u64 = 500 << 20;
/// `modzip.MaxGoMod`, `modzip.MaxLICENSE`: bytes of these files at the top of a module.
const SPECIAL_FILE_BYTES: u64 = 16 << 20;

/// The components of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    toolchains: Vec<Toolchain>,
    modules: Vec<CarriedModule>,
    /// Every distinct content, sorted by digest: the pack table names them by their number here.
    blobs: Vec<Blob>,
}

/// The bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob {
    /// Digest of the bytes.
    pub sha256: Sha256Digest,
    /// Their number.
    pub size: u64,
}

/// A file of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path inside of the component.
    pub path: FilePath,
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content.
    pub sha256: Sha256Digest,
}

/// A Go toolchain: exactly the files of its h1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// The release.
    pub version: GoRelease,
    /// What it runs on.
    pub platform: Platform,
    /// The h1 that the checksum database records for its module form.
    pub h1: DirHash,
    /// Files by path, sorted bytewise. Files named `_go.mod` become `go.mod` in the GOROOT.
    pub files: Vec<File>,
}

/// A module as a host needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedModule {
    /// Path and version.
    pub module: Module,
    /// When the version was made: the `Time` of its `.info`, if the proxy told one.
    pub time: Option<Timestamp>,
    /// Its go.mod as proxies serve it.
    pub go_mod: GoMod,
    /// Its files; absent where only the go.mod is needed.
    pub zip: Option<Zip>,
}

/// The go.mod of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoMod {
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content.
    pub sha256: Sha256Digest,
    /// Its hash in go.sum.
    pub h1: DirHash,
}

/// The files of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zip {
    /// Its hash in go.sum.
    pub h1: DirHash,
    /// Files by path, sorted bytewise, without the `path@version/` of the zip.
    pub files: Vec<File>,
}

/// Why a list of components does not hold together.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not the document.
    #[error("manifest: {0}")]
    Json(JsonError),
    /// No component.
    #[error("manifest: it lists no component")]
    Empty,
    /// A toolchain of nothing.
    #[error("manifest: `{0}` has no files")]
    NoFiles(String),
    /// Not sorted, or the same twice.
    #[error("manifest: `{0}` is not after the entry before it in the order of the format")]
    Order(String),
    /// A module whose version does not go with its path.
    #[error("manifest: {0}")]
    MajorMismatch(MajorMismatch),
    /// Names of one component that cannot stand side by side.
    #[error("manifest: in `{component}`: {clash}")]
    NameClash {
        /// The component.
        component: String,
        /// The names.
        clash: NameClash,
    },
    /// The h1 is not that of the files.
    #[error(
        "manifest: `{component}` is not what its files are: the manifest says {stated}, the files give {computed}"
    )]
    H1 {
        /// The component, with `/go.mod` where its go.mod is meant.
        component: String,
        /// The h1 in the manifest.
        stated: DirHash,
        /// The h1 of the files in the manifest.
        computed: DirHash,
    },
    /// The go.mod of a module and the go.mod among its files differ.
    #[error("manifest: the go.mod of `{0}` is not the one among its files")]
    GoModContradiction(Module),
    /// One digest with two sizes.
    #[error("manifest: content {0} is listed with two sizes")]
    TwoSizes(Sha256Digest),
    /// A size or number above its limit.
    #[error("manifest: {what} is above the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit.
        limit: u64,
    },
}

impl Manifest {
    /// Checks that components hold together. They are sorted first; everything else is refused as it is in a bundle.
    pub fn new(
        mut toolchains: Vec<Toolchain>,
        mut modules: Vec<CarriedModule>,
    ) -> Result<Self, ManifestError> {
        toolchains.sort_by(|a, b| a.key().cmp(&b.key()));
        for toolchain in &mut toolchains {
            toolchain.files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        modules.sort_by(|a, b| a.module.cmp(&b.module));
        for zip in modules.iter_mut().filter_map(|module| module.zip.as_mut()) {
            zip.files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Self::check(toolchains, modules)
    }

    /// Reads the document whose digest was checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let document: Document = strict_json::parse(bytes).map_err(ManifestError::Json)?;
        let modules = document.modules.into_iter().map(CarriedModule::try_from).collect::<Result<_, _>>();
        let modules = modules.map_err(ManifestError::MajorMismatch)?;
        Self::check(document.toolchains, modules)
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let modules = self.modules.iter().cloned().map(ModuleDocument::from).collect();
        strict_json::to_bytes(&Document {
            kind: DocumentType::V1,
            toolchains: self.toolchains.clone(),
            modules,
        })
    }

    /// The toolchains, by release and platform.
    pub fn toolchains(&self) -> &[Toolchain] {
        &self.toolchains
    }

    /// The modules, by path and version.
    pub fn modules(&self) -> &[CarriedModule] {
        &self.modules
    }

    /// Every distinct content, by digest.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    fn check(toolchains: Vec<Toolchain>, modules: Vec<CarriedModule>) -> Result<Self, ManifestError> {
        if toolchains.is_empty() && modules.is_empty() {
            return Err(ManifestError::Empty);
        }
        if let Some([_, second]) = toolchains.windows(2).find(|pair| pair[0].key() >= pair[1].key()) {
            return Err(ManifestError::Order(second.to_string()));
        }
        if let Some([_, second]) = modules.windows(2).find(|pair| pair[0].module >= pair[1].module) {
            return Err(ManifestError::Order(second.module.to_string()));
        }
        toolchains.iter().try_for_each(Toolchain::check)?;
        modules.iter().try_for_each(CarriedModule::check)?;
        let blobs = distinct_blobs(&toolchains, &modules)?;
        Ok(Self { toolchains, modules, blobs })
    }
}

impl Toolchain {
    /// The module form of the toolchain, under which the checksum database records it.
    pub fn module(&self) -> Module {
        self.version.toolchain_module(&self.platform)
    }

    /// The names that files named `_go.mod` get in the GOROOT (`cmd/go/internal/toolchain/select.go`).
    fn renamed(&self) -> Vec<FilePath> {
        let renamed = self.files.iter().filter(|file| file.path.file_name() == "_go.mod").map(|file| {
            let name = match file.path.parent() {
                "" => "go.mod".to_owned(),
                parent => format!("{parent}/go.mod"),
            };
            name.parse().expect("a shorter path with another allowed name")
        });
        renamed.collect()
    }

    fn key(&self) -> (GoRelease, &Platform) {
        (self.version, &self.platform)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let component = self.to_string();
        if self.files.is_empty() {
            return Err(ManifestError::NoFiles(component));
        }
        check_files(&component, &self.files, &self.renamed())?;
        check_h1(component, self.h1, DirHash::of_prefixed(&self.module().zip_prefix(), named(&self.files)))
    }
}

impl std::fmt::Display for Toolchain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "go{} {}", self.version, self.platform)
    }
}

impl CarriedModule {
    fn check(&self) -> Result<(), ManifestError> {
        let Self { module, time: _, go_mod, zip } = self;
        check_size(|| format!("{module}/go.mod"), go_mod.size, SPECIAL_FILE_BYTES)?;
        check_h1(format!("{module}/go.mod"), go_mod.h1, DirHash::of_go_mod(go_mod.sha256))?;
        let Some(zip) = zip else { return Ok(()) };
        let component = module.to_string();
        check_files(&component, &zip.files, &[])?;
        let total = zip.files.iter().try_fold(0_u64, |total, file| total.checked_add(file.size));
        check_size(|| format!("the size of {component}"), total.unwrap_or(u64::MAX), MODULE_BYTES)?;
        for file in &zip.files {
            match file.path.as_str() {
                "go.mod" if file.sha256 != go_mod.sha256 => {
                    return Err(ManifestError::GoModContradiction(module.clone()));
                }
                "go.mod" | "LICENSE" => {
                    check_size(|| format!("{component}/{}", file.path), file.size, SPECIAL_FILE_BYTES)?;
                }
                _ => {}
            }
        }
        check_h1(component, zip.h1, DirHash::of_prefixed(&module.zip_prefix(), named(&zip.files)))
    }
}

fn named(files: &[File]) -> impl Iterator<Item = (&str, Sha256Digest)> {
    files.iter().map(|file| (file.path.as_str(), file.sha256))
}

fn check_h1(component: String, stated: DirHash, computed: DirHash) -> Result<(), ManifestError> {
    if stated == computed { Ok(()) } else { Err(ManifestError::H1 { component, stated, computed }) }
}

fn check_size(what: impl FnOnce() -> String, size: u64, limit: u64) -> Result<(), ManifestError> {
    if size <= limit { Ok(()) } else { Err(ManifestError::TooLarge { what: what(), limit }) }
}

/// Checks order, sizes and names, the names in `further` among them.
fn check_files(component: &str, files: &[File], further: &[FilePath]) -> Result<(), ManifestError> {
    if let Some([_, second]) = files.windows(2).find(|pair| pair[0].path >= pair[1].path) {
        return Err(ManifestError::Order(format!("{component}/{}", second.path)));
    }
    let mut names = Names::new();
    for path in files.iter().map(|file| &file.path).chain(further) {
        names
            .add(path)
            .map_err(|clash| ManifestError::NameClash { component: component.to_owned(), clash })?;
    }
    for file in files {
        check_size(|| format!("{component}/{}", file.path), file.size, Limits::FORMAT_1.blob_bytes)?;
    }
    Ok(())
}

fn distinct_blobs(toolchains: &[Toolchain], modules: &[CarriedModule]) -> Result<Vec<Blob>, ManifestError> {
    let files = toolchains.iter().map(|toolchain| &toolchain.files);
    let files = files.chain(modules.iter().filter_map(|module| Some(&module.zip.as_ref()?.files))).flatten();
    let files = files.map(|file| (file.sha256, file.size));
    let go_mods = modules.iter().map(|module| (module.go_mod.sha256, module.go_mod.size));
    let mut blobs = BTreeMap::new();
    let mut count = 0_usize;
    for (sha256, size) in files.chain(go_mods) {
        count += 1;
        if *blobs.entry(sha256).or_insert(size) != size {
            return Err(ManifestError::TwoSizes(sha256));
        }
    }
    let limit = Limits::FORMAT_1.files;
    if count > limit {
        return Err(ManifestError::TooLarge {
            what: format!("the number of files, {count},"),
            limit: limit as u64,
        });
    }
    Ok(blobs.into_iter().map(|(sha256, size)| Blob { sha256, size }).collect())
}

/// The manifest as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    kind: DocumentType,
    toolchains: Vec<Toolchain>,
    modules: Vec<ModuleDocument>,
}

document!(Document, DocumentType = "goferry/manifest/v1");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleDocument {
    path: ModulePath,
    version: ModuleVersion,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "strict_json::present")]
    time: Option<Timestamp>,
    go_mod: GoMod,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "strict_json::present")]
    zip: Option<Zip>,
}

impl TryFrom<ModuleDocument> for CarriedModule {
    type Error = MajorMismatch;

    fn try_from(document: ModuleDocument) -> Result<Self, MajorMismatch> {
        let ModuleDocument { path, version, time, go_mod, zip } = document;
        Ok(Self { module: Module::new(path, version)?, time, go_mod, zip })
    }
}

impl From<CarriedModule> for ModuleDocument {
    fn from(carried: CarriedModule) -> Self {
        let CarriedModule { module, time, go_mod, zip } = carried;
        Self { path: module.path().clone(), version: module.version().clone(), time, go_mod, zip }
    }
}
