//! Secret keys: `NAME.key`.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    KeyId, Passphrase, PublicKey, ScryptCost, Signature, TrustedComment, UNTRUSTED, decode, encode,
    untrusted_comment,
};
use crate::crypto::{Ed25519SecretKey, blake2b256, blake2b512};

/// Algorithm of the key, of the passphrase, of the checksum; salt, opslimit, memlimit; then [`SEALED`] bytes.
const BYTES: usize = 2 + 2 + 2 + 32 + 8 + 8 + SEALED;
/// What a passphrase encrypts: key id, seed and public key, checksum.
const SEALED: usize = 8 + 32 + 32 + 32;

/// A minisign secret key: never printed, wiped from memory when dropped.
#[derive(Debug)]
pub struct SecretKey {
    id: KeyId,
    key: Ed25519SecretKey,
}

/// How a secret key file is to be protected.
#[derive(Debug)]
pub enum Protection<'a> {
    /// Only whoever knows the passphrase can use the file.
    Passphrase {
        /// It.
        passphrase: &'a Passphrase,
        /// 32 random bytes.
        salt: [u8; 32],
        /// What trying one passphrase costs.
        cost: ScryptCost,
    },
    /// Whoever can read the file can sign (`minisign -W`).
    Unprotected,
}

/// A secret key file that was read, and whether it takes a passphrase.
#[derive(Debug)]
pub enum SecretKeyFile {
    /// None: here is the key.
    Unprotected(SecretKey),
    /// One.
    Encrypted(EncryptedSecretKey),
}

/// A secret key under a passphrase.
pub struct EncryptedSecretKey {
    salt: [u8; 32],
    cost: ScryptCost,
    sealed: Zeroizing<[u8; SEALED]>,
}

/// A secret key file that cannot be used. Nothing of the file is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretKeyError {
    /// Not what minisign writes.
    #[error(
        "a secret key file is a comment line and a line of base64, each ended with LF alone; this is not"
    )]
    Lines,
    /// Not base64, not canonical, or of another length: perhaps a public key.
    #[error("the second line of the secret key file is not {BYTES} bytes in canonical base64")]
    Base64,
    /// Another kind of key, of checksum or of passphrase.
    #[error("the secret key file is not an Ed25519 key of minisign with scrypt and BLAKE2b")]
    Algorithm,
    /// Meant to exhaust time or memory, or to be guessed quickly.
    #[error(
        "the secret key file asks for opslimit {opslimit} and memlimit {memlimit} of scrypt, not for what minisign \
         uses"
    )]
    Cost {
        /// libsodium's name for the time.
        opslimit: u64,
        /// libsodium's name for the memory, in bytes.
        memlimit: u64,
    },
    /// Nothing in it makes sense under this passphrase.
    #[error("the passphrase is wrong, or the secret key file is damaged")]
    WrongPassphrase,
    /// The key is there, its checksum is another.
    #[error("the secret key file is damaged: its checksum does not match")]
    Checksum,
    /// Seed and public key do not belong together.
    #[error("the secret key file is damaged: its public half does not belong to its secret half")]
    Halves,
}

impl SecretKey {
    /// The key of 32 random bytes, under an id of 8 more.
    pub fn generate(seed: &Zeroizing<[u8; 32]>, id: KeyId) -> Self {
        Self { id, key: Ed25519SecretKey::from_seed(seed) }
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::new(self.id, self.key.public_key())
    }

    /// Signs the BLAKE2b-512 digest of `message`, and the comment along with it.
    pub fn sign(&self, message: &[u8], comment: TrustedComment) -> Signature {
        let signature = self.key.sign(&blake2b512(&[message]));
        let global = self.key.sign(&comment.globally_signed(&signature));
        Signature::new(self.id, signature, comment, global)
    }

    /// The content of `NAME.key`. With a passphrase this takes what its cost says.
    pub fn to_file_text(&self, protection: &Protection<'_>) -> Zeroizing<String> {
        let mut sealed = self.to_sealed();
        let mut bytes = Zeroizing::new([0; BYTES]);
        let (head, tail) = bytes.split_at_mut(BYTES - SEALED);
        match protection {
            Protection::Passphrase { passphrase, salt, cost } => {
                xor(&mut sealed, &cost.key_stream(passphrase, salt));
                let limits = [cost.opslimit().to_le_bytes(), cost.memlimit().to_le_bytes()].concat();
                head.copy_from_slice(&[b"EdScB2".as_slice(), salt, &limits].concat());
            }
            Protection::Unprotected => head[..6].copy_from_slice(b"Ed\0\0B2"),
        }
        tail.copy_from_slice(sealed.as_slice());
        let line = Zeroizing::new(encode(bytes.as_slice()));
        let comment = "minisign encrypted secret key";
        let mut text =
            Zeroizing::new(String::with_capacity(UNTRUSTED.len() + comment.len() + line.len() + 2));
        for part in [UNTRUSTED, comment, "\n", line.as_str(), "\n"] {
            text.push_str(part);
        }
        text
    }

    /// Key id, seed and public key, checksum.
    fn to_sealed(&self) -> Zeroizing<[u8; SEALED]> {
        let (seed, public) = (self.key.seed(), self.key.public_key());
        let checksum = checksum(self.id, &seed, public.as_bytes());
        let mut sealed = Zeroizing::new([0; SEALED]);
        let parts = [self.id.as_bytes().as_slice(), seed.as_slice(), public.as_bytes(), &checksum];
        let mut rest = sealed.as_mut_slice();
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        sealed
    }
}

impl SecretKeyFile {
    /// Takes the text of `NAME.key` apart.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let body =
            text.strip_suffix('\n').filter(|body| !body.contains('\r')).ok_or(SecretKeyError::Lines)?;
        let (comment, line) = body.split_once('\n').ok_or(SecretKeyError::Lines)?;
        untrusted_comment(comment).filter(|_| !line.contains('\n')).ok_or(SecretKeyError::Lines)?;
        let bytes = decode::<BYTES>(line).ok_or(SecretKeyError::Base64)?;
        let mut reader = Parts(bytes.as_slice());
        let algorithms: [u8; 6] = reader.take();
        let salt = reader.take();
        let opslimit = u64::from_le_bytes(reader.take());
        let memlimit = u64::from_le_bytes(reader.take());
        let sealed = Zeroizing::new(reader.take());
        match &algorithms {
            b"EdScB2" => {
                let cost = ScryptCost::from_limits(opslimit, memlimit)
                    .ok_or(SecretKeyError::Cost { opslimit, memlimit })?;
                Ok(Self::Encrypted(EncryptedSecretKey { salt, cost, sealed }))
            }
            b"Ed\0\0B2" => open_unprotected(&sealed).map(Self::Unprotected),
            _ => Err(SecretKeyError::Algorithm),
        }
    }
}

impl EncryptedSecretKey {
    /// Opens it. This takes seconds and up to 1 GiB of memory.
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<SecretKey, SecretKeyError> {
        let Self { salt, cost, sealed } = self;
        let mut opened = sealed.clone();
        xor(&mut opened, &cost.key_stream(passphrase, salt));
        let opened = Opened::of(&opened);
        match (opened.checksum_matches(), opened.into_key()) {
            (true, Some(key)) => Ok(key),
            (true, None) => Err(SecretKeyError::Halves),
            // Under a wrong passphrase the halves are noise: that they fit shows that it was right.
            (false, Some(_)) => Err(SecretKeyError::Checksum),
            (false, None) => Err(SecretKeyError::WrongPassphrase),
        }
    }
}

impl fmt::Debug for EncryptedSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptedSecretKey(…)")
    }
}

fn open_unprotected(sealed: &[u8; SEALED]) -> Result<SecretKey, SecretKeyError> {
    let opened = Opened::of(sealed);
    // `minisign -GW` writes zeros for the checksum, `minisign -CW` leaves it in place; both never look at it.
    if opened.checksum != [0; 32] && !opened.checksum_matches() {
        return Err(SecretKeyError::Checksum);
    }
    opened.into_key().ok_or(SecretKeyError::Halves)
}

/// What a passphrase encrypts, in the clear.
struct Opened {
    id: KeyId,
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    checksum: [u8; 32],
}

impl Opened {
    fn of(sealed: &[u8; SEALED]) -> Self {
        let mut reader = Parts(sealed);
        Self {
            id: KeyId::from_bytes(reader.take()),
            seed: Zeroizing::new(reader.take()),
            public: reader.take(),
            checksum: reader.take(),
        }
    }

    fn checksum_matches(&self) -> bool {
        checksum(self.id, &self.seed, &self.public) == self.checksum
    }

    /// The key, if its public half is the one that follows from the seed (RUSTSEC-2022-0093).
    fn into_key(self) -> Option<SecretKey> {
        let key = SecretKey::generate(&self.seed, self.id);
        (key.key.public_key().as_bytes() == &self.public).then_some(key)
    }
}

/// minisign's `seckey_compute_chk`.
fn checksum(id: KeyId, seed: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    blake2b256(&[b"Ed", id.as_bytes(), seed, public])
}

fn xor(bytes: &mut [u8; SEALED], stream: &[u8; SEALED]) {
    for (byte, key) in bytes.iter_mut().zip(stream) {
        *byte ^= key;
    }
}

/// Bytes that are taken from the front, field by field.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (part, rest) = self.0.split_first_chunk().expect("the fields add up to the whole");
        self.0 = rest;
        *part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minisign::test_files::{MESSAGE, PUBLIC, SECRET, SIGNATURE, secret_key};

    const SALT: [u8; 32] = [9; 32];

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    fn protected(text: &str) -> Zeroizing<String> {
        secret_key().to_file_text(&Protection::Passphrase {
            passphrase: &passphrase(text),
            salt: SALT,
            cost: ScryptCost::INTERACTIVE,
        })
    }

    fn unprotected(text: &str) -> Result<SecretKey, SecretKeyError> {
        match SecretKeyFile::parse(text)? {
            SecretKeyFile::Unprotected(key) => Ok(key),
            SecretKeyFile::Encrypted(_) => panic!("encrypted"),
        }
    }

    fn decrypt(text: &str, with: &str) -> Result<SecretKey, SecretKeyError> {
        match SecretKeyFile::parse(text)? {
            SecretKeyFile::Unprotected(_) => panic!("not encrypted"),
            SecretKeyFile::Encrypted(key) => key.decrypt(&passphrase(with)),
        }
    }

    /// The file with the bytes of its second line changed.
    fn changed(text: &str, change: impl FnOnce(&mut [u8; BYTES])) -> String {
        let (comment, line) = text.trim_end().split_once('\n').unwrap();
        let mut bytes = decode::<BYTES>(line).unwrap();
        change(&mut bytes);
        format!("{comment}\n{}\n", encode(bytes.as_slice()))
    }

    #[test]
    fn a_key_of_minisign_signs_as_minisign_does() {
        let key = unprotected(SECRET).unwrap();
        assert_eq!(key.public_key().to_file_text(), PUBLIC);
        let theirs = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        assert_eq!(key.sign(MESSAGE, theirs.trusted_comment().clone()), theirs);
    }

    #[test]
    fn a_key_file_gives_back_its_key() {
        let text = secret_key().to_file_text(&Protection::Unprotected);
        assert_eq!(unprotected(&text).unwrap().public_key(), secret_key().public_key());
        assert_eq!(unprotected(&text).unwrap().public_key().key_id(), secret_key().public_key().key_id());

        let text = protected("open sesame");
        assert_eq!(decrypt(&text, "open sesame").unwrap().public_key(), secret_key().public_key());
        assert!(!text.contains(&encode(&[7; 30])), "the seed is not in the clear");
    }

    #[test]
    fn a_wrong_passphrase_and_a_damaged_file_are_told_apart() {
        // The minisign container list after bad-inputs #112: a wrong checksum.
        let text = protected("open sesame");
        assert_eq!(decrypt(&text, "open barley").unwrap_err(), SecretKeyError::WrongPassphrase);
        assert_eq!(decrypt(&text, "").unwrap_err(), SecretKeyError::WrongPassphrase);
        let key_id = changed(&text, |bytes| bytes[BYTES - SEALED] ^= 1);
        assert_eq!(decrypt(&key_id, "open sesame").unwrap_err(), SecretKeyError::Checksum);
        let checksum = changed(&text, |bytes| bytes[BYTES - 1] ^= 1);
        assert_eq!(decrypt(&checksum, "open sesame").unwrap_err(), SecretKeyError::Checksum);

        let text = secret_key().to_file_text(&Protection::Unprotected);
        for at in BYTES - SEALED..BYTES {
            let damaged = changed(&text, |bytes| bytes[at] ^= 1);
            assert_eq!(unprotected(&damaged).unwrap_err(), SecretKeyError::Checksum, "{at}");
        }
    }

    #[test]
    fn a_public_half_that_does_not_belong_to_the_seed_is_refused() {
        // Also where minisign left the checksum empty, and where somebody made it match.
        let damaged = changed(SECRET, |bytes| bytes[BYTES - SEALED + 8 + 32] ^= 1);
        assert_eq!(unprotected(&damaged).unwrap_err(), SecretKeyError::Halves);
        let forged = changed(&damaged, |bytes| {
            let sealed: [u8; SEALED] = bytes[BYTES - SEALED..].try_into().unwrap();
            let opened = Opened::of(&sealed);
            bytes[BYTES - 32..].copy_from_slice(&checksum(opened.id, &opened.seed, &opened.public));
        });
        assert_eq!(unprotected(&forged).unwrap_err(), SecretKeyError::Halves);
    }

    #[test]
    fn limits_meant_to_exhaust_memory_are_refused_before_any_is_taken() {
        // The minisign container list after bad-inputs #112.
        let text = protected("open sesame");
        for (at, limit) in [(38, u64::MAX), (46, u64::MAX), (38, 1 << 26), (46, 1 << 31), (46, 0)] {
            let greedy = changed(&text, |bytes| bytes[at..at + 8].copy_from_slice(&limit.to_le_bytes()));
            let error = SecretKeyFile::parse(&greedy).unwrap_err();
            assert!(matches!(error, SecretKeyError::Cost { .. }), "{at} {limit} {error}");
        }
    }

    #[test]
    fn other_algorithms_are_refused() {
        for (at, byte) in [(0, b'R'), (1, b'D'), (2, b'X'), (3, b'C'), (4, b'b'), (5, b'3')] {
            let other = changed(SECRET, |bytes| bytes[at] = byte);
            assert_eq!(unprotected(&other).unwrap_err(), SecretKeyError::Algorithm, "{at}");
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let (comment, line) = SECRET.trim_end().split_once('\n').unwrap();
        for bad in [
            String::new(),
            line.to_owned(),
            format!("{comment}\n{line}"),
            format!("{comment}\r\n{line}\r\n"),
            format!("\u{feff}{SECRET}"),
            format!("{SECRET}\n"),
            format!("{SECRET}{line}\n"),
            format!("trusted comment: x\n{line}\n"),
            format!("{comment}\u{1b}[2J\n{line}\n"),
            format!("{comment}{}\n{line}\n", "x".repeat(1024)),
        ] {
            assert_eq!(unprotected(&bad).unwrap_err(), SecretKeyError::Lines, "{bad:?}");
        }
        for bad in [format!("{comment}\n{line}A\n"), format!("{comment}\n {line}\n"), PUBLIC.to_owned()] {
            assert_eq!(unprotected(&bad).unwrap_err(), SecretKeyError::Base64, "{bad:?}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let debug = format!("{:?} {:?}", secret_key(), SecretKeyFile::parse(&protected("x")).unwrap());
        assert_eq!(
            debug,
            "SecretKey { id: KeyId(0102030405060708), key: Ed25519SecretKey(…) } Encrypted(EncryptedSecretKey(…))"
        );
    }
}
