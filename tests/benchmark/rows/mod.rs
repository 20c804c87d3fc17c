//! The rows of the table; one file a subject.

mod fetch;
mod install;
mod memory;
mod modcache;
mod refusal;
mod size;
mod verify;

use crate::failure::{Failure, Result};
use crate::table::Row;
use crate::world::World;

/// What gives the rows of a name.
pub(crate) type Measure = fn(&World) -> Result<Vec<Row>>;

const ALL: [(&str, Measure); 8] = [
    ("toolchain-size", size::toolchain),
    ("modules-size", size::modules),
    ("install", install::measure),
    ("modcache", modcache::measure),
    ("verify", verify::measure),
    ("fetch", fetch::measure),
    ("refusal", refusal::measure),
    ("memory", memory::measure),
];

/// The rows of these names, in the table's order; all, if none is named.
pub(crate) fn chosen(only: &[String]) -> Result<Vec<(&'static str, Measure)>> {
    if let Some(name) = only.iter().find(|name| ALL.iter().all(|(known, _)| known != name)) {
        let known = ALL.map(|(name, _)| name).join(", ");
        return Err(Failure::NoSuchRow { name: name.clone(), known }.into());
    }
    let is_chosen = |(name, _): &(&str, Measure)| only.is_empty() || only.iter().any(|it| it == name);
    Ok(ALL.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_name_and_in_the_order_of_the_table() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&only).map(|rows| rows.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), ALL.len());
        assert_eq!(names(&["verify", "install"]).unwrap(), ["install", "verify"]);
        assert!(names(&["speed"]).unwrap_err().to_string().contains("toolchain-size, modules-size"));
    }
}
