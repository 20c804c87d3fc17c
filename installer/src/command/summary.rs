//! A bundle's summary as text and as JSON: the same for `goport verify` and `goferry inspect`.

use goferry_terminal::{Bytes, Count, Printer};
use serde::Serialize;

use super::expiry::warn_if_expired;
use crate::summary::{ModuleSummary, Summary, ToolchainSummary};

/// How much of the modules is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Their number.
    Totals,
    /// Each of them.
    Modules,
}

#[derive(Serialize)]
struct Report<'a> {
    action: &'a str,
    verified: bool,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Prints what is inside of a bundle.
pub fn print_summary(printer: &Printer, action: &str, summary: &Summary, detail: Detail) {
    warn_if_expired(printer, summary.expires);
    let Summary { name, sequence, created, id, size, .. } = summary;
    printer
        .line(format_args!("bundle      {name}, sequence {sequence}, created {created}, {}", Bytes(*size)));
    printer.line(format_args!("id          {id}"));
    for signer in &summary.signers {
        printer.line(format_args!(
            "signed by   {} (fingerprint {})",
            signer.key_id,
            signer.fingerprint.short()
        ));
    }
    for key in &summary.other_signatures {
        printer.line(format_args!("            {key} too, a key that is not trusted here"));
    }
    for toolchain in &summary.toolchains {
        printer.line(format_args!("toolchain   {}", toolchain_line(toolchain)));
    }
    printer.line(format_args!("modules     {}", modules_line(summary)));
    if detail == Detail::Modules {
        for module in &summary.modules {
            printer.line(format_args!("            {}", module_line(module)));
        }
    }
    printer.line(format_args!("stored      {}", stored_line(summary)));
    if !summary.rehearsed {
        printer.line("rehearsed   no: nothing shows yet that the projects build from it");
    }
    printer.object(&Report { action, verified: true, summary });
}

fn toolchain_line(toolchain: &ToolchainSummary) -> String {
    let ToolchainSummary { version, platform, files, size, .. } = toolchain;
    format!("go{version} {platform}: {}, {}", Count(*files, "file"), Bytes(*size))
}

fn modules_line(summary: &Summary) -> String {
    let whole = summary.whole_modules().count();
    let files = summary.modules.iter().map(|module| module.files).sum();
    let size = summary.modules.iter().map(|module| module.size).sum();
    let text = format!("{}: {}, {}", Count(whole, "module"), Count(files, "file"), Bytes(size));
    match summary.modules.len() - whole {
        0 => text,
        rest => format!("{text}; {} more, only the go.mod", Count(rest, "module")),
    }
}

fn module_line(module: &ModuleSummary) -> String {
    let ModuleSummary { path, version, h1, files, size, .. } = module;
    match h1 {
        Some(_) => format!("{path}@{version}: {}, {}", Count(*files, "file"), Bytes(*size)),
        None => format!("{path}@{version}: go.mod"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "one decimal of a percentage is shown")]
fn stored_line(summary: &Summary) -> String {
    let Summary { packs, packed_size, content_size, contents, .. } = summary;
    let percent = *packed_size as f64 * 100.0 / (*content_size).max(1) as f64;
    format!(
        "{} in {}: {}, {percent:.1} % of {}",
        Count(*contents, "distinct file"),
        Count(*packs, "pack"),
        Bytes(*packed_size),
        Bytes(*content_size)
    )
}
