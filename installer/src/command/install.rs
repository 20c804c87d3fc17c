//! `goport install`: from a bundle to a host that builds.

use std::time::Instant;

use camino::Utf8PathBuf;
use clap::Args;
use goferry_terminal::{Bytes, CommandError, Count, Duration, Environment, Printer, help_end};
use serde::Serialize;

use super::env::Shell;
use super::error::{install_error, state_error};
use super::expiry::{now, warn_if_expired};
use super::location::{Location, LocationOptions};
use super::progress::Bars;
use super::verify::KeyOption;
use super::{changes, interrupt};
use crate::plan::{Action, Downgrade, Plan};
use crate::prefix::{Prefix, Root};
use crate::{Effort, InstallRequest, state};

/// Verify a bundle and install it as the next generation
///
/// Nothing is created before signature and digests are right, and nothing is visible before all of it is written and
/// durable: then one symlink is replaced. Killed at any moment, the host has the old state or the new one.
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goport install web.goferry --key ops.pub   the first time: pins the key
  goport install web-2.goferry               later: by the keys trusted here
  goport install web.goferry --dry-run       show what would be done
  goport install web.goferry --root /image   into the file system of an image"
))]
pub(super) struct Install {
    /// The bundle
    #[arg(value_name = "FILE")]
    bundle: Utf8PathBuf,
    #[command(flatten)]
    key: KeyOption,
    /// Show what would be done; change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Accept a bundle older than the one installed from its channel, and lower the floor to it
    #[arg(long)]
    allow_downgrade: bool,
    /// One GOPATH for all users of this prefix, for images [default: <prefix>/gopath, or each user's
    /// $HOME/go where root installs]
    #[arg(long, value_name = "DIR")]
    gopath: Option<Prefix>,
    #[command(flatten)]
    location: LocationOptions,
}

#[derive(Serialize)]
struct Report<'p> {
    action: &'static str,
    changed: bool,
    prefix: &'p Prefix,
    /// What belongs in front of PATH.
    path: String,
    plan: &'p Plan,
}

impl Install {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let started = Instant::now();
        let location = self.location.to_write(environment)?;
        let trust = self.key.policy(&location)?;
        let who = who(environment);
        let request = InstallRequest {
            bundle: &self.bundle,
            trust: &trust,
            prefix: &location.prefix,
            root: &location.root,
            downgrade: if self.allow_downgrade { Downgrade::Allow } else { Downgrade::Refuse },
            gopath: self.gopath.as_ref(),
            who: &who,
            when: now()?,
            effort: Effort::new(interrupt::flag()),
        };
        let bars = Bars::new(printer);
        let failed = |error| match self.key.refusal(&error) {
            Some(refusal) => refusal.state(format!("nothing was changed under `{}`", location.prefix)),
            None => install_error(&error, &self.bundle, Some(&location.prefix)),
        };
        if self.dry_run {
            let plan = crate::dry_run(&request, &bars).map_err(failed)?;
            drop(bars);
            warn_if_expired(printer, plan.expires);
            show_plan(printer, &location, &plan);
            return Ok(());
        }
        let installed = crate::install(&request, &bars).map_err(failed)?;
        drop(bars);
        warn_if_expired(printer, installed.plan.expires);
        if let Some(error) = &installed.log_error {
            printer.warning(format_args!("installed, but not entered in the log: {error}"));
        }
        if self.key.is_given() {
            pin(printer, &location, &installed.signers, &installed.plan)?;
        }
        if self.gopath.is_some() && installed.plan.action == Action::Nothing {
            printer.warning("nothing was installed, so `--gopath` changed nothing");
        }
        show_result(printer, &location, &installed.plan, started);
        Ok(())
    }
}

/// Where the channel has no key yet, it is pinned to those that have signed.
fn pin(
    printer: &Printer,
    location: &Location,
    signers: &[goferry_manifest::minisign::PublicKey],
    plan: &Plan,
) -> Result<(), CommandError> {
    let channel = &plan.channel;
    let change = |store: &mut crate::trust_store::TrustStore| {
        store.pins(channel)
            && signers.iter().fold(false, |changed, key| store.add(*key, Some(channel.clone())) | changed)
    };
    let (_, changed) = state::change_trust(&location.prefix, &location.root, change).map_err(|error| {
        state_error(&error)
            .state(format!("the bundle was installed, but the key was not pinned to channel `{channel}`"))
    })?;
    if changed {
        for key in signers {
            printer.status("Pinned", format_args!("channel {channel} to key {}", key.key_id()));
        }
    }
    Ok(())
}

fn show_plan(printer: &Printer, location: &Location, plan: &Plan) {
    match plan.action {
        Action::Nothing => printer.line(nothing_to_do(plan)),
        Action::Install => {
            printer.line(format_args!(
                "would install bundle {} of channel {} as generation {} under `{}`",
                plan.sequence, plan.channel, plan.generation, location.prefix
            ));
            changes::print(printer, plan);
            let writes = plan.writes;
            let inodes = usize::try_from(writes.inodes).unwrap_or(usize::MAX);
            printer.line(format_args!(
                "needs at most {} and {}",
                Bytes(writes.bytes),
                Count(inodes, "inode")
            ));
        }
    }
    print_object(printer, location, plan, "dry-run", false);
}

fn show_result(printer: &Printer, location: &Location, plan: &Plan, started: Instant) {
    let changed = plan.action == Action::Install;
    if changed {
        let counts = changes::counts(plan);
        printer.summary(format_args!(
            "Installed {counts} as generation {} in {}",
            plan.generation,
            Duration(started.elapsed())
        ));
        changes::print(printer, plan);
    } else {
        printer.summary(nothing_to_do(plan));
    }
    printer.summary(usage(location));
    print_object(printer, location, plan, "install", changed);
}

/// Lines to copy. Those of an image do not work here.
fn usage(location: &Location) -> String {
    let path = Shell::Sh.prepend_path(location.prefix.join("current/bin").as_str());
    if location.root != Root::host() {
        return format!("\nTo use it, in the image:\n  {path}");
    }
    let prefix = Shell::Sh.quote(location.prefix.as_path().as_str());
    format!("\nTo use it:\n  eval \"$(goport env --prefix {prefix})\"\nor\n  {path}")
}

fn nothing_to_do(plan: &Plan) -> String {
    let Plan { sequence, channel, generation, .. } = plan;
    format!(
        "Bundle {sequence} of channel {channel} is installed already (generation {generation}): nothing to do"
    )
}

fn print_object(printer: &Printer, location: &Location, plan: &Plan, action: &'static str, changed: bool) {
    let path = location.prefix.join("current/bin").into_string();
    printer.object(&Report { action, changed, prefix: &location.prefix, path, plan });
}

/// The user, for the receipt: whoever called sudo, if somebody did.
fn who(environment: &Environment) -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| environment.text(name));
    let uid = rustix::process::getuid().as_raw();
    name.map_or_else(
        || format!("uid {uid}"),
        |name| name.chars().filter(|c| !c.is_control()).take(64).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_copy_are_right_for_every_prefix_and_for_images() {
        let prefix: Prefix = "/srv/it's".parse().unwrap();
        let here = usage(&Location { prefix: prefix.clone(), root: Root::host() });
        assert!(here.contains(r#"eval "$(goport env --prefix '/srv/it'\''s')""#), "{here}");
        assert!(here.contains(r#"export PATH='/srv/it'\''s/current/bin':"$PATH""#), "{here}");
        let image = usage(&Location { prefix, root: Root::at("/image".into()).unwrap() });
        assert!(image.contains("in the image") && !image.contains("eval"), "{image}");
    }
}
