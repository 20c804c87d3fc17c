//! Module zips, made again from the files: always the same bytes for the same files.

use std::io::{self, Cursor, Read, Seek, Write};

use goferry_manifest::Module;
use zip::write::{FullFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// `modzip.MaxZipFile`: bytes of the largest zip that `go` accepts.
const LARGEST: u64 = 500 << 20;
/// Bytes of the headers of one file, besides twice its name (APPNOTE 4.3.7, 4.3.12).
const HEADERS: u64 = 30 + 46;
/// Bytes of the end of a zip (APPNOTE 4.3.16).
const END: u64 = 22;

/// The bytes of a zip that stores these files.
pub(crate) fn stored_size<'f>(module: &Module, files: impl IntoIterator<Item = (&'f str, u64)>) -> u64 {
    let prefix = module.zip_prefix().len() as u64;
    let sizes =
        files.into_iter().map(|(name, size)| size.saturating_add(HEADERS + 2 * (prefix + name.len() as u64)));
    sizes.fold(END, u64::saturating_add)
}

/// Makes a zip of files in their order, in memory. They are stored, unless that would make it larger than `go` accepts.
pub(crate) fn in_memory<'f, R: Read>(
    module: &Module,
    size: u64,
    files: impl IntoIterator<Item = (&'f str, io::Result<R>)>,
) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let out = Cursor::new(Vec::with_capacity(size));
    write(module, CompressionMethod::Stored, files, out).map(Cursor::into_inner)
}

/// Makes a zip of files in their order. `size` is that of the zip which stores them.
pub(crate) fn to_writer<'f, R: Read, W: Write + Seek>(
    module: &Module,
    size: u64,
    files: impl IntoIterator<Item = (&'f str, io::Result<R>)>,
    out: W,
) -> io::Result<W> {
    let method = if size > LARGEST { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    write(module, method, files, out)
}

fn write<'f, R: Read, W: Write + Seek>(
    module: &Module,
    method: CompressionMethod,
    files: impl IntoIterator<Item = (&'f str, io::Result<R>)>,
    out: W,
) -> io::Result<W> {
    let prefix = module.zip_prefix();
    let mut writer = ZipWriter::new(out);
    let options = FullFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    for (name, file) in files {
        writer.start_file(format!("{prefix}{name}"), options.clone())?;
        io::copy(&mut file?, &mut writer)?;
    }
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn module() -> Module {
        Module::new("a.b/C".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap()
    }

    const FILES: [(&str, &[u8]); 3] =
        [("go.mod", b"module a.b/C\n"), ("x/\u{e9}.go", b"package x\n"), ("z", b"")];

    fn sample() -> Vec<u8> {
        let size = stored_size(&module(), FILES.map(|(name, content)| (name, content.len() as u64)));
        in_memory(&module(), size, FILES.map(|(name, content)| (name, Ok(content)))).unwrap()
    }

    #[test]
    fn a_zip_has_exactly_its_files_and_its_foreseen_size() {
        let bytes = sample();
        let size = stored_size(&module(), FILES.map(|(name, content)| (name, content.len() as u64)));
        assert_eq!(bytes.len() as u64, size);
        let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(archive.len(), FILES.len());
        for (index, (name, expected)) in FILES.iter().enumerate() {
            let mut file = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            assert_eq!(
                (file.name().unwrap().as_ref(), content.as_slice()),
                (format!("a.b/C@v1.0.0/{name}").as_str(), *expected)
            );
            assert_eq!(file.compression(), CompressionMethod::Stored);
            assert_eq!(file.extra_data().unwrap_or_default(), b"");
            assert_eq!(file.last_modified(), Some(DateTime::DEFAULT));
        }
    }

    #[test]
    fn a_zip_in_a_file_is_the_same_as_one_in_memory() {
        let file = tempfile::tempfile().unwrap();
        let files = FILES.map(|(name, content)| (name, Ok(content)));
        let mut file = to_writer(&module(), 0, files, file).unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, sample());
    }

    #[test]
    fn a_zip_that_would_be_too_large_is_deflated() {
        let content = vec![b'a'; 100_000];
        let bytes =
            to_writer(&module(), LARGEST + 1, [("a", Ok(content.as_slice()))], Cursor::new(Vec::new()))
                .unwrap()
                .into_inner();
        assert!(bytes.len() < 1000);
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.by_index(0).unwrap().compression(), CompressionMethod::Deflated);
    }
}
