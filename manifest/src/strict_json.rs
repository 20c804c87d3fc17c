//! JSON documents, read without any leniency.
//!
//! Refused: duplicate and unknown keys, trailing bytes, a byte-order mark, invalid UTF-8 and lone surrogates, numbers
//! that are not plain integers in range, `null`, objects written as arrays of their values, nesting deeper than
//! [`Limits::json_depth`]. Each document names its own `type`, so that one can never be taken for another.

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use thiserror::Error;

use crate::limits::Limits;

/// A kind of document, named by its `type`.
pub(crate) trait Document: Serialize + DeserializeOwned {
    /// What the document's `type` must say.
    const TYPE: &'static str;
}

/// Why bytes are not the document that was expected.
#[derive(Debug, Error)]
pub enum JsonError {
    /// Another document, or another version of it.
    #[error("the document is a `{}`, not a `{expected}`", actual.escape_debug())]
    OtherType {
        /// The type that was asked for.
        expected: &'static str,
        /// The type that the document names.
        actual: String,
    },
    /// Deeper than the limit.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// An array of values of different kinds, or of arrays: no document has one.
    #[error("byte {offset}: an array holds arrays, or values of different kinds")]
    MixedArray {
        /// Where the value begins.
        offset: usize,
    },
    /// Not JSON, or not of the document's shape.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

#[derive(serde::Deserialize)]
struct OnlyType {
    #[serde(rename = "type")]
    name: String,
}

/// Reads a document that is all of `bytes`.
pub(crate) fn parse<T: Document>(bytes: &[u8]) -> Result<T, JsonError> {
    check_shape(bytes)?;
    let OnlyType { name } = serde_json::from_slice(bytes)?;
    if name != T::TYPE {
        return Err(JsonError::OtherType { expected: T::TYPE, actual: name.chars().take(80).collect() });
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// The bytes of a document: compact, with fields in their declared order, ending in a newline.
pub(crate) fn to_bytes<T: Document>(document: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(document).expect("documents have only string keys and finite numbers");
    bytes.push(b'\n');
    bytes
}

/// The same, indented for people.
pub(crate) fn to_readable_bytes<T: Document>(document: &T) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(document).expect("documents have only string keys and finite numbers");
    bytes.push(b'\n');
    bytes
}

/// Reads a field that may be absent but, where it is there, is not `null`. For `#[serde(default, deserialize_with)]`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Checks depth and arrays of a text that need not be JSON.
///
/// serde takes `[1, "x"]` for an object with the values 1 and "x". The fields of each object of the format are of
/// different kinds, so that no such array passes where one kind is asked of all values of an array.
fn check_shape(bytes: &[u8]) -> Result<(), JsonError> {
    let limit = Limits::FORMAT_1.json_depth;
    // What is open, outermost first: an object (`None`), or an array and how its values begin (0: none came yet).
    let mut open: Vec<Option<u8>> = Vec::with_capacity(limit);
    let (mut in_string, mut escaped, mut in_array_before_value) = (false, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        if std::mem::take(&mut in_array_before_value) && *byte != b']' {
            let kind = if byte.is_ascii_digit() || *byte == b'-' { b'0' } else { *byte };
            let kinds = open.last_mut().and_then(Option::as_mut).filter(|kinds| **kinds != kind);
            if kind == b'[' || kinds.is_some_and(|kinds| std::mem::replace(kinds, kind) != 0) {
                return Err(JsonError::MixedArray { offset });
            }
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' if open.len() == limit => return Err(JsonError::TooDeep { limit }),
            b'{' => open.push(None),
            b'[' => {
                open.push(Some(0));
                in_array_before_value = true;
            }
            b']' | b'}' => drop(open.pop()),
            b',' => in_array_before_value = matches!(open.last(), Some(Some(_))),
            _ => {}
        }
    }
    Ok(())
}

/// Implements [`Document`] for a type, and makes the type of its `type` field, which has just one value.
macro_rules! document {
    ($document:ty, $type_name:ident = $name:literal) => {
        #[doc = concat!("The `type` `", $name, "`.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(crate) enum $type_name {
            #[default]
            #[serde(rename = $name)]
            V1,
        }

        impl $crate::strict_json::Document for $document {
            const TYPE: &'static str = $name;
        }
    };
}
pub(crate) use document;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "type")]
        kind: SampleType,
        number: u64,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        parts: Option<Vec<Part>>,
    }

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        size: u64,
        name: String,
    }
    document!(Sample, SampleType = "goferry/sample/v1");

    const GOOD: &str = r#"{"type":"goferry/sample/v1","number":7,"text":"x"}"#;

    #[test]
    fn a_document_survives_the_round_trip() {
        let sample: Sample = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(to_bytes(&sample), format!("{GOOD}\n").into_bytes());
        assert_eq!(parse::<Sample>(&to_readable_bytes(&sample)).unwrap(), sample);
    }

    #[test]
    fn everything_lenient_is_refused() {
        // bad-inputs #24 to #29, #48
        let replaced = |from: &str, to: &str| GOOD.replace(from, to).into_bytes();
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("duplicate key", replaced("\"number\":7", "\"number\":7,\"number\":7")),
            ("duplicate type", replaced("\"number\":7", "\"number\":7,\"type\":\"goferry/sample/v1\"")),
            ("unknown field", replaced("\"number\":7", "\"number\":7,\"extra\":1")),
            ("missing field", replaced(",\"number\":7", "")),
            ("trailing bytes", [GOOD.as_bytes(), b" {}"].concat()),
            ("trailing NUL", [GOOD.as_bytes(), b"\0"].concat()),
            ("byte-order mark", ["\u{feff}".as_bytes(), GOOD.as_bytes()].concat()),
            ("float", replaced("7", "7.0")),
            ("exponent", replaced("7", "1e400")),
            ("minus zero", replaced("7", "-0")),
            ("negative", replaced("7", "-7")),
            ("above 2^64", replaced("7", "18446744073709551616")),
            ("leading zero", replaced("7", "07")),
            ("number as text", replaced("7", "\"7\"")),
            ("null", replaced("7", "null")),
            (
                "invalid UTF-8",
                replaced("x", "Q").iter().map(|b| if *b == b'Q' { 0xff } else { *b }).collect(),
            ),
            ("lone surrogate", replaced("\"x\"", "\"\\ud800\"")),
            ("raw control character", replaced("x", "\u{1}")),
            ("depth bomb", replaced("7", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))),
            ("version 2", replaced("v1", "v2")),
            ("another type", replaced("sample", "bundle")),
            ("empty", Vec::new()),
            ("cut", GOOD.as_bytes()[..GOOD.len() - 1].to_vec()),
        ];
        for (name, bytes) in cases {
            assert!(parse::<Sample>(&bytes).is_err(), "{name}");
        }
    }

    #[test]
    fn an_object_has_one_form() {
        let with_parts = |parts: &str| GOOD.replace('}', &format!(",\"parts\":{parts}}}"));
        for good in ["[]", "[ ]", r#"[{"size":1,"name":"[1,\"a\\"}, {"size":2,"name":"b"}]"#] {
            let json = with_parts(good);
            assert!(parse::<Sample>(json.as_bytes()).is_ok(), "{json}");
        }
        // serde would take each of these.
        for bad in [r#"[[1,"a"]]"#, r#"[{"size":1,"name":"a"},[2,"b"]]"#, "null"] {
            let json = with_parts(bad);
            assert!(parse::<Sample>(json.as_bytes()).is_err(), "{json}");
        }
        assert!(parse::<Sample>(br#"["goferry/sample/v1",7,"x",[]]"#).is_err());
        assert!(matches!(check_shape(br#"{"a": [ "x" , 1]}"#), Err(JsonError::MixedArray { offset: 14 })));
    }

    #[test]
    fn another_type_is_named() {
        let error = parse::<Sample>(GOOD.replace("sample", "trust").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the document is a `goferry/trust/v1`, not a `goferry/sample/v1`");
    }
}
