//! How much memory it takes.

use crate::failure::Result;
use crate::interleave::{Best, interleave};
use crate::measure;
use crate::table::{Goal, Row};
use crate::world::World;

/// Peaks of everything that handles a bundle with a toolchain and many modules.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    // The packs of the toolchain are compressed for whichever bundle is built first: together they are one cold build.
    let (toolchain, web) = (world.toolchain()?, world.web()?);
    let scratch = world.scratch();
    let [install, verify] = interleave(
        world.rounds,
        [&mut || measure::run(&mut world.install(&web.bundle, &scratch.absent("installed")?)?), &mut || {
            measure::run(&mut world.verify(&web.bundle)?)
        }],
    )?;
    let build = Best {
        wall: toolchain.measured.wall + web.measured.wall,
        cpu: toolchain.measured.cpu.zip(web.measured.cpu).map(|(toolchain, web)| toolchain + web),
        peak: toolchain.measured.peak.max(web.measured.peak),
    };
    Ok(vec![
        Row::peak(
            "peak memory of goport install, web with Go",
            Some(Goal::mib(300.0, 160.0)),
            install,
            world.rounds,
        ),
        Row::peak("peak memory of goport verify, web with Go", None, verify, world.rounds),
        Row::peak("peak memory of goferry build, web with Go", None, build, 1),
    ])
}
