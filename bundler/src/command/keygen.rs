//! `goferry keygen`: a new key pair.

use std::path::PathBuf;

use clap::Args;
use goferry_manifest::minisign::{Protection, ScryptCost};
use goferry_terminal::{CommandError, Kind, Printer, help_end};
use serde::Serialize;

use super::error::key_file_error;
use crate::key_file;
use crate::passphrase::{self, AskError};

/// Make a key pair that signs bundles
///
/// Writes NAME.key, the secret key (mode 0600, protected by a passphrase), and NAME.pub, the public key. Both are
/// minisign keys: the minisign command can use them, and keys that it made can be used here. Files are never
/// overwritten.
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goferry keygen -o ops                  asks for a passphrase
  goferry keygen -o ci --no-passphrase   for machines that keep the file safe"
))]
pub(super) struct Keygen {
    /// Write NAME.key and NAME.pub
    #[arg(long, short, value_name = "NAME", default_value = "goferry")]
    output: PathBuf,
    /// Do not protect the secret key by a passphrase
    #[arg(long)]
    no_passphrase: bool,
}

#[derive(Serialize)]
struct NewKey {
    action: &'static str,
    key_id: String,
    fingerprint: String,
    secret_key: PathBuf,
    public_key: PathBuf,
}

impl Keygen {
    pub(super) fn run(self, printer: &Printer) -> Result<(), CommandError> {
        let key = key_file::generate().map_err(|error| key_file_error(&error))?;
        let paths = if self.no_passphrase {
            key_file::write_key_pair(&self.output, &key, &Protection::Unprotected)
        } else {
            let passphrase =
                passphrase::ask_new("passphrase for the new key: ").map_err(|e| ask_error(&e))?;
            key_file::protect(&passphrase, ScryptCost::MINISIGN)
                .and_then(|protection| key_file::write_key_pair(&self.output, &key, &protection))
        };
        let paths = paths.map_err(|error| key_file_error(&error))?;
        let public = key.public_key();
        printer.line(format_args!("secret key   {}", paths.secret.display()));
        printer.line(format_args!("public key   {}", paths.public.display()));
        printer.line(format_args!("key id       {}", public.key_id()));
        printer.line(format_args!("fingerprint  {}", public.fingerprint()));
        printer.object(&NewKey {
            action: "keygen",
            key_id: public.key_id().to_string(),
            fingerprint: public.fingerprint().to_string(),
            secret_key: paths.secret,
            public_key: paths.public,
        });
        Ok(())
    }
}

fn ask_error(error: &AskError) -> CommandError {
    CommandError::from_error(Kind::Failed, error)
        .hint("`--no-passphrase` makes a key without one, for machines")
}
