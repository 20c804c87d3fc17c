//! What an install changes, as lines: `+` new, `=` there already.

use goferry_terminal::{Count, Printer};

use crate::plan::{Component, ComponentKind, ComponentState, Plan};

/// More new modules than this are only counted.
const MOST_LINES: usize = 12;

/// The components of the plan in numbers: `1 toolchain and 60 modules`.
pub(super) fn counts(plan: &Plan) -> String {
    let count = |kind| plan.components.iter().filter(|component| component.kind == kind).count();
    let (toolchains, modules) = (count(ComponentKind::Toolchain), count(ComponentKind::Module));
    match (toolchains, modules) {
        (0, modules) => Count(modules, "module").to_string(),
        (toolchains, 0) => Count(toolchains, "toolchain").to_string(),
        (toolchains, modules) => {
            format!("{} and {}", Count(toolchains, "toolchain"), Count(modules, "module"))
        }
    }
}

/// A line for each toolchain, and for each new module where they are few.
pub(super) fn print(printer: &Printer, plan: &Plan) {
    for toolchain in of_kind(plan, ComponentKind::Toolchain) {
        printer.summary(format_args!(" {} {}", sign(toolchain), toolchain.name));
    }
    let (new, held): (Vec<_>, Vec<_>) =
        of_kind(plan, ComponentKind::Module).partition(|module| module.state == ComponentState::New);
    if new.len() > MOST_LINES {
        printer.summary(format_args!(" + {}", Count(new.len(), "module")));
    } else {
        for module in new {
            printer.summary(format_args!(" + {}", module.name));
        }
    }
    if !held.is_empty() {
        printer.summary(format_args!(" = {} already here", Count(held.len(), "module")));
    }
}

fn of_kind(plan: &Plan, kind: ComponentKind) -> impl Iterator<Item = &Component> {
    plan.components.iter().filter(move |component| component.kind == kind)
}

fn sign(component: &Component) -> char {
    match component.state {
        ComponentState::New => '+',
        ComponentState::Present | ComponentState::Linked => '=',
    }
}
