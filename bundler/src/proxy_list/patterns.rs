//! Comma-separated glob patterns of module paths, as in GOPRIVATE and GONOPROXY.

/// The value of GONOPROXY: which modules never come from a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModulePatterns(String);

impl ModulePatterns {
    /// Any text is a list of patterns: go ignores empty and malformed ones.
    pub fn new(patterns: impl Into<String>) -> Self {
        Self(patterns.into())
    }

    /// The list as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `module.MatchPrefixPatterns`: whether a prefix of `path` that ends at a slash, or all of it, matches a pattern.
    pub fn matches(&self, path: &str) -> bool {
        self.0
            .split(',')
            .map(|glob| glob.strip_suffix('/').unwrap_or(glob))
            .filter(|glob| !glob.is_empty())
            .any(|glob| {
                let slashes = glob.matches('/').count();
                if path.matches('/').count() < slashes {
                    return false;
                }
                let end = path.match_indices('/').nth(slashes).map_or(path.len(), |(at, _)| at);
                let (glob, prefix): (Vec<char>, Vec<char>) =
                    (glob.chars().collect(), path[..end].chars().collect());
                matches(&glob, &prefix) == Some(true)
            })
    }
}

/// `path.Match`: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a backslash quotes. `None` for a
/// malformed pattern.
fn matches(glob: &[char], name: &[char]) -> Option<bool> {
    match glob {
        [] => Some(name.is_empty()),
        ['*', rest @ ..] => {
            let reach = name.iter().take_while(|&&c| c != '/').count();
            for skipped in 0..=reach {
                if matches(rest, &name[skipped..])? {
                    return Some(true);
                }
            }
            Some(false)
        }
        ['?', rest @ ..] => match name {
            [c, name @ ..] if *c != '/' => matches(rest, name),
            _ => Some(false),
        },
        ['[', rest @ ..] => {
            let (contains, rest) = class(rest, name.first().copied())?;
            if contains { matches(rest, name.get(1..)?) } else { Some(false) }
        }
        ['\\'] => None,
        ['\\', c, rest @ ..] | [c, rest @ ..] => match name {
            [first, name @ ..] if first == c => matches(rest, name),
            _ => Some(false),
        },
    }
}

/// Whether a class, after its bracket, contains `c`, and what follows the class.
fn class(glob: &[char], c: Option<char>) -> Option<(bool, &[char])> {
    let (negated, mut glob) = match glob {
        ['^', rest @ ..] => (true, rest),
        _ => (false, glob),
    };
    let mut contains = false;
    let mut ranges = 0;
    loop {
        if let [']', rest @ ..] = glob
            && ranges > 0
        {
            return Some((c.is_some() && contains != negated, rest));
        }
        let (low, rest) = class_char(glob)?;
        let (high, rest) = match rest {
            ['-', rest @ ..] => class_char(rest)?,
            _ => (low, rest),
        };
        contains |= c.is_some_and(|c| (low..=high).contains(&c));
        ranges += 1;
        glob = rest;
    }
}

fn class_char(glob: &[char]) -> Option<(char, &[char])> {
    match glob {
        [] | ['-' | ']', ..] | ['\\'] => None,
        ['\\', c, rest @ ..] | [c, rest @ ..] => Some((*c, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_elements_from_the_front() {
        // The cases of x/mod's TestMatchPrefixPatterns, and some of path.Match.
        for (patterns, path, expected) in [
            ("", "a.b/c", false),
            ("/", "a.b/c", false),
            ("a.b", "a.b", true),
            ("a.b", "a.b/c/d", true),
            ("a.b/c", "a.b", false),
            ("a.b/c", "a.b/cd", false),
            ("a.b/c/", "a.b/c/d", true),
            ("*.b", "a.b/c", true),
            ("*.b", "x.a.b/c", true),
            ("*", "a.b/c", true),
            ("*/c", "a.b/c/d", true),
            ("*/d", "a.b/c/d", false),
            ("x.y,,a.b", "a.b/c", true),
            ("a.?", "a.b", true),
            ("a?b", "a/b", false),
            ("[a-c].b", "b.b", true),
            ("[^a-c].b", "b.b", false),
            ("[^a-c].b", "d.b", true),
            ("[a-", "a", false),
            ("[]a]", "a", false),
            (r"a\.b", "a.b", true),
            ("none", "a.b/c", false),
            ("corp.example/*", "corp.example/x/y", true),
            ("corp.example/*", "corp.example", false),
        ] {
            assert_eq!(ModulePatterns::new(patterns).matches(path), expected, "{patterns} {path}");
        }
    }
}
