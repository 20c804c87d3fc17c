//! What the library's errors mean to the user: kind, comparison, state of the host, hint.

use camino::Utf8Path;
use goferry_manifest::Sha256Digest;
use goferry_manifest::bundle::{BundleError, PackError};
use goferry_manifest::minisign::KeyId;
use goferry_terminal::{Bytes, CommandError, Kind};

use crate::key_file::{KeyFileError, quoted};
use crate::observe::ObserveError;
use crate::plan::PlanError;
use crate::state::StateError;
use crate::{AccessError, ApplyError, Class, InstallError, LockError, OpenError, PackContentError, Prefix};

/// A public key that cannot be used.
pub fn public_key_error(error: &KeyFileError) -> CommandError {
    let kind = match error {
        KeyFileError::WritableByAll { .. } | KeyFileError::PublicKey { .. } => Kind::Refused,
        _ => Kind::Failed,
    };
    let shown = CommandError::from_error(kind, error);
    match error.hint() {
        Some(hint) => shown.hint(hint),
        None => shown,
    }
}

/// A file that cannot be opened as a bundle.
pub fn open_error(error: &OpenError) -> CommandError {
    CommandError::from_error(Kind::Failed, error)
}

/// A bundle that is refused.
pub fn bundle_error(error: &BundleError, path: &Utf8Path) -> CommandError {
    let file = quoted(path.as_std_path());
    let copy = format!("copy the bundle again, then run `goport verify {file}`");
    let shown = |kind| CommandError::from_error(kind, error);
    match error {
        BundleError::Io(_) => CommandError::new(Kind::Failed, format!("cannot read `{path}`"))
            .caused_by(std::error::Error::source(error))
            .hint("check the medium, and copy the bundle again"),
        BundleError::NotABundle => {
            CommandError::new(Kind::Refused, format!("`{path}` is not a goferry bundle"))
                .expected("an entry `goferry.json` at its start", "something else, or nothing")
        }
        BundleError::Truncated { expected, actual } => {
            CommandError::new(Kind::Refused, format!("`{path}` is cut off"))
                .expected(format!("{expected} bytes or more"), format!("{actual} bytes"))
                .hint(copy)
        }
        BundleError::Trailing { expected, actual } => {
            CommandError::new(Kind::Refused, format!("something follows the end of `{path}`"))
                .expected(format!("{expected} bytes"), format!("{actual} bytes"))
                .hint(copy)
        }
        BundleError::TableDigest { expected, actual, .. } => {
            compare(shown(Kind::Refused), (*expected, "signed cover"), (Some(*actual), path)).hint(copy)
        }
        BundleError::Pack { number, count, reason: PackError::Digest { expected, actual } } => {
            let message = format!("digest mismatch in pack {number} of {count}");
            let shown = CommandError::new(Kind::Refused, message);
            compare(shown, (*expected, "signed pack table"), (Some(*actual), path)).hint(copy)
        }
        BundleError::Header { .. } | BundleError::NotZero { .. } => shown(Kind::Refused).hint(copy),
        BundleError::BadSignature { .. } => shown(Kind::Refused)
            .hint("the bundle was changed after it was signed, or somebody else signed it: ask the signer"),
        BundleError::Untrusted { signed_by } => untrusted(signed_by),
        BundleError::Threshold { .. } => {
            shown(Kind::Refused).hint("`goport trust list` shows which keys are trusted for which channel")
        }
        _ => shown(Kind::Refused),
    }
}

fn untrusted(signed_by: &[KeyId]) -> CommandError {
    let named: Vec<_> = signed_by.iter().map(ToString::to_string).collect();
    CommandError::new(Kind::Refused, "no trusted key has signed the bundle")
        .expected("a signature by a key that is trusted here", format!("signatures that name {}", named.join(", ")))
        .hint("get the signer's public key and compare its fingerprint over a second channel, then give it with `--key`")
        .hint("`goport trust list` shows the keys that are trusted already")
}

fn compare(
    error: CommandError,
    (expected, source): (Sha256Digest, &str),
    (actual, path): (Option<Sha256Digest>, &Utf8Path),
) -> CommandError {
    let actual =
        actual.map_or("the content ends before".to_owned(), |actual| format!("sha256:{}", actual.short()));
    error.expected(format!("sha256:{}  ({source})", expected.short()), format!("{actual}  ({path})"))
}

/// A prefix that cannot be used as it is.
pub(super) fn observe_error(error: &ObserveError) -> CommandError {
    let shown = CommandError::from_error(Kind::Failed, error);
    match error {
        ObserveError::Foreign { .. } | ObserveError::NotADirectory { .. } => {
            shown.hint("name an empty or a new directory with `--prefix`")
        }
        ObserveError::LinkInImage { .. } => {
            shown.hint("name with `--prefix` the directory that the link stands for")
        }
        ObserveError::Access(error) => access_error(error),
        ObserveError::Fs(_) | ObserveError::Damaged { .. } => shown,
    }
}

fn access_error(error: &AccessError) -> CommandError {
    let shown = CommandError::from_error(Kind::Failed, error);
    match error {
        AccessError::OtherOwner { owner, .. } => {
            shown.hint(format!("run goport as user {owner}, or name a prefix of your own with `--prefix`"))
        }
        AccessError::WorldWritable { path, .. } | AccessError::GroupWritable { path, .. } => {
            let path = quoted(path.as_std_path());
            shown.hint(format!("check that nobody has put anything there, then run `chmod go-w {path}`"))
        }
    }
}

/// The trust store.
pub(super) fn state_error(error: &StateError) -> CommandError {
    match error {
        StateError::Observe(error) => observe_error(error),
        StateError::Access(error) => access_error(error),
        StateError::Lock(error) => lock_error(error),
        error => CommandError::from_error(Kind::Failed, error),
    }
}

fn lock_error(error: &LockError) -> CommandError {
    let shown = CommandError::from_error(Kind::Failed, error);
    match error {
        LockError::Held { .. } => shown.hint("wait until it has ended, then try again"),
        _ => shown,
    }
}

/// A bundle that was not verified or not installed; `prefix` where something could have been changed.
pub(super) fn install_error(error: &InstallError, path: &Utf8Path, prefix: Option<&Prefix>) -> CommandError {
    let shown = match error {
        InstallError::Open(error) => open_error(error),
        InstallError::Bundle(error) => bundle_error(error, path),
        InstallError::Observe(error) => observe_error(error),
        InstallError::Plan(error) => plan_error(error),
        InstallError::Lock(error) => lock_error(error),
        InstallError::Apply(ApplyError::Pack { number, count, reason }) => {
            let message = format!("pack {number} of {count}: {reason}");
            let shown = CommandError::new(Kind::Refused, message);
            match reason {
                PackContentError::Content { expected, actual } => {
                    compare(shown, (*expected, "signed manifest"), (*actual, path))
                }
                _ => shown,
            }
            .hint("the signer signed a broken bundle: ask for another one")
        }
        error => CommandError::from_error(kind(error.class()), error),
    };
    match prefix {
        Some(_) if error.changed_anything() => {
            shown.state("the new generation is complete; `goport list` shows whether it is in use")
        }
        // The staging is gone again; directories of a new prefix and its lock may be there.
        Some(prefix) if error.left_directories() => {
            shown.state(format!("nothing was installed under `{prefix}`; what is in use there is as before"))
        }
        Some(prefix) => shown.state(format!("nothing was changed under `{prefix}`")),
        None => shown,
    }
}

fn kind(class: Class) -> Kind {
    match class {
        Class::Refused => Kind::Refused,
        Class::Failed => Kind::Failed,
        Class::Interrupted => Kind::Interrupted,
    }
}

fn plan_error(error: &PlanError) -> CommandError {
    let shown =
        CommandError::from_error(if error.is_refusal() { Kind::Refused } else { Kind::Failed }, error);
    match error {
        PlanError::Rollback { sequence, floor, .. } => shown
            .expected(format!("sequence {floor} or higher"), format!("sequence {sequence}"))
            .hint("if the older bundle is wanted, install it with `--allow-downgrade`"),
        PlanError::SameSequence { installed, incoming, .. } => shown
            .expected(
                format!("sha256:{}  (manifest of the installed bundle)", installed.short()),
                format!("sha256:{}  (manifest of this bundle)", incoming.short()),
            )
            .hint("ask the signer which of the two is right; a new bundle has a new sequence number"),
        PlanError::Changed { held, incoming, .. } => shown
            .expected(format!("{held}  (this host)"), format!("{incoming}  (this bundle)"))
            .hint("a version never changes its content: ask the signer where it comes from"),
        PlanError::Platform { host, carried } => {
            let carried: Vec<_> = carried.iter().map(ToString::to_string).collect();
            let host = host.as_ref().map_or("unknown to Go".to_owned(), ToString::to_string);
            shown.expected(format!("{host}  (this host)"), format!("{}  (this bundle)", carried.join(", ")))
        }
        PlanError::Space { needed, free } => shown
            .expected(format!("{} free", Bytes(*needed)), format!("{} free", Bytes(*free)))
            .hint("make room, or name a prefix on another file system with `--prefix`"),
        PlanError::Inodes { needed, free } => shown
            .expected(format!("{needed} free inodes"), format!("{free} free inodes"))
            .hint("make room, or name a prefix on another file system with `--prefix`"),
        PlanError::Kernel { release } => {
            shown.expected("Linux 3.2 or newer", format!("{release}  (this host)"))
        }
        PlanError::ReadOnly | PlanError::NoExec => {
            shown.hint("name a prefix on another file system with `--prefix`")
        }
    }
}
