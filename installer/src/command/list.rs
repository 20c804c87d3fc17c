//! `goport list`: what is installed.

use clap::Args;
use goferry_manifest::Channel;
use goferry_terminal::{CommandError, Count, Environment, Kind, Printer, help_end};
use serde::Serialize;

use super::error::observe_error;
use super::location::LocationOptions;
use crate::observe::{Current, InUse, observe_to_read};
use crate::prefix::Prefix;

/// Show what is installed: Go releases, channels, modules
#[derive(Args, Debug)]
#[command(after_help = help_end!(
    "\
  goport list
  goport list --modules
  goport list --json | jq -r .default_go"
))]
pub(super) struct List {
    /// List every module
    #[arg(long)]
    modules: bool,
    #[command(flatten)]
    location: LocationOptions,
}

#[derive(Serialize)]
struct Report {
    action: &'static str,
    prefix: Prefix,
    generation: u64,
    installed: String,
    by: String,
    default_go: Option<String>,
    toolchains: Vec<String>,
    channels: Vec<ChannelReport>,
    modules: Vec<ModuleReport>,
    generations: Vec<u64>,
}

#[derive(Serialize)]
struct ChannelReport {
    name: Channel,
    sequence: u64,
    bundle: String,
    signers: Vec<String>,
}

#[derive(Serialize)]
struct ModuleReport {
    module: String,
    channel: Channel,
    whole: bool,
}

impl List {
    pub(super) fn run(self, printer: &Printer, environment: &Environment) -> Result<(), CommandError> {
        let location = self.location.to_read(environment)?;
        let in_use =
            observe_to_read(&location.prefix, &location.root).map_err(|error| observe_error(&error))?;
        let Some(InUse { current, generations }) = in_use else {
            return Err(no_generation(&location.prefix));
        };
        let report = report(location.prefix, &current, generations.into_iter().collect());
        self.print(printer, &report);
        printer.object(&report);
        Ok(())
    }

    fn print(&self, printer: &Printer, report: &Report) {
        let Report { prefix, generation, installed, by, .. } = report;
        printer.line(format_args!("{prefix}: generation {generation}, installed {installed} by {by}"));
        for toolchain in &report.toolchains {
            let mark = if report.default_go.as_ref() == Some(toolchain) { "  (default)" } else { "" };
            printer.line(format_args!("  go{toolchain}{mark}"));
        }
        for channel in &report.channels {
            let modules = report.modules.iter().filter(|it| it.channel == channel.name && it.whole).count();
            let ChannelReport { name, sequence, .. } = channel;
            printer.line(format_args!("  channel {name}: bundle {sequence}, {}", Count(modules, "module")));
        }
        if self.modules {
            for ModuleReport { module, whole, .. } in &report.modules {
                printer.line(format_args!("  {module}{}", if *whole { "" } else { " (go.mod only)" }));
            }
        }
    }
}

fn report(prefix: Prefix, current: &Current, generations: Vec<u64>) -> Report {
    let receipt = &current.receipt;
    let channels = receipt.channels.iter().map(|(name, record)| ChannelReport {
        name: name.clone(),
        sequence: record.sequence.get(),
        bundle: record.bundle.to_string(),
        signers: record.signers.iter().map(ToString::to_string).collect(),
    });
    let modules = current.bundles.iter().flat_map(|(channel, bundle)| {
        bundle.manifest.modules().iter().map(|carried| ModuleReport {
            module: carried.module.to_string(),
            channel: channel.clone(),
            whole: carried.zip.is_some(),
        })
    });
    Report {
        action: "list",
        prefix,
        generation: receipt.generation,
        installed: receipt.when.to_string(),
        by: receipt.who.clone(),
        default_go: receipt.default_go.as_ref().map(|default| default.release.to_string()),
        toolchains: receipt.trees.toolchain.keys().map(ToString::to_string).collect(),
        channels: channels.collect(),
        modules: modules.collect(),
        generations,
    }
}

/// Nothing is installed under the prefix.
pub(super) fn no_generation(prefix: &Prefix) -> CommandError {
    CommandError::new(Kind::Failed, format!("nothing is installed under `{prefix}`")).hint(
        "install a bundle with `goport install FILE --key PUB`, or name another directory with `--prefix`",
    )
}
