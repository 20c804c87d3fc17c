//! The cover: the small signed statement at the front of a bundle.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::frame::{self, Parameters};
use crate::strict_json::{self, JsonError, document};
use crate::{Channel, Limits, Sequence, Sha256Digest, Timestamp};

/// What a signature is made over: names the bundle and, by digest, everything in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    #[serde(rename = "type")]
    kind: CoverType,
    /// The channel.
    pub name: Channel,
    /// The number within the channel.
    pub sequence: Sequence,
    /// When the lock was made: not when the bundle was written, so that one lock gives one bundle.
    pub created: Timestamp,
    /// After this moment the signer no longer vouches for the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "strict_json::present")]
    pub expires: Option<Timestamp>,
    /// Abilities that a reader must have; none are known to this one.
    requires: Vec<String>,
    /// What is inside.
    pub manifest: Table,
    /// How it is stored.
    pub packs: Table,
    /// What the rehearsal ran and what came of it.
    pub evidence: Table,
}

document!(Cover, CoverType = "goferry/bundle/v1");

/// One compressed JSON document of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Digest of the compressed bytes.
    pub sha256: Sha256Digest,
    /// Number of the compressed bytes.
    pub size: u64,
    /// Digest of the document.
    pub content_sha256: Sha256Digest,
    /// Bytes of the document.
    pub content_size: u64,
}

/// Why signed bytes are not a cover that this reader can follow.
#[derive(Debug, Error)]
pub enum CoverError {
    /// Not the document.
    #[error("goferry.json: {0}")]
    Json(JsonError),
    /// The bundle needs something that this version does not have.
    #[error("the bundle requires `{}`, which this version does not know", name.escape_debug())]
    Requires {
        /// The first of the things required.
        name: String,
    },
    /// A table above the limit.
    #[error("goferry.json: `{table}` has {size} bytes, above the limit of {limit}")]
    TableTooLarge {
        /// The field.
        table: &'static str,
        /// Its size, compressed or not.
        size: u64,
        /// The limit.
        limit: u64,
    },
}

impl Cover {
    /// A cover over tables that exist.
    pub fn new(name: Channel, sequence: Sequence, created: Timestamp, tables: [Table; 3]) -> Self {
        let [manifest, packs, evidence] = tables;
        let kind = CoverType::V1;
        Self { kind, name, sequence, created, expires: None, requires: Vec::new(), manifest, packs, evidence }
    }

    /// Reads the bytes whose signature was checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, CoverError> {
        let cover: Self = strict_json::parse(bytes).map_err(CoverError::Json)?;
        if let Some(name) = cover.requires.first() {
            return Err(CoverError::Requires { name: name.chars().take(80).collect() });
        }
        let limit = Limits::FORMAT_1.table_bytes;
        for (table, Table { size, content_size, .. }) in
            [("manifest", cover.manifest), ("packs", cover.packs), ("evidence", cover.evidence)]
        {
            let size = size.max(content_size);
            if size > limit {
                return Err(CoverError::TableTooLarge { table, size, limit });
            }
        }
        Ok(cover)
    }

    /// The bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        strict_json::to_readable_bytes(self)
    }
}

impl Table {
    /// Compresses a document: the table and its bytes.
    pub(super) fn of(content: &[u8]) -> std::io::Result<(Self, Vec<u8>)> {
        let compressed = frame::compress(content, Parameters::TABLES)?;
        let table = Self {
            sha256: Sha256Digest::of(&compressed),
            size: compressed.len() as u64,
            content_sha256: Sha256Digest::of(content),
            content_size: content.len() as u64,
        };
        Ok((table, compressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Cover {
        let (table, _) = Table::of(b"{}").unwrap();
        let created = "2026-11-24T08:15:00Z".parse().unwrap();
        Cover::new("web".parse().unwrap(), Sequence::FIRST, created, [table; 3])
    }

    #[test]
    fn a_cover_survives_the_round_trip() {
        let cover = sample();
        assert_eq!(Cover::parse(&cover.to_bytes()).unwrap(), cover);
    }

    #[test]
    fn what_is_required_is_named() {
        let mut cover = sample();
        cover.requires.push("base 04e0".to_owned());
        let error = Cover::parse(&cover.to_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the bundle requires `base 04e0`, which this version does not know");
    }

    #[test]
    fn tables_above_the_limit_are_refused_before_they_are_read() {
        let mut cover = sample();
        cover.packs.content_size = (256 << 20) + 1;
        assert!(matches!(
            Cover::parse(&cover.to_bytes()),
            Err(CoverError::TableTooLarge { table: "packs", .. })
        ));
    }

    #[test]
    fn an_unknown_minor_version_is_refused() {
        // bad-inputs #48
        let text = String::from_utf8(sample().to_bytes()).unwrap().replace("bundle/v1", "bundle/v1.1");
        let error = Cover::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "goferry.json: the document is a `goferry/bundle/v1.1`, not a `goferry/bundle/v1`"
        );
    }
}
