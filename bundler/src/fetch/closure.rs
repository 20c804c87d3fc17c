//! Everything that some projects need, fetched at once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use goferry_manifest::checksum_database::ProvenRecord;
use goferry_manifest::{DirHash, GoRelease, Module, Platform, Timestamp};
use thiserror::Error;

use super::Fetcher;
use super::module::{
    Expected, ModuleError, ProvenZip, Voucher, fetch_go_mod, fetch_time, fetch_unvouched_go_mod, fetch_zip,
};
use super::toolchain::{FetchedToolchain, fetch_toolchain};
use crate::http::Watch;
use crate::parallel;
use crate::project::Project;

/// Requests under way at once: streams of one HTTP/2 connection.
const REQUESTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The hashes that somebody vouches for.
#[derive(Clone, Debug, Default)]
pub struct Vouched {
    /// Of the files of modules.
    pub zips: BTreeMap<Module, Expected>,
    /// Of their go.mod.
    pub go_mods: BTreeMap<Module, Expected>,
    /// Private modules whose go.mod is taken although nobody vouches for it: no build reads it, `go` only wants it
    /// to be there.
    pub unvouched_go_mods: BTreeSet<Module>,
}

/// Two go.sums that cannot both be right.
#[derive(Debug, Error)]
#[error(
    "`{module}` has two hashes\n  {} ({})\n  {} ({})",
    hashes[0].h1, hashes[0].voucher, hashes[1].h1, hashes[1].voucher
)]
pub struct Contradiction {
    module: Module,
    hashes: Box<[Expected; 2]>,
}

/// One thing to fetch.
#[derive(Clone, Debug)]
pub enum Job {
    /// A toolchain, whose record is proven.
    Toolchain(GoRelease, Platform, ProvenRecord),
    /// The files of a module.
    Zip(Module),
    /// The go.mod of a module.
    GoMod(Module),
    /// The `.info` of a module.
    Time(Module),
}

/// What was fetched.
#[derive(Debug, Default)]
pub struct Harvest {
    /// Toolchains.
    pub toolchains: Vec<FetchedToolchain>,
    /// The files of modules.
    pub zips: BTreeMap<Module, ProvenZip>,
    /// The go.mod of modules.
    pub go_mods: BTreeMap<Module, Vec<u8>>,
    /// When modules were made.
    pub times: BTreeMap<Module, Option<Timestamp>>,
    /// What was asked for and no proxy has, and what was said about it.
    pub not_served: BTreeMap<(Module, Part), ModuleError>,
}

/// What a proxy has of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its go.mod.
    GoMod,
    /// Its files.
    Zip,
    /// When it was made.
    Time,
}

/// What is told of a fetch.
pub trait Observer: Sync {
    /// A request begins.
    fn started(&self, job: &Job);

    /// It ended, well or not.
    fn finished(&self, job: &Job);
}

enum Outcome {
    Toolchain(Box<FetchedToolchain>),
    Zip(Module, ProvenZip),
    GoMod(Module, Vec<u8>),
    Time(Module, Option<Timestamp>),
    NotServed(Module, Part, ModuleError),
}

impl Vouched {
    /// What the go.sums of all projects say. They have to agree.
    pub fn by_projects(projects: &[Project]) -> Result<Self, Contradiction> {
        let mut vouched = Self::default();
        for project in projects {
            let Some(sums) = project.sums() else { continue };
            let go_sum = project.directory().join("go.sum");
            for (from, to) in [(&sums.zips, &mut vouched.zips), (&sums.go_mods, &mut vouched.go_mods)] {
                for (module, h1) in from {
                    add(to, module, Expected { h1: *h1, voucher: Voucher::GoSum(go_sum.clone()) })?;
                }
            }
        }
        Ok(vouched)
    }

    /// Adds what the checksum database says of a module, where no go.sum does.
    pub fn add_record(&mut self, record: &ProvenRecord) {
        let module = record.module();
        let add = |to: &mut BTreeMap<Module, Expected>, h1: Option<DirHash>| {
            if let Some(h1) = h1 {
                let expected = Expected { h1, voucher: Voucher::ChecksumDatabase };
                to.entry(module.clone()).or_insert(expected);
            }
        };
        add(&mut self.zips, record.h1_of(module));
        add(&mut self.go_mods, record.go_mod_h1_of(module));
    }
}

fn add(
    to: &mut BTreeMap<Module, Expected>,
    module: &Module,
    expected: Expected,
) -> Result<(), Contradiction> {
    let one = to.entry(module.clone()).or_insert_with(|| expected.clone());
    if one.h1 == expected.h1 {
        return Ok(());
    }
    Err(Contradiction { module: module.clone(), hashes: Box::new([one.clone(), expected]) })
}

impl Job {
    /// What is fetched.
    pub fn name(&self) -> String {
        match self {
            Self::Toolchain(release, platform, _) => format!("go{release} {platform}"),
            Self::Zip(module) => module.to_string(),
            Self::GoMod(module) => format!("{module}/go.mod"),
            Self::Time(module) => format!("{module}.info"),
        }
    }
}

impl Harvest {
    /// Fetches all of it. What no proxy has is noted; anything else that fails ends it.
    pub fn fetch(
        &mut self,
        jobs: Vec<Job>,
        fetcher: &Fetcher,
        vouched: &Vouched,
        watch: Watch<'_>,
        observer: &dyn Observer,
    ) -> Result<(), ModuleError> {
        let outcomes = parallel::run(jobs, REQUESTS, watch.stop, |job| {
            observer.started(&job);
            let outcome = fetch_one(&job, fetcher, vouched, watch);
            observer.finished(&job);
            outcome
        })?;
        for outcome in outcomes {
            self.add(outcome);
        }
        Ok(())
    }

    /// The zips of toolchains and modules, with what is in them.
    pub fn all_zips(&self) -> impl Iterator<Item = (PathBuf, &ProvenZip)> {
        let toolchains = self.toolchains.iter().map(|fetched| &fetched.source);
        toolchains.chain(self.zips.values()).map(|zip| (zip.path.clone(), zip))
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Toolchain(fetched) => self.toolchains.push(*fetched),
            Outcome::Zip(module, zip) => drop(self.zips.insert(module, zip)),
            Outcome::GoMod(module, bytes) => drop(self.go_mods.insert(module, bytes)),
            Outcome::Time(module, time) => drop(self.times.insert(module, time)),
            Outcome::NotServed(module, part, error) => drop(self.not_served.insert((module, part), error)),
        }
    }
}

fn fetch_one(
    job: &Job,
    fetcher: &Fetcher,
    vouched: &Vouched,
    watch: Watch<'_>,
) -> Result<Outcome, ModuleError> {
    let (module, part, outcome) = match job {
        Job::Toolchain(release, platform, record) => {
            let toolchain = fetch_toolchain(fetcher, *release, platform, record, watch)?;
            return Ok(Outcome::Toolchain(Box::new(toolchain)));
        }
        Job::Zip(module) => {
            let unvouched = || ModuleError::Unvouched { module: module.clone() };
            let expected = vouched.zips.get(module).ok_or_else(unvouched)?;
            let zip = fetch_zip(fetcher, module, expected, watch);
            (module, Part::Zip, zip.map(|zip| Outcome::Zip(module.clone(), zip)))
        }
        Job::GoMod(module) => {
            let bytes = match vouched.go_mods.get(module) {
                Some(expected) => fetch_go_mod(fetcher, module, expected, watch),
                None if vouched.unvouched_go_mods.contains(module) => {
                    fetch_unvouched_go_mod(fetcher, module, watch)
                }
                None => return Err(ModuleError::Unvouched { module: module.clone() }),
            };
            (module, Part::GoMod, bytes.map(|bytes| Outcome::GoMod(module.clone(), bytes)))
        }
        Job::Time(module) => {
            let time = fetch_time(fetcher, module, watch);
            (module, Part::Time, time.map(|time| Outcome::Time(module.clone(), time)))
        }
    };
    match outcome {
        Err(error) if error.is_not_found() => Ok(Outcome::NotServed(module.clone(), part, error)),
        outcome => outcome,
    }
}
