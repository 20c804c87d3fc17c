//! The evidence: what the rehearsal ran on the connected side, and what came of it.

use serde::{Deserialize, Serialize};

use crate::strict_json::{self, JsonError, document};

/// What was run to show that the projects build; empty for a bundle that was not rehearsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    #[serde(rename = "type")]
    kind: EvidenceType,
    runs: Vec<Run>,
}

document!(Evidence, EvidenceType = "goferry/evidence/v1");

/// One command of a rehearsal. This version rehearses nothing, so that there is no such thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {}

impl Evidence {
    /// Reads the document whose digest was checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        strict_json::parse(bytes)
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        strict_json::to_bytes(self)
    }

    /// What was run.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}
