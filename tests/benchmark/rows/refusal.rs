//! How fast a bundle with a wrong signature is refused.

use camino::{Utf8Path, Utf8PathBuf};

use crate::failure::{Failure, Result};
use crate::interleave::interleave;
use crate::measure;
use crate::table::{Goal, Row};
use crate::world::World;

const GOAL: Goal = Goal::milliseconds(50.0, 20.0);
/// Exit code of what is refused (DESIGN §6).
const REFUSED: i32 = 3;
/// Bytes of a header of the container, after which the cover begins.
const HEADER: usize = 512;

/// `goport install` of a small and of a large bundle whose signed cover was changed by one character.
pub(super) fn measure(world: &World) -> Result<Vec<Row>> {
    let small = forge(&world.small()?.bundle)?;
    let large = forge(&world.web()?.bundle)?;
    let prefix = world.scratch().absent("refused")?;
    let refuse = |bundle: &Utf8Path| measure::run_expecting(REFUSED, &mut world.install(bundle, &prefix)?);
    let [of_small, of_large] = interleave(world.rounds, [&mut || refuse(&small), &mut || refuse(&large)])?;
    if prefix.exists() {
        return Err(Failure::Wrong(format!("refusing has left `{}`", prefix.display())).into());
    }
    Ok(vec![
        Row::time(
            "refusing a wrong signature, bundle of one small module",
            Some(GOAL),
            of_small,
            world.rounds,
        ),
        Row::time("refusing a wrong signature, bundle of web with Go", Some(GOAL), of_large, world.rounds),
    ])
}

/// A copy of a bundle in which the channel's name has another letter. All of it still has the form of a bundle.
fn forge(bundle: &Utf8Path) -> Result<Utf8PathBuf> {
    const NAME: &[u8] = b"\"name\"";
    let mut bytes = fs_err::read(bundle)?;
    let end = bytes.len().min(2 * HEADER);
    let cover = bytes.get(HEADER..end).unwrap_or_default();
    let place = cover.windows(NAME.len()).position(|window| window == NAME).map(|at| at + NAME.len());
    let letter =
        |at: usize| cover.iter().skip(at).position(u8::is_ascii_alphanumeric).map(|skipped| at + skipped);
    let place = place.and_then(letter).ok_or_else(|| Failure::Wrong("the cover has no name".to_owned()))?;
    bytes[HEADER + place] = b'x';
    let forged = bundle.with_extension("forged");
    fs_err::write(&forged, bytes)?;
    Ok(forged)
}
