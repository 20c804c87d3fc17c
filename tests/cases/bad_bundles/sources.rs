//! Media that fail or change: bad-inputs #62; and keys that are none: #3, #20, #21.

use std::cell::Cell;
use std::io;

use e2e::bundle_builder::{Sample, another_key, key_with_the_signers_id, signer};
use goferry_manifest::bundle::{BundleError, ReadAt, UnverifiedBundle};
use goferry_manifest::crypto::WeakKey;
use goferry_manifest::minisign::{PublicKey, PublicKeyError};
use goferry_manifest::trust::{Scope, TrustPolicy};

use super::{message, read, trust};

/// The neutral element under the id of the signer.
const SMALL_ORDER: &str = "RWRnb2ZlcnJ5MQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A stick that can be read `good` times, and then does something else.
struct Stick {
    bundle: Vec<u8>,
    good: Cell<usize>,
    after: fn(&mut [u8]) -> io::Result<()>,
}

impl ReadAt for Stick {
    fn size(&self) -> io::Result<u64> {
        self.bundle.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.bundle.read_exact_at(buffer, offset)?;
        match self.good.get().checked_sub(1) {
            Some(left) => self.good.set(left),
            None => (self.after)(buffer)?,
        }
        Ok(())
    }
}

fn stick(good: usize, after: fn(&mut [u8]) -> io::Result<()>) -> Stick {
    Stick { bundle: Sample::new().build(), good: Cell::new(good), after }
}

/// How often a bundle is read from.
fn reads() -> usize {
    let stick = stick(usize::MAX, |_| Ok(()));
    read(&stick, &trust()).unwrap();
    usize::MAX - stick.good.get()
}

#[test]
fn a_stick_removed_at_any_read_is_an_io_error() {
    for good in 0..reads() {
        let error = read(stick(good, |_| Err(io::Error::from_raw_os_error(5))), &trust()).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(BundleError::Io(_))), "{good}: {}", message(&*error));
        assert!(message(&*error).starts_with("cannot read the bundle: "), "{}", message(&*error));
    }
}

#[test]
fn other_bytes_at_any_read_are_refused() {
    let flip = |buffer: &mut [u8]| {
        if let Some(byte) = buffer.first_mut() {
            *byte ^= 1;
        }
        Ok(())
    };
    // Reads of no bytes (the padding of a content that fills its blocks) cannot differ.
    let mut refused = 0;
    for good in 0..reads() {
        let result = read(stick(good, flip), &trust());
        assert!(!matches!(
            result.as_ref().err().and_then(|error| error.downcast_ref()),
            Some(BundleError::Io(_))
        ));
        refused += usize::from(result.is_err());
    }
    assert_eq!(refused, reads());
}

#[test]
fn a_pack_that_changes_between_two_reads_is_never_decoded() {
    let stick = stick(usize::MAX, |buffer| {
        buffer.fill(0);
        Ok(())
    });
    let bundle = UnverifiedBundle::open(&stick).unwrap().verify(&trust()).unwrap();
    assert!(bundle.read_pack(0).is_ok());
    stick.good.set(0);
    let error = bundle.read_pack(0).unwrap_err();
    assert_eq!(error.to_string(), "pack 1 of 2: digest mismatch");
}

#[test]
fn one_id_for_two_trusted_keys_makes_neither_the_other() {
    // bad-inputs #7
    let both = [signer(), key_with_the_signers_id()].map(|key| (key.public_key(), Scope::EveryChannel));
    assert!(read(Sample::new().build(), &TrustPolicy::any_of(both)).is_ok());
    let other = [(key_with_the_signers_id().public_key(), Scope::EveryChannel)];
    assert!(read(Sample::new().build(), &TrustPolicy::any_of(other)).is_err());
}

#[test]
fn a_key_counts_only_for_its_channels() {
    let only = |channel: &str| {
        let channels = [channel.parse().unwrap()].into();
        TrustPolicy::any_of([(signer().public_key(), Scope::Channels(channels))])
    };
    assert!(read(Sample::new().build(), &only("sample")).is_ok());
    let error = read(Sample::new().build(), &only("another")).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(BundleError::Threshold { .. })), "{error}");
}

#[test]
fn the_same_key_twice_is_one_signer() {
    // bad-inputs #8
    let bundle = Sample::new().edit_signatures(|files| files.push(files[0].clone())).build();
    let bundle = UnverifiedBundle::open(bundle).unwrap().verify(&trust()).unwrap();
    assert_eq!((bundle.signature_key_ids().count(), bundle.signers().len()), (2, 1));
}

#[test]
fn keys_that_prove_nothing_are_no_keys() {
    // bad-inputs #3, #20, #21
    let key = another_key().public_key().to_file_text();
    for (name, text) in [
        ("empty", String::new()),
        ("CRLF", key.replace('\n', "\r\n")),
        ("byte-order mark", format!("\u{feff}{key}")),
        ("a second key", key.repeat(2)),
    ] {
        assert!(text.parse::<PublicKey>().is_err(), "{name}");
    }
    assert_eq!(SMALL_ORDER.parse::<PublicKey>(), Err(PublicKeyError::Weak { reason: WeakKey::SmallOrder }));
    let secret = include_str!("../../../fixtures/keys/test-signer.key");
    let error = secret.parse::<PublicKey>().unwrap_err();
    assert_eq!(error, PublicKeyError::SecretKey);
    assert!(!error.to_string().contains(secret.lines().last().unwrap()));
}
