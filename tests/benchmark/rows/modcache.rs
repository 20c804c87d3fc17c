//! From a file to a module cache.

use crate::failure::{Failure, Result};
use crate::interleave::interleave;
use crate::measure;
use crate::table::{Goal, Row};
use crate::world::World;

/// `goport install` of a bundle of modules against `go mod download` of the same ones from a `file://` proxy.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    let (bundle, proxy) = (&world.modules()?.bundle, world.file_proxy()?);
    let scratch = world.scratch();
    let url = format!("file://{}", proxy.directory.display());
    let modules: Vec<String> = proxy.modules.iter().map(ToString::to_string).collect();
    let [ours, theirs] = interleave(
        world.rounds,
        [&mut || measure::run(&mut world.install(bundle, &scratch.absent("installed")?)?), &mut || {
            let mut go = world.go(&url, &scratch.empty("modcache")?)?;
            go.args(["mod", "download"]).args(&modules);
            measure::run(go.current_dir(scratch.empty("nowhere")?))
        }],
    )?;
    for module in &proxy.modules {
        for cache in ["installed/current/modcache", "modcache"] {
            let zip = scratch
                .path()
                .join(cache)
                .join("cache/download")
                .join(format!("{}.zip", module.download_stem()));
            if !zip.exists() {
                return Err(Failure::Wrong(format!("`{}` was not made", zip.display())).into());
            }
        }
    }
    let what = "module cache of web installed / go mod download from file://";
    Ok(vec![Row::times(what, Some(Goal::ratio(0.40, 0.20)), ours, theirs, world.rounds)])
}
