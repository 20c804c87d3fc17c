//! The passphrase of a secret key file, and the scrypt parameters that go with it.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto::scrypt;

/// Bytes of a passphrase: minisign reads it, with its LF, into 1,024 bytes that end with NUL.
const PASSPHRASE_BYTES: usize = 1022;

/// A passphrase that minisign can be given too: one line, never printed, wiped from memory when dropped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Bytes that are no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PassphraseError {
    /// minisign would cut it off.
    #[error("the passphrase has {bytes} bytes, more than the {PASSPHRASE_BYTES} that minisign can read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// minisign would end it there.
    #[error("the passphrase contains a line end or a NUL, which minisign cannot read")]
    LineEnd,
}

impl Passphrase {
    /// Takes the passphrase without the line end after it. The empty one is a passphrase.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        if bytes.len() > PASSPHRASE_BYTES {
            return Err(PassphraseError::TooLong { bytes: bytes.len() });
        }
        if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(PassphraseError::LineEnd);
        }
        Ok(Self(bytes))
    }

    /// Whether there is nothing to guess.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// What deriving a key from a passphrase costs, as libsodium counts it in
/// `crypto_pwhash/scryptsalsa208sha256`: salsa20/8 cores and bytes of memory.
///
/// Between the least and the most that minisign itself ever writes, so that a key file cannot be made to exhaust
/// the machine that reads it: at most 1 GiB of memory and about four seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScryptCost {
    opslimit: u64,
    memlimit: u64,
}

impl ScryptCost {
    /// libsodium's `SENSITIVE`, minisign's choice: 1 GiB.
    pub const MINISIGN: Self = Self { opslimit: 1 << 25, memlimit: 1 << 30 };
    /// libsodium's `INTERACTIVE`: 16 MiB, its least memory. For tests, and for machines that have no more.
    pub const INTERACTIVE: Self = Self { opslimit: 1 << 19, memlimit: 1 << 24 };

    /// libsodium's `OPSLIMIT_MIN`.
    const LEAST_OPSLIMIT: u64 = 1 << 15;

    /// The cost that a key file states; `None` where minisign would not have written it.
    pub(super) fn from_limits(opslimit: u64, memlimit: u64) -> Option<Self> {
        let usual = (Self::LEAST_OPSLIMIT..=Self::MINISIGN.opslimit).contains(&opslimit)
            && (Self::INTERACTIVE.memlimit..=Self::MINISIGN.memlimit).contains(&memlimit);
        usual.then_some(Self { opslimit, memlimit })
    }

    /// libsodium's `opslimit`.
    pub(super) fn opslimit(self) -> u64 {
        self.opslimit
    }

    /// libsodium's `memlimit`.
    pub(super) fn memlimit(self) -> u64 {
        self.memlimit
    }

    /// scrypt's `log2 N`, `r` and `p`: libsodium's `pickparams`.
    fn parameters(self) -> (u8, u32, u32) {
        let r: u32 = 8;
        let log2 = |n: u64| u8::try_from(n.checked_ilog2().unwrap_or(0).max(1)).expect("64 bits at most");
        if self.opslimit < self.memlimit / 32 {
            return (log2(self.opslimit / u64::from(r * 4)), r, 1);
        }
        let log2_n = log2(self.memlimit / u64::from(r * 128));
        let rp = (self.opslimit / 4) >> log2_n;
        (log2_n, r, u32::try_from(rp).unwrap_or(u32::MAX).min(0x3fff_ffff) / r)
    }

    /// Fills a key stream from `passphrase`.
    pub(super) fn key_stream<const N: usize>(
        self,
        passphrase: &Passphrase,
        salt: &[u8; 32],
    ) -> Zeroizing<[u8; N]> {
        let (log2_n, r, p) = self.parameters();
        let mut stream = Zeroizing::new([0; N]);
        scrypt(&passphrase.0, salt, log2_n, r, p, stream.as_mut_slice())
            .expect("between minisign's bounds N is 2^10 to 2^20, p is 1 to 64");
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_that_libsodium_picks() {
        let pick = |opslimit, memlimit| ScryptCost { opslimit, memlimit }.parameters();
        assert_eq!(ScryptCost::MINISIGN.parameters(), (20, 8, 1));
        assert_eq!(ScryptCost::INTERACTIVE.parameters(), (14, 8, 1));
        // minisign halves both while memory does not suffice.
        assert_eq!(pick(1 << 24, 1 << 29), (19, 8, 1));
        // Few operations bound N, many repeat the work, and what is no power of two is rounded down.
        assert_eq!(pick(1 << 15, 1 << 30), (10, 8, 1));
        assert_eq!(pick(1 << 25, 1 << 24), (14, 8, 64));
        assert_eq!(pick((1 << 19) + 5, (1 << 24) + 5), (14, 8, 1));
        assert_eq!(pick((1 << 20) - 1, (1 << 25) - 1), (14, 8, 1));
        for opslimit in 15..=25 {
            for memlimit in 24..=30 {
                let (log2_n, r, p) = pick(1 << opslimit, 1 << memlimit);
                assert!(
                    (10..=20).contains(&log2_n) && r == 8 && (1..=64).contains(&p),
                    "{opslimit} {memlimit}"
                );
            }
        }
    }

    #[test]
    fn limits_beyond_those_of_minisign_are_refused() {
        // The minisign container list after bad-inputs #112.
        let at_most = ScryptCost::MINISIGN;
        assert_eq!(ScryptCost::from_limits(1 << 25, 1 << 30), Some(at_most));
        for (opslimit, memlimit) in [
            (1 << 25, (1 << 30) + 1),
            ((1 << 25) + 1, 1 << 30),
            (u64::MAX, u64::MAX),
            (1 << 25, u64::MAX),
            (1 << 25, (1 << 24) - 1),
            ((1 << 15) - 1, 1 << 24),
            (0, 0),
        ] {
            assert_eq!(ScryptCost::from_limits(opslimit, memlimit), None, "{opslimit} {memlimit}");
        }
    }

    #[test]
    fn a_passphrase_is_one_line_that_minisign_can_read() {
        let passphrase = |bytes: &[u8]| Passphrase::new(Zeroizing::new(bytes.to_vec()));
        assert!(passphrase(b"").unwrap().is_empty());
        assert!(passphrase(&[b'x'; 1022]).is_ok());
        assert_eq!(passphrase(&[b'x'; 1023]), Err(PassphraseError::TooLong { bytes: 1023 }));
        for bad in [b"a\n".as_slice(), b"a\rb", b"a\0b"] {
            assert_eq!(passphrase(bad), Err(PassphraseError::LineEnd));
        }
        assert_eq!(format!("{:?}", passphrase(b"open sesame").unwrap()), "Passphrase(…)");
    }
}
