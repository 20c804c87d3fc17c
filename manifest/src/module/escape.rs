//! `EscapePath`, `EscapeVersion`: upper-case letters as `!` and the lower-case letter, so that names survive
//! case-insensitive file systems.

/// Escapes text that is ASCII without `!`, as all module paths and versions are.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}
