//! Module zips, read as strictly as `go` reads them, and a little more.
//!
//! The rules for names and sizes are those of `checkZip` in `golang.org/x/mod/zip`. Above them, the archive has to
//! mean the same to every reader: local headers agree with the central directory, nothing lies before, between or
//! after the entries. A bad zip is refused, never cleaned.

use std::io::{self, Read, Seek, SeekFrom};

use goferry_manifest::bundle::File;
use goferry_manifest::crypto::Sha256;
use goferry_manifest::file_path::{NameClash, Names};
use goferry_manifest::{DirHash, FilePath, FilePathError, Module};
use thiserror::Error;
use zip::CompressionMethod;
use zip::read::{ArchiveOffset, Config, ZipArchive, ZipFile};
use zip::result::ZipError;

/// `modzip.MaxZipFile`: bytes of a zip, and bytes of its files together.
pub const MAX_ZIP_BYTES: u64 = 500 << 20;
/// `modzip.MaxGoMod`, `modzip.MaxLICENSE`: bytes of these files at the top of a module.
pub const MAX_SPECIAL_FILE_BYTES: u64 = 16 << 20;
/// Bytes between two entries at most: a data descriptor with signature and 64-bit sizes.
const MAX_DESCRIPTOR_BYTES: u64 = 24;
/// The end-of-central-directory record without its comment: its size and its signature.
const END_RECORD_BYTES: u64 = 22;
const END_RECORD_SIGNATURE: &[u8; 4] = b"PK\x05\x06";
/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What a module zip holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleZip {
    /// Its hash, as in go.sum.
    pub h1: DirHash,
    /// Its files in the order of the archive's central directory, without the `path@version/` of their names. The
    /// position of a file here is the number of its entry.
    pub files: Vec<File>,
}

/// Why a zip is not a module's.
#[derive(Debug, Error)]
#[error("the zip of `{module}` is not a module zip: {flaw}")]
pub struct ModuleZipError {
    module: Module,
    flaw: Box<Flaw>,
}

/// What is wrong with a module zip.
#[derive(Debug, Error)]
pub enum Flaw {
    /// It cannot be read as a zip.
    #[error("{0}")]
    Zip(ZipError),
    /// It cannot be read at all.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Bytes that belong to no entry.
    #[error("there are bytes {0} that belong to no entry")]
    ForeignBytes(&'static str),
    /// Bytes that belong to two entries.
    #[error("its entries overlap")]
    Overlap,
    /// Larger than go allows.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// Not below `path@version/`.
    #[error("entry `{}` is not below `{prefix}`", name.escape_debug())]
    Prefix {
        /// The entry.
        name: String,
        /// What its name should begin with.
        prefix: String,
    },
    /// A directory. go hashes its name into the h1, so that no list of files has that h1.
    #[error("entry `{}` is a directory", name.escape_debug())]
    Directory {
        /// The entry.
        name: String,
    },
    /// A name that go refuses.
    #[error(transparent)]
    Path(#[from] FilePathError),
    /// Names that cannot stand side by side.
    #[error(transparent)]
    Clash(#[from] NameClash),
    /// A go.mod that is not at the top, or not spelled so.
    #[error("`{0}`: a go.mod can only be at the top, in lower case")]
    MisplacedGoMod(FilePath),
    /// Encrypted, or compressed with something else than deflate.
    #[error("`{path}` is {how}")]
    Encoding {
        /// The file.
        path: FilePath,
        /// What it is.
        how: String,
    },
    /// Not as long as its header says.
    #[error("`{path}` has not the {declared} bytes that its header declares")]
    Size {
        /// The file.
        path: FilePath,
        /// What the header says.
        declared: u64,
    },
}

/// Reads and checks the zip of `module`, all of it.
pub fn read(module: &Module, mut reader: impl Read + Seek) -> Result<ModuleZip, ModuleZipError> {
    let mut read = || {
        let length = reader.seek(SeekFrom::End(0))?;
        if length > MAX_ZIP_BYTES {
            return Err(Flaw::TooLarge { what: "the zip".to_owned(), limit: MAX_ZIP_BYTES });
        }
        let mut archive = open(&mut reader).map_err(Flaw::Zip)?;
        let paths = check_directory(&mut archive, &module.zip_prefix())?;
        let files = hash_files(&mut archive, paths)?;
        let comment = archive.comment().len() as u64;
        check_end(&mut reader, length, comment)?;
        Ok(files)
    };
    let files = read().map_err(|flaw| ModuleZipError { module: module.clone(), flaw: Box::new(flaw) })?;
    let named = files.iter().map(|file| (file.path.as_str(), file.sha256));
    Ok(ModuleZip { h1: DirHash::of_prefixed(&module.zip_prefix(), named), files })
}

/// Opens a zip that begins where its reader begins.
pub(crate) fn open<R: Read + Seek>(mut reader: R) -> Result<ZipArchive<R>, ZipError> {
    reader.rewind()?;
    ZipArchive::with_config(Config { archive_offset: ArchiveOffset::Known(0) }, reader)
}

/// The checks that need no content. Returns the path of each entry.
fn check_directory<R: Read + Seek>(archive: &mut ZipArchive<R>, prefix: &str) -> Result<Vec<FilePath>, Flaw> {
    archive.validate_header_consistency().map_err(Flaw::Zip)?;
    let mut names = Names::new();
    let mut paths = Vec::with_capacity(archive.len());
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(Flaw::Zip)?;
        let path = check_name(entry.name_raw(), prefix)?;
        names.add(&path)?;
        check_encoding(&path, entry.encrypted(), entry.compression())?;
        total = total.saturating_add(entry.size());
        let special = matches!(path.as_str(), "go.mod" | "LICENSE");
        if special && entry.size() > MAX_SPECIAL_FILE_BYTES {
            return Err(Flaw::TooLarge { what: format!("`{path}`"), limit: MAX_SPECIAL_FILE_BYTES });
        }
        paths.push(path);
    }
    if total > MAX_ZIP_BYTES {
        return Err(Flaw::TooLarge { what: "the content".to_owned(), limit: MAX_ZIP_BYTES });
    }
    Ok(paths)
}

/// The end record and its comment are the last thing of the file, and the central directory lies right before them.
fn check_end(reader: &mut (impl Read + Seek), length: u64, comment: u64) -> Result<(), Flaw> {
    const AFTER: Flaw = Flaw::ForeignBytes("after the archive");
    let at = length.checked_sub(END_RECORD_BYTES + comment).ok_or(AFTER)?;
    let mut record = Vec::new();
    reader.seek(SeekFrom::Start(at))?;
    reader.read_to_end(&mut record)?;
    let number = |at: usize, bytes: usize| {
        let digits = record.get(at..at + bytes).unwrap_or_default();
        digits.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let ends_there = record.starts_with(END_RECORD_SIGNATURE) && number(20, 2) == comment;
    if !ends_there || record[4..].windows(4).any(|window| window == END_RECORD_SIGNATURE) {
        return Err(AFTER);
    }
    let (size, start) = (number(12, 4), number(16, 4));
    let is_zip64 = start == u64::from(u32::MAX);
    if !is_zip64 && start + size != at {
        return Err(Flaw::ForeignBytes("after the central directory"));
    }
    Ok(())
}

fn check_name(name: &[u8], prefix: &str) -> Result<FilePath, Flaw> {
    let name = String::from_utf8_lossy(name); // a replacement character is in no file path
    let Some(path) = name.strip_prefix(prefix) else {
        return Err(Flaw::Prefix { name: name.into_owned(), prefix: prefix.to_owned() });
    };
    if path.is_empty() || path.ends_with('/') {
        return Err(Flaw::Directory { name: name.into_owned() });
    }
    let path: FilePath = path.parse()?;
    if path.file_name().eq_ignore_ascii_case("go.mod") && path.as_str() != "go.mod" {
        return Err(Flaw::MisplacedGoMod(path));
    }
    Ok(path)
}

fn check_encoding(path: &FilePath, encrypted: bool, method: CompressionMethod) -> Result<(), Flaw> {
    let how = match method {
        _ if encrypted => "encrypted".to_owned(),
        CompressionMethod::Stored | CompressionMethod::Deflated => return Ok(()),
        other => format!("compressed with {other}"),
    };
    Err(Flaw::Encoding { path: path.clone(), how })
}

fn hash_files<R: Read + Seek>(archive: &mut ZipArchive<R>, paths: Vec<FilePath>) -> Result<Vec<File>, Flaw> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut spans = Vec::with_capacity(paths.len());
    let mut files = Vec::with_capacity(paths.len());
    for (index, path) in paths.into_iter().enumerate() {
        let mut entry = archive.by_index(index).map_err(Flaw::Zip)?;
        let end = entry.data_start().and_then(|start| start.checked_add(entry.compressed_size()));
        spans.push((entry.header_start(), end.unwrap_or(u64::MAX)));
        files.push(hash_file(&mut entry, path, &mut buffer)?);
    }
    check_spans(spans, archive.central_directory_start())?;
    Ok(files)
}

/// Entries lie one after the other from the start to the central directory, with nothing but descriptors between.
fn check_spans(mut spans: Vec<(u64, u64)>, directory: u64) -> Result<(), Flaw> {
    spans.sort_unstable();
    if spans.first().map_or(directory, |(start, _)| *start) != 0 {
        return Err(Flaw::ForeignBytes("before the first entry"));
    }
    let starts = spans.iter().skip(1).map(|(start, _)| *start).chain([directory]);
    for ((_, end), next) in spans.iter().zip(starts) {
        match next.checked_sub(*end) {
            None => return Err(Flaw::Overlap),
            Some(gap) if gap > MAX_DESCRIPTOR_BYTES => return Err(Flaw::ForeignBytes("between the entries")),
            Some(_) => {}
        }
    }
    Ok(())
}

fn hash_file<R: Read>(entry: &mut ZipFile<'_, R>, path: FilePath, buffer: &mut [u8]) -> Result<File, Flaw> {
    let declared = entry.size();
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    loop {
        // The checksum of the archive is checked when its end is read.
        let read = match entry.read(buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        size += read as u64;
        if size > declared {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    if size != declared {
        return Err(Flaw::Size { path, declared });
    }
    Ok(File { path, size, sha256: hasher.finalize() })
}

#[cfg(test)]
mod tests;
