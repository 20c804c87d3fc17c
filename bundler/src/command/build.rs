//! `goferry build`: from projects to one signed bundle.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use goferry_manifest::bundle::Evidence;
use goferry_manifest::minisign::SecretKey;
use goferry_manifest::{GoRelease, Platform, Sequence, Sha256Digest, Timestamp};
use goferry_terminal::{Bytes, CommandError, Count, Duration, Environment, Kind, Printer, help_end};
use serde::Serialize;

use super::error::{build_error, key_file_error, pack_error, write_error};
use super::interrupt;
use super::output::Output;
use super::progress::{BuildBars, pack_bar};
use crate::build::{BuildRequest, Prepared, prepare};
use crate::cache::Cache;
use crate::key_file::read_secret_key;
use crate::lock::{Reconciled, moment};
use crate::pack::Packing;
use crate::passphrase;
use crate::write::{Draft, write_bundle};

/// Fetch everything that projects need, prove it, and write one signed bundle
///
/// The Go release is the one that each project's go.mod asks for (its toolchain line, else its go line), or those named
/// with --toolchain. Everything is compared with go.sum and Go's checksum database. goferry.lock, in the current
/// directory, says exactly what is inside: commit it. The same lock gives the same bundle, byte for byte.
///
/// Modules come from the proxies in --proxy, else $GOPROXY, else the user's `go env` file, else what an installed go
/// says.
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goferry build ./svc --key ops.key -o svc.goferry
  goferry build ./svc ./cli --toolchain 1.27.3 --toolchain 1.26.8 --key ops.key
  goferry build ./svc --key ops.key --level 3      quick, larger"
))]
pub(super) struct Build {
    /// Folders of Go projects, each with its go.mod and go.sum
    #[arg(value_name = "DIR", required = true)]
    projects: Vec<PathBuf>,
    /// The secret key that signs the bundle
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write the bundle [default: NAME-SEQUENCE.goferry]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Carry this Go release, such as 1.27.3, instead of what the projects ask for (can be repeated)
    #[arg(long, value_name = "VERSION")]
    toolchain: Vec<GoRelease>,
    /// Go proxies, in the form of GOPROXY
    #[arg(long, value_name = "LIST")]
    proxy: Option<String>,
    /// Fail if goferry.lock would change
    #[arg(long)]
    locked: bool,
    /// Compression, from 1 (quick) to 22 (small)
    #[arg(long, value_name = "N", default_value_t = 19, value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    /// Compress with so many threads [default: all cores]; the bundle does not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Serialize)]
struct Report<'r> {
    action: &'static str,
    bundle: &'r Path,
    name: &'r str,
    sequence: Sequence,
    created: Timestamp,
    id: Sha256Digest,
    size: u64,
    key_id: String,
    lock: &'r Path,
    lock_changed: bool,
    toolchains: Vec<String>,
    modules: usize,
}

impl Build {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let started = Instant::now();
        // From here on Ctrl-C is noticed, also by the prompt, which then gives the terminal back.
        interrupt::stop();
        // Before anything long: a passphrase is asked for while somebody is still there.
        let ask = || passphrase::ask(&format!("passphrase of {}: ", self.key.display()));
        let key = read_secret_key(&self.key, ask).map_err(|error| key_file_error(&error))?;
        // And the place of the bundle is tried: after minutes of work it is too late.
        let place = Output::open(self.output.as_deref(), &self.key, environment)?;
        let bars = BuildBars::new(printer);
        let prepared = prepare(&self.request(environment)?, environment, &bars, interrupt::stop())
            .map_err(|error| build_error(&error))?;
        drop(bars);
        let fetched = Duration(started.elapsed());
        printer.status("Fetched", format_args!("and proved {} in {fetched}", contents(&prepared)));
        let (path, id, size) = self.pack_and_write(printer, environment, &prepared, &key, place)?;
        self.report(printer, &prepared, &key, (&path, id, size), started);
        Ok(())
    }

    fn request(&self, environment: &Environment) -> Result<BuildRequest, CommandError> {
        let here = Platform::of_this_program().map(|platform| platform.arch().to_owned());
        let arch = here.unwrap_or_else(|| "amd64".to_owned());
        let platform = format!("linux/{arch}").parse().expect("an architecture of Go makes a platform");
        let directory = environment.directory();
        Ok(BuildRequest {
            projects: self.projects.iter().map(|project| directory.join(project)).collect(),
            toolchains: self.toolchain.clone(),
            platforms: vec![platform],
            proxy: self.proxy.clone(),
            locked: self.locked,
            now: now(environment)?,
        })
    }

    fn pack_and_write(
        &self,
        printer: &Printer,
        environment: &Environment,
        prepared: &Prepared,
        key: &SecretKey,
        place: Output,
    ) -> Result<(PathBuf, Sha256Digest, u64), CommandError> {
        let started = Instant::now();
        let cache =
            Cache::of_user(environment).map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let packing = Packing::at_level(self.level, self.threads.unwrap_or_else(cores), cache.directory());
        let bar = pack_bar(printer, &prepared.manifest);
        let (packs, store) = packing
            .pack(&prepared.manifest, &prepared.contents, interrupt::stop(), &|bytes| bar.advance(bytes))
            .map_err(|error| pack_error(&error))?;
        drop(bar);
        printer.status("Packed", format_args!("{} in {}", packed(&packs), Duration(started.elapsed())));
        // The number is spent before a bundle has it: two bundles must never bear one.
        prepared.save_lock().map_err(|error| build_error(&error))?;
        let evidence = Evidence::default();
        let draft = Draft { lock: &prepared.lock, manifest: &prepared.manifest, packs, evidence: &evidence };
        let path = place.path(&prepared.lock)?;
        let lock = prepared.lock_file.0.as_path();
        let (id, size) = write_bundle(draft, &store, key, place.file, &path)
            .map_err(|error| write_error(&error, &path, lock))?;
        Ok((path, id, size))
    }

    fn report(
        &self,
        printer: &Printer,
        prepared: &Prepared,
        key: &SecretKey,
        (output, id, size): (&Path, Sha256Digest, u64),
        started: Instant,
    ) {
        let Prepared { lock, lock_file: (lock_path, state), manifest, .. } = prepared;
        let shown = self.output.as_deref().unwrap_or(output);
        let key_id = key.public_key().key_id();
        printer.summary(format_args!(
            "Wrote {}: bundle `{}`, sequence {}, {}, in {}",
            shown.display(),
            lock.name,
            lock.sequence,
            Bytes(size),
            Duration(started.elapsed())
        ));
        printer.summary(format_args!("  signed by {key_id}"));
        printer.summary(format_args!("  id {id}"));
        if *state == Reconciled::Changed {
            printer.summary(format_args!("  goferry.lock is new or changed: commit it"));
        }
        printer.object(&Report {
            action: "build",
            bundle: output,
            name: lock.name.as_str(),
            sequence: lock.sequence,
            created: lock.created,
            id,
            size,
            key_id: key_id.to_string(),
            lock: lock_path,
            lock_changed: *state == Reconciled::Changed,
            toolchains: manifest.toolchains().iter().map(ToString::to_string).collect(),
            modules: manifest.modules().len(),
        });
    }
}

fn contents(prepared: &Prepared) -> String {
    let manifest = &prepared.manifest;
    let toolchains = Count(manifest.toolchains().len(), "toolchain");
    format!("{toolchains} and {}", Count(manifest.modules().len(), "module"))
}

fn packed(packs: &goferry_manifest::bundle::PackTable) -> String {
    let size = packs.packs().iter().map(|pack| pack.size).sum();
    format!("{} of {}", Count(packs.packs().len(), "pack"), Bytes(size))
}

/// The moment that a changed lock bears: that of SOURCE_DATE_EPOCH, else now.
fn now(environment: &Environment) -> Result<Timestamp, CommandError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    let clock = seconds.and_then(Timestamp::from_unix).ok_or_else(|| {
        CommandError::new(Kind::Usage, "this machine's clock is outside of the years 1970 to 9999")
    })?;
    moment(environment, clock).map_err(|error| CommandError::from_error(Kind::Usage, &error))
}
