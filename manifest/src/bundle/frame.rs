//! zstd frames (RFC 8878): how packs and tables are compressed, and which frames a reader accepts.
//!
//! A frame of the format is one zstd frame that states its content size, has no dictionary and no checksum (the
//! digests of the format do that work), needs a window of at most 2^27 bytes, and ends exactly where its bytes end.

use std::io::{self, Read};

use thiserror::Error;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound, find_frame_compressed_size};

use crate::limits::Limits;

/// How content is compressed. The same content, parameters and zstd release give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// zstd's level, 1 to 22.
    pub level: i32,
    /// Base-2 logarithm of the window.
    pub window_log: u32,
    /// What finds matches far back.
    pub search: Search,
}

/// How far back matches are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// As far as the level's own tables reach (8 MiB at level 19); in the rest of the window long matches only.
    LongDistance,
    /// Also through search trees that reach over the whole window. For one Go toolchain at level 19 this takes 1 %
    /// off executables and sources, at 1.2 times the CPU time and, by estimate, up to 0.9 GiB of memory.
    WholeWindow,
}

impl Parameters {
    /// Those of packs at a level: a 64 MiB window, all of it searched at the levels that are chosen for size.
    pub const fn of_packs(level: i32) -> Self {
        let search = if level >= 19 { Search::WholeWindow } else { Search::LongDistance };
        Self { level, window_log: 26, search }
    }

    /// Those of the tables, at a level where time no longer buys size: most of a table is digests.
    pub const TABLES: Self = Self { level: 12, window_log: 26, search: Search::LongDistance };

    /// Base-2 logarithms of hash table and search tree, where they are not the level's.
    fn table_logs(self) -> Option<(u32, u32)> {
        match self.search {
            Search::LongDistance => None,
            // A position takes two tree entries. Half as many hash buckets as positions are enough.
            Search::WholeWindow => Some((self.window_log - 1, self.window_log + 1)),
        }
    }

    /// About how much memory [`compress`] needs for so many bytes, with content and frame: an upper estimate.
    pub fn memory(self, content_size: u64) -> u64 {
        /// Bytes of a table entry.
        const ENTRY: u64 = 4;
        /// Buffers, statistics, the tables of long-distance matching, and all tables of a level at the most.
        const REST: u64 = 160 << 20;
        // zstd makes no table for more positions than the content has.
        let positions = content_size.min(1 << self.window_log).next_power_of_two();
        let tables = self.table_logs().map_or(0, |_| positions.saturating_mul(ENTRY * 5 / 2));
        content_size.saturating_mul(2).saturating_add(tables).saturating_add(REST)
    }
}

/// The release of the zstd library that compresses here: other releases may give other bytes.
pub fn zstd_release() -> &'static str {
    zstd::zstd_safe::version_string()
}

/// Compresses `content` as one frame, in the calling thread.
pub fn compress(content: &[u8], parameters: Parameters) -> io::Result<Vec<u8>> {
    let error = |code| io::Error::other(zstd::zstd_safe::get_error_name(code));
    let mut compressor = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    for parameter in [
        CParameter::CompressionLevel(parameters.level),
        CParameter::WindowLog(parameters.window_log),
        CParameter::EnableLongDistanceMatching(true),
        // Any other number of threads inside a frame gives other bytes.
        CParameter::NbWorkers(0),
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        compressor.set_parameter(parameter).map_err(error)?;
    }
    if let Some((hash_log, tree_log)) = parameters.table_logs() {
        compressor.set_parameter(CParameter::HashLog(hash_log)).map_err(error)?;
        compressor.set_parameter(CParameter::ChainLog(tree_log)).map_err(error)?;
    }
    let mut frame = Vec::with_capacity(compress_bound(content.len()));
    compressor.compress2(&mut frame, content).map_err(error)?;
    frame.shrink_to_fit();
    Ok(frame)
}

/// Why bytes are not a frame of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Too short, or another magic number: skippable frames and zstd's older formats have others.
    #[error("it does not begin with a zstd frame header")]
    NoHeader,
    /// A reserved or unused bit is set: decoders ignore the latter, so that it could hold anything.
    #[error("a reserved bit of the frame header is set")]
    Reserved,
    /// The frame ends with a checksum, which the format does not use.
    #[error("the frame has a checksum flag, which the format does not use")]
    Checksum,
    /// The frame asks for a dictionary.
    #[error("the frame asks for a dictionary")]
    Dictionary,
    /// The content size is not stated.
    #[error("the frame does not state its content size")]
    NoContentSize,
    /// The stated content size is not the signed one.
    #[error("the frame states {actual} bytes of content instead of {expected}")]
    ContentSize {
        /// The signed size.
        expected: u64,
        /// The frame's size.
        actual: u64,
    },
    /// A decoder would need too much memory.
    #[error("the frame needs a window of {window} bytes, above the limit of {limit}")]
    Window {
        /// The frame's window.
        window: u64,
        /// The format's limit.
        limit: u64,
    },
    /// The frame is cut off, or something follows it.
    #[error("the frame does not end where its bytes end")]
    Extent,
}

/// Checks a frame's header and extent without decoding it (RFC 8878 §3.1.1.1).
pub fn check(frame: &[u8], content_size: u64) -> Result<(), FrameError> {
    const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
    if frame.get(..4) != Some(&MAGIC) {
        return Err(FrameError::NoHeader);
    }
    let mut rest = &frame[4..];
    let mut take = |count: usize| -> Result<u64, FrameError> {
        let (bytes, after) = rest.split_at_checked(count).ok_or(FrameError::NoHeader)?;
        rest = after;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let descriptor = take(1)?;
    let (size_flag, single_segment) = (descriptor >> 6, descriptor & 0x20 != 0);
    if descriptor & 0x18 != 0 {
        return Err(FrameError::Reserved);
    }
    if descriptor & 0x04 != 0 {
        return Err(FrameError::Checksum);
    }
    if descriptor & 0x03 != 0 {
        return Err(FrameError::Dictionary);
    }
    let window = if single_segment { None } else { Some(take(1)?) };
    let actual = match (size_flag, single_segment) {
        (0, false) => return Err(FrameError::NoContentSize),
        (0, true) => take(1)?,
        (1, _) => take(2)? + 256,
        (2, _) => take(4)?,
        _ => take(8)?,
    };
    if actual != content_size {
        return Err(FrameError::ContentSize { expected: content_size, actual });
    }
    // Exponent in the upper five bits, eighths in the lower three.
    let window = window.map_or(actual, |byte| (1 << (10 + (byte >> 3))) / 8 * (8 + (byte & 7)));
    let limit = 1 << Limits::FORMAT_1.window_log;
    if window > limit {
        return Err(FrameError::Window { window, limit });
    }
    if find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(FrameError::Extent);
    }
    Ok(())
}

/// A stream of the content of a frame that [`check`] has accepted.
pub(super) fn decoder(frame: &[u8]) -> io::Result<impl Read + '_> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame)?.single_frame();
    decoder.window_log_max(Limits::FORMAT_1.window_log)?;
    Ok(decoder)
}

/// Decodes a whole frame of known content size; the caller has authenticated `frame` and capped `content_size`.
pub(super) fn decode(frame: &[u8], content_size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(content_size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut content = Vec::with_capacity(size);
    // One byte more than expected, so that a longer content is seen.
    decoder(frame)?.take(content_size.saturating_add(1)).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Vec<u8>) {
        let content: Vec<u8> = (0..20_000_u32).flat_map(|n| (n * n % 251).to_le_bytes()).collect();
        let frame = compress(&content, Parameters::of_packs(3)).unwrap();
        (content, frame)
    }

    #[test]
    fn what_is_compressed_passes_the_check_and_decodes() {
        let (content, frame) = sample();
        assert_eq!(check(&frame, content.len() as u64), Ok(()));
        assert_eq!(decode(&frame, content.len() as u64).unwrap(), content);
        for size in [0_usize, 1, 255, 256, 257, 65_791, 65_792, 70_000] {
            let content = vec![7; size];
            let frame = compress(&content, Parameters::TABLES).unwrap();
            assert_eq!(check(&frame, size as u64), Ok(()), "{size}");
            assert_eq!(decode(&frame, size as u64).unwrap(), content);
        }
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let (content, frame) = sample();
        assert_eq!(compress(&content, Parameters::of_packs(3)).unwrap(), frame);
    }

    #[test]
    fn the_whole_window_is_searched_from_level_19() {
        let (content, _) = sample();
        assert_eq!(Parameters::of_packs(12).search, Search::LongDistance);
        let parameters = Parameters::of_packs(19);
        assert_eq!(parameters.search, Search::WholeWindow);
        let frame = compress(&content, parameters).unwrap();
        assert_eq!(check(&frame, content.len() as u64), Ok(()));
        assert_eq!(decode(&frame, content.len() as u64).unwrap(), content);
    }

    #[test]
    fn the_memory_needed_grows_with_content_and_search_up_to_the_window() {
        let (near, far) = (Parameters::of_packs(12), Parameters::of_packs(19));
        assert_eq!(far.memory(1 << 20) - near.memory(1 << 20), 10 << 20);
        assert_eq!(far.memory(90 << 20) - near.memory(90 << 20), 640 << 20);
        assert!(far.memory(u64::MAX) == u64::MAX);
    }

    #[test]
    fn frames_of_another_form_are_refused() {
        // bad-inputs #49 to #55
        let (content, frame) = sample();
        let size = content.len() as u64;
        let with = |index: usize, value: u8| {
            let mut frame = frame.clone();
            frame[index] = value;
            frame
        };
        let descriptor = frame[4];
        let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &[4, 0, 0, 0, 1, 2, 3, 4]].concat();
        let encode = |checksum: bool, content_size: bool| {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(checksum).unwrap();
            encoder.include_contentsize(content_size).unwrap();
            encoder.set_pledged_src_size(Some(size)).unwrap();
            io::Write::write_all(&mut encoder, &content).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(check(&[], 0), Err(FrameError::NoHeader));
        assert_eq!(check(&skippable, size), Err(FrameError::NoHeader));
        assert_eq!(check(&[&skippable[..], &frame].concat(), size), Err(FrameError::NoHeader));
        assert_eq!(check(&[&frame[..], &skippable].concat(), size), Err(FrameError::Extent));
        assert_eq!(check(&[&frame[..], &frame].concat(), size), Err(FrameError::Extent));
        assert_eq!(check(&frame[..frame.len() - 1], size), Err(FrameError::Extent));
        assert_eq!(check(&with(0, 0), size), Err(FrameError::NoHeader));
        assert_eq!(check(&with(4, descriptor | 0x08), size), Err(FrameError::Reserved));
        assert_eq!(check(&with(4, descriptor | 0x10), size), Err(FrameError::Reserved));
        assert_eq!(check(&encode(true, true), size), Err(FrameError::Checksum));
        assert_eq!(check(&with(4, descriptor | 0x01), size), Err(FrameError::Dictionary));
        assert_eq!(check(&encode(false, false), size), Err(FrameError::NoContentSize));
        assert_eq!(
            check(&frame, size - 1),
            Err(FrameError::ContentSize { expected: size - 1, actual: size })
        );
    }

    #[test]
    fn a_window_above_the_limit_is_refused() {
        // bad-inputs #51: a header of window log 31 and 8-byte content size
        let header =
            [&0xFD2F_B528_u32.to_le_bytes()[..], &[0xC0, 21 << 3], &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(check(&header, 1), Err(FrameError::Window { window: 1 << 31, limit: 1 << 27 }));
    }

    #[test]
    fn no_cut_or_changed_frame_makes_the_check_panic() {
        let (content, frame) = sample();
        for length in 0..frame.len().min(300) {
            assert!(check(&frame[..length], content.len() as u64).is_err());
        }
        for bit in 0..64 * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let _ = check(&frame, content.len() as u64);
        }
    }
}
