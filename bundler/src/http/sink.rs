//! Where the body of a response goes.

use std::io;

use super::Continuation;

/// Where the body of a response goes, over all tries of one request.
pub trait Sink {
    /// How many bytes are there of which body, if the rest of it can be asked for.
    fn resume_point(&self) -> Option<(u64, &Continuation)>;

    /// How many bytes are there, whether they can be continued or not.
    fn held(&self) -> u64;

    /// Drops what is there: a body begins anew.
    fn restart(&mut self, continuation: Option<Continuation>) -> io::Result<()>;

    /// What comes next is the rest of what is there.
    fn continued(&mut self) {}

    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A body in memory: begins anew at each try.
impl Sink for Vec<u8> {
    fn resume_point(&self) -> Option<(u64, &Continuation)> {
        None
    }

    fn held(&self) -> u64 {
        self.len() as u64
    }

    fn restart(&mut self, _continuation: Option<Continuation>) -> io::Result<()> {
        self.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Told how a transfer goes.
pub trait Progress: Sync {
    /// So many more bytes came, or were already there from an earlier run.
    fn received(&self, bytes: u64);

    /// So many bytes have to come again.
    fn dropped(&self, bytes: u64);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn received(&self, _bytes: u64) {}

    fn dropped(&self, _bytes: u64) {}
}
