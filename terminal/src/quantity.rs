//! Numbers as people read them.

use std::fmt;

/// A number of bytes: `17 B`, `4.0 KiB`, `183.4 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "B";
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            // Rounds up to the next unit where one decimal would show 1024.0.
            if value < 1023.95 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        if unit == "B" { f.pad(&format!("{} B", self.0)) } else { f.pad(&format!("{value:.1} {unit}")) }
    }
}

/// A number of things: `1 file`, `2 files`, `12,071 files`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<'a>(pub usize, pub &'a str);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, " {}{}", self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A time span: `74ms`, `4.2s`, `2m 05s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            write!(f, "{}ms", self.0.as_millis())
        } else if seconds < 60 {
            write!(f, "{:.1}s", self.0.as_secs_f64())
        } else {
            write!(f, "{}m {:02}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal_and_a_binary_unit() {
        let texts = [0, 1023, 1024, 192_308_838, 1 << 40, 1_048_570].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "183.4 MiB", "1.0 TiB", "1.0 MiB"]);
    }

    #[test]
    fn counts_have_a_plural_and_commas() {
        let texts = [1, 2, 12_071, 1_000_000].map(|count| Count(count, "file").to_string());
        assert_eq!(texts, ["1 file", "2 files", "12,071 files", "1,000,000 files"]);
    }

    #[test]
    fn durations_are_short() {
        let texts = [74, 4_210, 125_000].map(|ms| Duration(std::time::Duration::from_millis(ms)).to_string());
        assert_eq!(texts, ["74ms", "4.2s", "2m 05s"]);
    }
}
