//! The container, entry by entry: every header, padding and the end are compared with what they must be.

use std::io;

use super::container::{self, BLOCK, BLOCK_LEN, END};
use super::cover::Table;
use super::frame;
use super::packs::Pack;
use super::reader::{BundleError, ReadAt};
use crate::Sha256Digest;

/// Walks over the entries of a container.
pub(super) struct Entries<'s, S> {
    pub(super) source: &'s S,
    /// Bytes of the whole file.
    pub(super) size: u64,
    /// Where the next header begins.
    pub(super) offset: u64,
}

impl<S: ReadAt> Entries<'_, S> {
    /// The entry `name`, whose size only its header tells; `None` if another entry is there.
    pub(super) fn optional(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, BundleError> {
        if self.offset + BLOCK > self.size {
            return Ok(None);
        }
        let mut header = [0; BLOCK_LEN];
        self.source.read_exact_at(&mut header, self.offset)?;
        let Some(size) = container::size_in_header(&header, name, limit) else { return Ok(None) };
        let offset = self.offset;
        self.need(offset + BLOCK + size)?;
        self.offset += BLOCK;
        let content = self.content(name, size)?;
        Ok(Some(content))
    }

    /// A table that the cover describes: its bytes and its content.
    pub(super) fn table(
        &mut self,
        name: &'static str,
        table: &Table,
    ) -> Result<(Vec<u8>, Vec<u8>), BundleError> {
        self.header(name, table.size)?;
        let compressed = self.content(name, table.size)?;
        let check = |bytes: &[u8], expected: Sha256Digest| {
            let actual = Sha256Digest::of(bytes);
            let mismatch = || BundleError::TableDigest { entry: name, expected, actual };
            (actual == expected).then_some(()).ok_or_else(mismatch)
        };
        check(&compressed, table.sha256)?;
        frame::check(&compressed, table.content_size)
            .map_err(|reason| BundleError::TableFrame { entry: name, reason })?;
        let content = frame::decode(&compressed, table.content_size)
            .map_err(|reason| BundleError::TableDecode { entry: name, reason })?;
        check(&content, table.content_sha256)?;
        Ok((compressed, content))
    }

    /// Checks what surrounds a pack, and tells where its bytes begin.
    pub(super) fn skip_pack(&mut self, pack: &Pack) -> Result<u64, BundleError> {
        let name = container::pack_name(pack.sha256);
        self.header(&name, pack.size)?;
        let content_at = self.offset;
        self.offset += pack.size;
        self.zeros(&name, container::padding(pack.size))?;
        Ok(content_at)
    }

    /// Compares the next header with the only right one.
    fn header(&mut self, name: &str, size: u64) -> Result<(), BundleError> {
        self.need(self.offset + BLOCK + size)?;
        let mut header = [0; BLOCK_LEN];
        self.source.read_exact_at(&mut header, self.offset)?;
        if header != container::header(name, size) {
            return Err(BundleError::Header { entry: name.to_owned(), offset: self.offset });
        }
        self.offset += BLOCK;
        Ok(())
    }

    /// Reads a content of known size, and checks the padding after it.
    fn content(&mut self, name: &str, size: u64) -> Result<Vec<u8>, BundleError> {
        let mut content = zeroed(size)?;
        self.source.read_exact_at(&mut content, self.offset)?;
        self.offset += size;
        self.zeros(name, container::padding(size))?;
        Ok(content)
    }

    /// Checks that the file ends here as it must.
    pub(super) fn end(&mut self) -> Result<(), BundleError> {
        self.zeros("the last pack", END)?;
        if self.size > self.offset {
            return Err(BundleError::Trailing { expected: self.offset, actual: self.size });
        }
        Ok(())
    }

    fn zeros(&mut self, after: &str, count: u64) -> Result<(), BundleError> {
        self.need(self.offset + count)?;
        let mut zeros = [0; 2 * BLOCK_LEN];
        let zeros = &mut zeros[..usize::try_from(count).expect("padding and end have at most 1024 bytes")];
        self.source.read_exact_at(zeros, self.offset)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(BundleError::NotZero { entry: after.to_owned(), offset: self.offset });
        }
        self.offset += count;
        Ok(())
    }

    /// Checks that the file reaches to `end`, before anything of that size is allocated.
    fn need(&self, end: u64) -> Result<(), BundleError> {
        if end > self.size {
            return Err(BundleError::Truncated { expected: end, actual: self.size });
        }
        Ok(())
    }
}

/// A buffer for `size` bytes, which are known to be there.
pub(super) fn zeroed(size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(vec![0; size])
}
