//! Whether a bundle is good, without installing it.

use crate::failure::Result;
use crate::interleave::interleave;
use crate::measure;
use crate::table::Row;
use crate::world::World;

/// `goport verify`, which hashes the bundle and all that is in it, against `sha256sum` of either.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    let (bundle, goroot) = (&world.toolchain()?.bundle, world.goroot()?);
    let [ours, files, file] = interleave(
        world.rounds,
        [
            &mut || measure::run(&mut world.verify(bundle)?),
            &mut || {
                let mut find = measure::program("find")?;
                measure::run(find.arg(goroot).args(["-type", "f", "-exec", "sha256sum", "{}", "+"]))
            },
            &mut || measure::run(measure::program("sha256sum")?.arg(bundle)),
        ],
    )?;
    Ok(vec![
        Row::times(
            "goport verify of one toolchain / sha256sum of its files",
            None,
            ours,
            files,
            world.rounds,
        ),
        Row::times(
            "goport verify of one toolchain / sha256sum of the bundle",
            None,
            ours,
            file,
            world.rounds,
        ),
    ])
}
