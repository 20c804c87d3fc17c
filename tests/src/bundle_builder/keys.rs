//! Keys of the tests. Their secret halves are public: trust none of them.

use goferry_manifest::minisign::{KeyId, SecretKey, SecretKeyFile};

/// `fixtures/keys/test-signer.key`, which signs every sample.
pub fn signer() -> SecretKey {
    read(include_str!("../../../fixtures/keys/test-signer.key"))
}

/// `fixtures/keys/test-stranger.key`, which nobody trusts.
pub fn another_key() -> SecretKey {
    read(include_str!("../../../fixtures/keys/test-stranger.key"))
}

/// A key that bears the id of the signer without being the signer (bad-inputs #7).
pub fn key_with_the_signers_id() -> SecretKey {
    let id: KeyId = signer().public_key().key_id();
    SecretKey::generate(&[77; 32].into(), id)
}

fn read(text: &str) -> SecretKey {
    match SecretKeyFile::parse(text) {
        Ok(SecretKeyFile::Unprotected(key)) => key,
        other => panic!("a test key without passphrase: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goferry_manifest::minisign::{Protection, PublicKey};

    #[test]
    fn the_key_files_hold_the_keys_of_constant_seeds() {
        for (name, seed, id, key) in
            [("signer", 1, b"goferry1", signer()), ("stranger", 2, b"goferry2", another_key())]
        {
            let made = SecretKey::generate(&[seed; 32].into(), KeyId::from_bytes(*id));
            assert_eq!(
                made.to_file_text(&Protection::Unprotected),
                key.to_file_text(&Protection::Unprotected)
            );
            let path = format!("{}/../fixtures/keys/test-{name}.pub", env!("CARGO_MANIFEST_DIR"));
            let public: PublicKey = std::fs::read_to_string(path).unwrap().parse().unwrap();
            assert_eq!((public, public.key_id()), (key.public_key(), key.public_key().key_id()));
        }
    }
}
