//! From a distant proxy to a machine.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use e2e::goproxy_tree::GoProxyTree;
use e2e::scripted_server::ScriptedServer;
use goferry::cache::Cache;
use goferry::fetch::Fetcher;
use goferry::fetch::closure::{Harvest, Job, Observer, Vouched};
use goferry::fetch::module::{Expected, Voucher};
use goferry::http::{Client, Patience, Silent, Watch};
use goferry::parallel::Stop;
use goferry::project::GoSum;
use goferry::proxy_list::Settings;
use goferry_manifest::{DirHash, Module};
use goferry_terminal::Environment;

use crate::failure::{Failure, Result};
use crate::interleave::interleave;
use crate::measure;
use crate::scratch::noise;
use crate::table::{Goal, Row};
use crate::world::World;

/// Every answer of the server waits so long.
const DELAY: Duration = Duration::from_millis(50);
const MODULES: u32 = 300;
const QUICK_MODULES: u32 = 60;
/// Bytes of the one large file in each module; they do not compress.
const FILE_BYTES: usize = 20 << 10;
/// Downloads that `go` does at once: GOMAXPROCS of a machine with two cores.
const GOMAXPROCS: &str = "2";

/// goferry's fetch stage, called as a library, against `go mod download` of the same modules from the same server.
///
/// Both ask for `.info`, `.mod` and `.zip` of each module and compare its hashes with go.sum. The rest of
/// `goferry build`, which is not fetching, would hide the difference.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    let scratch = world.scratch();
    let modules = if world.quick { QUICK_MODULES } else { MODULES };
    let mut tree = GoProxyTree::new(scratch.empty("distant-proxy")?);
    let mut go_mod = "module goferry.example/distant\n\ngo 1.26.0\n\nrequire (\n".to_owned();
    for number in 0..modules {
        let path = format!("goferry.example/m{number}");
        tree.add(&path, "v1.0.0", &[("m.go", b"package m\n"), ("data", &noise(number, FILE_BYTES))]);
        writeln!(go_mod, "\t{path} v1.0.0")?;
    }
    go_mod.push_str(")\n");
    let go_sum = GoSum::parse(tree.go_sum())?;
    let server = ScriptedServer::serve(tree.root());
    server.delay(DELAY);
    let [ours, theirs] = interleave(
        world.rounds,
        [
            &mut || {
                let home = scratch.empty("fetched")?;
                measure::in_process(|| fetch(&go_sum, &server.url(), &home))
            },
            &mut || {
                let project = scratch.empty("distant")?;
                fs_err::write(project.join("go.mod"), &go_mod)?;
                fs_err::write(project.join("go.sum"), tree.go_sum())?;
                let mut go = world.go(&server.url(), &scratch.empty("modcache")?)?;
                go.args(["mod", "download"]).env("GOMAXPROCS", GOMAXPROCS);
                measure::run(go.current_dir(project))
            },
        ],
    )?;
    let zips =
        server.requests().iter().filter(|request| request.path.rsplit('.').next() == Some("zip")).count();
    let expected = go_sum.zips.len() * 2 * world.rounds;
    if zips != expected {
        return Err(Failure::Wrong(format!("{zips} zips were fetched instead of {expected}")).into());
    }
    let what = if world.quick {
        "fetch of 60 modules at 50 ms delay / go mod download"
    } else {
        "fetch of 300 modules at 50 ms delay / go mod download"
    };
    Ok(vec![Row::times(what, Some(Goal::ratio(0.3, 0.1)), ours, theirs, world.rounds)])
}

fn fetch(go_sum: &GoSum, proxy: &str, home: &Path) -> Result<()> {
    let environment = Environment::new([("HOME", home)], home);
    let fetcher = Fetcher::new(
        Client::new(&environment, Patience::default())?,
        Cache::of_user(&environment)?,
        Settings::discover(Some(proxy), &environment)?,
    );
    let expected = |(module, h1): (&Module, &DirHash)| {
        (module.clone(), Expected { h1: *h1, voucher: Voucher::GoSum("go.sum".into()) })
    };
    let vouched = Vouched {
        zips: go_sum.zips.iter().map(expected).collect(),
        go_mods: go_sum.go_mods.iter().map(expected).collect(),
        ..Vouched::default()
    };
    let jobs = |make: fn(Module) -> Job| go_sum.zips.keys().cloned().map(make);
    let jobs = jobs(Job::GoMod).chain(jobs(Job::Time)).chain(jobs(Job::Zip)).collect();
    let stop = Stop::new();
    let watch = Watch { progress: &Silent, stop: &stop };
    let mut harvest = Harvest::default();
    harvest.fetch(jobs, &fetcher, &vouched, watch, &Nobody)?;
    if harvest.zips.len() == go_sum.zips.len() {
        return Ok(());
    }
    Err(Failure::Wrong(format!("only {} modules were fetched", harvest.zips.len())).into())
}

/// Nobody is told.
struct Nobody;

impl Observer for Nobody {
    fn started(&self, _: &Job) {}

    fn finished(&self, _: &Job) {}
}
