//! Rows, and the table of them.

use std::fmt;
use std::time::Duration;

use goferry_terminal::Bytes;

use crate::interleave::Best;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is compared.
    pub(crate) what: &'static str,
    /// What it is held against, where something is promised.
    pub(crate) goal: Option<Goal>,
    /// What came out.
    pub(crate) measured: Figure,
    /// Our side.
    pub(crate) ours: String,
    /// The other side.
    pub(crate) theirs: String,
    /// How often each was measured.
    pub(crate) rounds: usize,
}

/// What was promised: less is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// At most this.
    pub(crate) must: Figure,
    /// At most this, if all goes well.
    pub(crate) aim: Figure,
}

/// A number that rows are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    /// Ours by theirs.
    Ratio(f64),
    /// Memory.
    MiB(f64),
    /// Time.
    Milliseconds(f64),
}

/// All rows, as Markdown that is aligned to be read as it is.
#[derive(Debug)]
pub(crate) struct Table<'r>(pub(crate) &'r [Row]);

impl Row {
    /// The times of both sides; beside them their time on processors and the peaks of their memory.
    pub(crate) fn times(
        what: &'static str,
        goal: Option<Goal>,
        ours: Best,
        theirs: Best,
        rounds: usize,
    ) -> Self {
        let measured = Figure::Ratio(ours.wall.as_secs_f64() / theirs.wall.as_secs_f64());
        Self { what, goal, measured, ours: ours.to_string(), theirs: theirs.to_string(), rounds }
    }

    /// The sizes of both sides.
    pub(crate) fn sizes(what: &'static str, goal: Option<Goal>, ours: u64, theirs: u64) -> Self {
        let measured = Figure::Ratio(to_f64(ours) / to_f64(theirs));
        Self {
            what,
            goal,
            measured,
            ours: Bytes(ours).to_string(),
            theirs: Bytes(theirs).to_string(),
            rounds: 1,
        }
    }

    /// The time of our side alone.
    pub(crate) fn time(what: &'static str, goal: Option<Goal>, ours: Best, rounds: usize) -> Self {
        let measured = Figure::Milliseconds(ours.wall.as_secs_f64() * 1e3);
        Self { what, goal, measured, ours: ours.to_string(), theirs: String::new(), rounds }
    }

    /// The peak memory of our side alone.
    pub(crate) fn peak(what: &'static str, goal: Option<Goal>, ours: Best, rounds: usize) -> Self {
        let measured = Figure::MiB(to_f64(ours.peak.unwrap_or_default()) / f64::from(1 << 20));
        Self { what, goal, measured, ours: ours.to_string(), theirs: String::new(), rounds }
    }

    fn cells(&self) -> [String; 8] {
        let goal = |figure: fn(&Goal) -> Figure| self.goal.map(|goal| figure(&goal).to_string());
        let verdict = match self.goal {
            None => "",
            Some(goal) if self.measured.value() <= goal.aim.value() => "aim",
            Some(goal) if self.measured.value() <= goal.must.value() => "must",
            Some(_) => "missed",
        };
        [
            self.what.to_owned(),
            goal(|goal| goal.must).unwrap_or_default(),
            goal(|goal| goal.aim).unwrap_or_default(),
            self.measured.to_string(),
            verdict.to_owned(),
            self.ours.clone(),
            self.theirs.clone(),
            self.rounds.to_string(),
        ]
    }
}

impl Goal {
    /// Ratios.
    pub(crate) const fn ratio(must: f64, aim: f64) -> Self {
        Self { must: Figure::Ratio(must), aim: Figure::Ratio(aim) }
    }

    /// Memory.
    pub(crate) const fn mib(must: f64, aim: f64) -> Self {
        Self { must: Figure::MiB(must), aim: Figure::MiB(aim) }
    }

    /// Time.
    pub(crate) const fn milliseconds(must: f64, aim: f64) -> Self {
        Self { must: Figure::Milliseconds(must), aim: Figure::Milliseconds(aim) }
    }
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Ratio(value) | Self::MiB(value) | Self::Milliseconds(value) => value,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(ratio) => write!(f, "{ratio:.3}"),
            Self::MiB(mib) => write!(f, "{mib:.0} MiB"),
            Self::Milliseconds(millis) => write!(f, "{millis:.1} ms"),
        }
    }
}

impl fmt::Display for Best {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Milliseconds(self.wall))?;
        self.cpu.map_or(Ok(()), |cpu| write!(f, " (cpu {})", Milliseconds(cpu)))?;
        self.peak.map_or(Ok(()), |peak| write!(f, ", {:.0} MiB", to_f64(peak) / f64::from(1 << 20)))
    }
}

struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_secs_f64() * 1e3;
        if millis < 100.0 { write!(f, "{millis:.1} ms") } else { write!(f, "{millis:.0} ms") }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "must", "aim", "measured", "met", "ours", "theirs", "rounds"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(self.0.iter().map(Row::cells)).collect();
        let widths: [usize; 8] = std::array::from_fn(|column| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        });
        for (number, row) in rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                widths.iter().try_for_each(|width| write!(f, "|{}", "-".repeat(width + 2)))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_whether_they_meet_what_is_promised() {
        let rows = [61, 62, 64].map(|size| Row::sizes("size", Some(Goal::ratio(0.63, 0.61)), size, 100));
        let met = rows.each_ref().map(|row| row.cells()[4].clone());
        assert_eq!(met, ["aim", "must", "missed"]);
        let table = Table(&rows[..1]).to_string();
        assert_eq!(
            table.lines().last(),
            Some("| size | 0.630 | 0.610 | 0.610    | aim | 61 B | 100 B  | 1      |")
        );
    }
}
