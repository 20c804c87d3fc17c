//! Progress bars.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// One bar through the whole life of one activity: what is done now, bytes, time.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    pub(crate) fn new(bars: &MultiProgress, verb: &str, total: u64) -> Self {
        let bar = bars.add(ProgressBar::new(total));
        bar.set_style(style(total));
        bar.set_prefix(verb.to_owned());
        // Keeps the speed honest while nothing arrives.
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// More bytes were done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Bytes have to be done again.
    pub fn retreat(&self, bytes: u64) {
        self.0.dec(bytes);
    }

    /// There is more, or less, to do than was thought.
    pub fn set_total(&self, total: u64) {
        if self.0.length() == Some(0) {
            self.0.set_style(style(total));
        }
        self.0.set_length(total);
    }

    /// The bytes done so far.
    pub fn set_position(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// What is worked on now.
    pub fn set_message(&self, message: impl Into<std::borrow::Cow<'static, str>>) {
        self.0.set_message(message);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Fits into 80 columns: 12 for the verb as in status lines, 20 for the bar, 30 for the numbers, the rest for the object.
fn style(total: u64) -> ProgressStyle {
    let template = if total == 0 {
        "{prefix:>12.green.bold} {binary_bytes:>10} {binary_bytes_per_sec:>12} {elapsed:>3}  {wide_msg}"
    } else {
        "{prefix:>12.green.bold} [{bar:20}] {binary_bytes}/{binary_total_bytes} {elapsed:>3}  {wide_msg}"
    };
    ProgressStyle::with_template(template).expect("the template is right").progress_chars("## ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_right() {
        style(0);
        style(1);
    }
}
