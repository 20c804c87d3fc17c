//! The `minisign` command as a second opinion: keys and signatures go both ways.

#![expect(clippy::unwrap_used, reason = "tests say what they skip and fail where they stand")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use goferry_manifest::minisign::{
    KeyId, Passphrase, Protection, PublicKey, ScryptCost, SecretKey, SecretKeyFile, Signature, SignatureError,
};
use zeroize::Zeroizing;

const MESSAGE: &[u8] = b"{\"type\":\"example\"}\n";

#[test]
fn minisign_verifies_our_signature_with_our_public_key() {
    let Some(desk) = Desk::new("minisign_verifies_our_signature_with_our_public_key") else { return };
    let comment = "goferry platform 7 0123456789abcdef";
    desk.write("ours.pub", key().public_key().to_file_text());
    desk.write("message.minisig", key().sign(MESSAGE, comment.parse().unwrap()).to_bytes());
    // -H: prehashed only; -Q: print the trusted comment only.
    let output = desk.minisign(["-V", "-H", "-Q", "-p", "ours.pub", "-m", "message"], "");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{comment}\n"));
    let line = key().public_key().to_string();
    assert!(desk.minisign(["-V", "-P", &line, "-m", "message"], "").status.success());

    desk.write("message", b"another message");
    assert!(!desk.minisign(["-V", "-p", "ours.pub", "-m", "message"], "").status.success());
}

#[test]
fn we_verify_signatures_of_minisign() {
    let Some(desk) = Desk::new("we_verify_signatures_of_minisign") else { return };
    desk.done(["-G", "-W", "-p", "k.pub", "-s", "k.key"], "");
    let public: PublicKey = desk.read("k.pub").parse().unwrap();
    assert_eq!(public.to_file_text().lines().nth(1), desk.read("k.pub").lines().nth(1));

    for arguments in [vec![], vec!["-c", "any other first line", "-t", "goferry platform 7 0123"]] {
        desk.done([vec!["-S", "-W", "-s", "k.key", "-m", "message"], arguments].concat(), "");
        let signature = Signature::parse(desk.read("message.minisig").as_bytes()).unwrap();
        assert_eq!(public.verify(MESSAGE, &signature), Ok(()));
        assert!(public.verify(b"another message", &signature).is_err());
        // With our first line instead of theirs it is still a signature to minisign.
        desk.write("message.minisig", signature.to_bytes());
        desk.done(["-V", "-p", "k.pub", "-m", "message"], "");
    }

    desk.done(["-S", "-l", "-W", "-s", "k.key", "-m", "message"], "");
    let legacy = Signature::parse(desk.read("message.minisig").as_bytes());
    assert_eq!(legacy, Err(SignatureError::Legacy));
}

#[test]
fn both_sign_the_same_bytes_with_one_unprotected_key() {
    let Some(desk) = Desk::new("both_sign_the_same_bytes_with_one_unprotected_key") else { return };
    desk.write("ours.key", key().to_file_text(&Protection::Unprotected).as_bytes());
    let comment = "goferry platform 7 0123";
    desk.done(["-S", "-W", "-s", "ours.key", "-m", "message", "-t", comment], "");
    let theirs = Signature::parse(desk.read("message.minisig").as_bytes()).unwrap();
    assert_eq!(theirs, key().sign(MESSAGE, comment.parse().unwrap()));

    desk.done(["-R", "-W", "-s", "ours.key", "-p", "again.pub"], "");
    assert_eq!(desk.read("again.pub").parse(), Ok(key().public_key()));
    // minisign prints key ids as we do, but for leading zeros before its version 0.12.
    let id = key().public_key().key_id().to_string();
    assert!(desk.read("again.pub").contains(id.trim_start_matches('0')));
}

#[test]
fn minisign_opens_our_encrypted_key() {
    let Some(desk) = Desk::new("minisign_opens_our_encrypted_key") else { return };
    // The cost of minisign itself is tried the other way round.
    let passphrase = passphrase("open sesame");
    let protection =
        Protection::Passphrase { passphrase: &passphrase, salt: [9; 32], cost: ScryptCost::INTERACTIVE };
    desk.write("ours.key", key().to_file_text(&protection).as_bytes());
    desk.done(["-R", "-s", "ours.key", "-p", "again.pub"], "open sesame\n");
    assert_eq!(desk.read("again.pub").parse(), Ok(key().public_key()));
    let wrong = desk.minisign(["-R", "-f", "-s", "ours.key", "-p", "again.pub"], "open barley\n");
    assert!(!wrong.status.success());
}

#[test]
fn we_open_encrypted_keys_of_minisign() {
    let Some(desk) = Desk::new("we_open_encrypted_keys_of_minisign") else { return };
    desk.done(["-G", "-p", "k.pub", "-s", "k.key"], "open sesame\nopen sesame\n");
    let public: PublicKey = desk.read("k.pub").parse().unwrap();
    let SecretKeyFile::Encrypted(file) = SecretKeyFile::parse(&desk.read("k.key")).unwrap() else {
        panic!("minisign did not encrypt")
    };
    let secret = file.decrypt(&passphrase("open sesame")).unwrap();
    assert_eq!((secret.public_key(), secret.public_key().key_id()), (public, public.key_id()));

    // `-C -W` takes the passphrase off and leaves the checksum in.
    desk.done(["-C", "-W", "-s", "k.key"], "open sesame\n");
    let SecretKeyFile::Unprotected(secret) = SecretKeyFile::parse(&desk.read("k.key")).unwrap() else {
        panic!("minisign did not decrypt")
    };
    assert_eq!(secret.public_key(), public);
}

/// A key with nothing random in it, and an id that starts with zeros.
fn key() -> SecretKey {
    SecretKey::generate(&Zeroizing::new([7; 32]), KeyId::from_bytes([8, 7, 6, 5, 4, 3, 2, 0]))
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

/// A directory with a message to sign, in which `minisign` runs.
struct Desk(PathBuf);

impl Desk {
    /// `None`, said aloud, where there is no `minisign`; a failure where CI forgot to install it.
    fn new(test: &str) -> Option<Self> {
        if Command::new("minisign").arg("-v").output().is_err() {
            // Past the capture of the test harness; a write that fails loses a remark and nothing else.
            let _ = writeln!(
                std::io::stderr(),
                "skipped {test}: minisign is not installed (apt-get install minisign)"
            );
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI runs every test");
            return None;
        }
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let desk = Self(directory);
        desk.write("message", MESSAGE);
        Some(desk)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Runs minisign, which reads passphrases from its standard input where that is no terminal.
    fn minisign(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &str) -> Output {
        let mut child = Command::new("minisign")
            .args(arguments)
            .current_dir(&self.0)
            .env("HOME", &self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end without reading.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    /// Runs minisign, which must succeed.
    fn done(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &str) {
        let output = self.minisign(arguments, input);
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
