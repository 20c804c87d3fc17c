//! `goferry inspect`: what is inside of a bundle, and who signed it.

use std::path::PathBuf;

use camino::Utf8PathBuf;
use clap::Args;
use goferry_manifest::bundle::{File, Manifest, ReadAt as _, UnverifiedBundle};
use goferry_manifest::minisign::KeyId;
use goferry_manifest::trust::{Scope, TrustPolicy};
use goferry_terminal::{Bytes, CommandError, Kind, Printer, help_end};
use goport::BundleFile;
use goport::command::{Detail, bundle_error, open_error, print_summary, public_key_error};
use goport::key_file::{quoted, read_public_key};
use goport::summary::Summary;
use serde::Serialize;

/// Show what is inside of a bundle, and who signed it
///
/// With --key, the signature and every table are verified, and the contents are listed. Without it nothing of the
/// bundle can be believed: only the keys that its signatures name are shown, and how to check them by hand.
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goferry inspect svc.goferry --key ops.pub
  goferry inspect svc.goferry --key ops.pub --files
  goferry inspect svc.goferry --key ops.pub --json | jq .modules"
))]
pub(super) struct Inspect {
    /// The bundle
    #[arg(value_name = "FILE")]
    bundle: Utf8PathBuf,
    /// A public key that may have signed it (can be repeated)
    #[arg(long, value_name = "PUB")]
    key: Vec<PathBuf>,
    /// List every module
    #[arg(long, requires = "key")]
    modules: bool,
    /// List every file
    #[arg(long, requires = "key")]
    files: bool,
}

#[derive(Serialize)]
struct Unverified {
    action: &'static str,
    verified: bool,
    size: u64,
    signed_by: Vec<String>,
}

impl Inspect {
    pub(super) fn run(self, printer: &Printer) -> Result<(), CommandError> {
        let keys =
            self.key.iter().map(|path| read_public_key(path).map_err(|error| public_key_error(&error)));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let file = BundleFile::open(&self.bundle).map_err(|error| open_error(&error))?;
        let refused = |error| bundle_error(&error, &self.bundle);
        let bundle = UnverifiedBundle::open(&file).map_err(refused)?;
        let size = file.size().map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        if keys.is_empty() {
            let signers: Vec<_> = bundle.claimed_signers().collect();
            self.show_unverified(printer, size, &signers);
        } else {
            let trust = TrustPolicy::any_of(keys.into_iter().map(|key| (key, Scope::EveryChannel)));
            let bundle = bundle.verify(&trust).map_err(refused)?;
            let detail = if self.modules { Detail::Modules } else { Detail::Totals };
            print_summary(printer, "inspect", &Summary::of(&bundle, size), detail);
            if self.files {
                list_files(printer, bundle.manifest());
            }
        }
        self.show_commands(printer);
        Ok(())
    }

    fn show_unverified(&self, printer: &Printer, size: u64, signed_by: &[KeyId]) {
        printer.line(format_args!("{}: {}, not verified", self.bundle, Bytes(size)));
        for key in signed_by {
            printer.line(format_args!("  carries a signature that names key {key}"));
        }
        printer.warning("nothing in it was checked: give the signer's public key with `--key`");
        let signed_by = signed_by.iter().map(ToString::to_string).collect();
        printer.object(&Unverified { action: "inspect", verified: false, size, signed_by });
    }

    /// The same by hand, for an officer who trusts `tar` and `minisign` more than us.
    fn show_commands(&self, printer: &Printer) {
        let bundle = quoted(self.bundle.as_std_path());
        printer.line("");
        printer.line("By hand:");
        printer.line(format_args!("  tar -tvf {bundle}"));
        printer.line(format_args!("  tar -xf {bundle} goferry.json goferry.json.minisig"));
        printer.line("  minisign -V -p KEY.pub -m goferry.json");
    }
}

/// A line for each file: digest, size, component and path.
fn list_files(printer: &Printer, manifest: &Manifest) {
    printer.line("");
    let show = |component: String, files: &[File]| {
        for File { path, size, sha256 } in files {
            printer.line(format_args!("{sha256}  {size:>10}  {component}/{path}"));
        }
    };
    for toolchain in manifest.toolchains() {
        show(toolchain.module().to_string(), &toolchain.files);
    }
    for carried in manifest.modules() {
        show(carried.module.to_string(), carried.zip.as_ref().map_or(&[], |zip| &zip.files));
    }
}
