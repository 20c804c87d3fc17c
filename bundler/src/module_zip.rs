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
mod tests {
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
        for name in
            ["go.mod", "a.b/c@v1.0.1/go.mod", "a.b/C@v1.0.0/go.mod", "a.b/c/go.mod", "/a.b/c@v1.0.0/x"]
        {
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
        let entries: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), chunk.as_slice())).collect();
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
}
