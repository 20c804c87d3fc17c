//! The one error type of the commands: what happened, what state things are in, what to do.

use std::error::Error;
use std::fmt::Write as _;

/// What an error means for the caller; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It could not be done. Exit code 1.
    Failed,
    /// The command line is wrong. Exit code 2.
    Usage,
    /// A signature, digest, proof, policy or sequence says no. Exit code 3.
    Refused,
    /// An inspection found something. Exit code 4.
    Findings,
    /// The user stopped it. Exit code 130.
    Interrupted,
}

impl Kind {
    /// The exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Findings => 4,
            Self::Interrupted => 130,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Findings => "findings",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An error as the user sees it.
///
/// ```text
/// error: digest mismatch in pack 3 of 14
///   expected: sha256:04e0bb39f30b1a3f…  (signed pack table)
///     actual: sha256:f2e897eed7d206cd…  (platform-7.goferry)
/// nothing was changed under `/opt/goferry`
/// hint: copy the bundle again, then run `goport verify platform-7.goferry`
/// ```
#[derive(Debug)]
pub struct CommandError(Box<Parts>);

/// In a box, so that results stay small.
#[derive(Debug)]
struct Parts {
    kind: Kind,
    message: String,
    comparison: Option<(String, String)>,
    causes: Vec<String>,
    state: Option<String>,
    hints: Vec<String>,
}

impl CommandError {
    /// An error with this message: lower case, no full stop, values in backticks.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        let parts =
            Parts { kind, message, comparison: None, causes: Vec::new(), state: None, hints: Vec::new() };
        Self(Box::new(parts))
    }

    /// An error whose message and causes are those of `error`.
    pub fn from_error(kind: Kind, error: &dyn Error) -> Self {
        Self::new(kind, error.to_string()).caused_by(error.source())
    }

    /// Adds the chain of causes.
    #[must_use]
    pub fn caused_by(mut self, cause: Option<&dyn Error>) -> Self {
        let mut next = cause;
        while let Some(error) = next {
            self.0.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds what was expected and what was found, each with where it comes from.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        self.0.comparison = Some((expected.into(), actual.into()));
        self
    }

    /// Says what state things are in now.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.0.state = Some(state.into());
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// What the error means for the caller.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The text, without colour, ending in a newline.
    pub(crate) fn to_text(&self, paint: impl Fn(Part, &str) -> String) -> String {
        let Parts { kind: _, message, comparison, causes, state, hints } = &*self.0;
        let mut text = format!("{} {message}\n", paint(Part::Error, "error:"));
        if let Some((expected, actual)) = comparison {
            let _ = writeln!(text, "  expected: {expected}\n    actual: {actual}");
        }
        for cause in causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        if let Some(state) = state {
            let _ = writeln!(text, "{state}");
        }
        for hint in hints {
            let _ = writeln!(text, "{} {hint}", paint(Part::Hint, "hint:"));
        }
        text
    }

    /// The error as the object that `--json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        let Parts { kind, message, comparison, causes, state, hints } = &*self.0;
        let mut error = serde_json::json!({ "kind": kind.name(), "message": message });
        if let Some((expected, actual)) = comparison {
            error["expected"] = expected.as_str().into();
            error["actual"] = actual.as_str().into();
        }
        if !causes.is_empty() {
            error["causes"] = causes.as_slice().into();
        }
        if let Some(state) = state {
            error["state"] = state.as_str().into();
        }
        if !hints.is_empty() {
            error["hints"] = hints.as_slice().into();
        }
        serde_json::json!({ "schema": 1, "error": error })
    }
}

/// The parts of an error that have a colour of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The word `error:`.
    Error,
    /// The word `hint:`.
    Hint,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> CommandError {
        CommandError::new(Kind::Refused, "digest mismatch in pack 3 of 14")
            .expected("sha256:04e0…  (signed pack table)", "sha256:f2e8…  (platform-7.goferry)")
            .state("nothing was changed under `/opt/goferry`")
            .hint("copy the bundle again, then run `goport verify platform-7.goferry`")
    }

    #[test]
    fn an_error_says_what_happened_what_state_things_are_in_and_what_to_do() {
        let text = sample().to_text(|_, text| text.to_owned());
        assert_eq!(
            text,
            "error: digest mismatch in pack 3 of 14\n  expected: sha256:04e0…  (signed pack table)\n    \
             actual: sha256:f2e8…  (platform-7.goferry)\nnothing was changed under `/opt/goferry`\n\
             hint: copy the bundle again, then run `goport verify platform-7.goferry`\n"
        );
    }

    #[test]
    fn json_has_the_same_parts() {
        let json = sample().to_json();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["error"]["kind"], "refused");
        assert_eq!(json["error"]["expected"], "sha256:04e0…  (signed pack table)");
        assert_eq!(
            json["error"]["hints"][0],
            "copy the bundle again, then run `goport verify platform-7.goferry`"
        );
    }
}
