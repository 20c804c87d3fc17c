//! From a file to a GOROOT.

use crate::failure::Result;
use crate::interleave::interleave;
use crate::measure;
use crate::table::{Goal, Row};
use crate::world::World;

/// `goport install`, which verifies everything, against tools that verify nothing.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    let (bundle, tar_gz, tar_zst) = (&world.toolchain()?.bundle, world.tar_gz()?, world.tar_zst()?);
    let scratch = world.scratch();
    let [ours, gz, zst] = interleave(
        world.rounds,
        [
            &mut || measure::run(&mut world.install(bundle, &scratch.absent("installed")?)?),
            &mut || {
                let to = scratch.empty("untarred")?;
                measure::run(measure::program("tar")?.arg("-xzf").arg(tar_gz).arg("-C").arg(to))
            },
            &mut || {
                let to = scratch.empty("untarred")?;
                let mut tar = measure::program("tar")?;
                tar.args(["--use-compress-program", "zstd -d --long=27", "-xf"]);
                measure::run(tar.arg(tar_zst).arg("-C").arg(to))
            },
        ],
    )?;
    Ok(vec![
        Row::times(
            "goport install of one toolchain / tar -xzf",
            Some(Goal::ratio(0.50, 0.27)),
            ours,
            gz,
            world.rounds,
        ),
        Row::times("goport install of one toolchain / zstd -d | tar -x", None, ours, zst, world.rounds),
    ])
}
