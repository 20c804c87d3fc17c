//! A, B, A, B: what disturbs the machine disturbs both sides.

use std::time::Duration;

use crate::failure::Result;
use crate::measure::Measured;

/// One run of one side; what it needs beforehand it does unmeasured.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Result<Measured>;

/// What all rounds of one side took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    /// The least time.
    pub(crate) wall: Duration,
    /// The least time on processors.
    pub(crate) cpu: Option<Duration>,
    /// The largest peak.
    pub(crate) peak: Option<u64>,
}

/// Measures all sides in turn, so many times.
pub(crate) fn interleave<const SIDES: usize>(
    rounds: usize,
    mut sides: [Side<'_>; SIDES],
) -> Result<[Best; SIDES]> {
    let mut best = [Best { wall: Duration::MAX, cpu: None, peak: None }; SIDES];
    for _ in 0..rounds {
        for (side, best) in sides.iter_mut().zip(&mut best) {
            let measured = side()?;
            best.wall = best.wall.min(measured.wall);
            best.cpu = best.cpu.into_iter().chain(measured.cpu).min();
            best.peak = best.peak.max(measured.peak);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn sides_take_turns_and_the_least_time_and_the_largest_peak_count() {
        let turns = RefCell::new(String::new());
        let side = |name: char, millis: u64| {
            let (turns, mut round) = (&turns, 0);
            move || {
                turns.borrow_mut().push(name);
                round += 1;
                let wall = Duration::from_millis(millis / round);
                Ok(Measured { wall, cpu: Some(2 * wall), peak: Some(round) })
            }
        };
        let [a, b] = interleave(3, [&mut side('a', 60), &mut side('b', 120)]).unwrap();
        assert_eq!(turns.into_inner(), "ababab");
        assert_eq!((a.wall.as_millis(), b.wall.as_millis(), b.peak), (20, 40, Some(3)));
        assert_eq!(b.cpu, Some(Duration::from_millis(80)));
    }
}
