//! Modules, each file proven by a hash that somebody vouches for.

use std::fmt;
use std::io;
use std::path::PathBuf;

use goferry_manifest::{DirHash, Module, ModuleVersion, Sha256Digest, Timestamp};
use serde::Deserialize;
use thiserror::Error;

use super::{FetchError, Fetched, Fetcher, ProofError, Request};
use crate::http::Watch;
use crate::module_zip::{self, MAX_SPECIAL_FILE_BYTES, MAX_ZIP_BYTES, ModuleZip, ModuleZipError};

/// Bytes of an `.info` at most; some carry where the version came from.
pub(crate) const INFO_BYTES: u64 = 64 << 10;

/// A hash, and who says that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The hash.
    pub h1: DirHash,
    /// Who says so.
    pub voucher: Voucher,
}

/// Who vouches for a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// A project's go.sum.
    GoSum(PathBuf),
    /// A record of the checksum database, proven to be in its log.
    ChecksumDatabase,
}

/// Why a module was not fetched.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Not what was vouched for.
    #[error("`{what}` is not what it should be\n  expected: {} ({})\n    actual: {actual}", expected.h1, expected.voucher)]
    Hash {
        /// Module and file.
        what: String,
        /// The hash that it should have.
        expected: Expected,
        /// The hash of what came.
        actual: DirHash,
    },
    /// Neither a go.sum nor the checksum database knows it.
    #[error(
        "nobody vouches for `{module}`: no go.sum names its hash, and no checksum database is asked for it"
    )]
    Unvouched {
        /// The module.
        module: Module,
    },
    /// Not a module zip.
    #[error(transparent)]
    Zip(#[from] ModuleZipError),
    /// Not an `.info`.
    #[error("the `.info` of `{module}` cannot be used: {reason}")]
    Info {
        /// The module.
        module: Module,
        /// What is wrong.
        reason: String,
    },
    /// What came cannot be read back.
    #[error("failed to read what came for `{module}`")]
    Io {
        /// The module.
        module: Module,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A zip of the cache that was proven.
#[derive(Clone, Debug)]
pub struct ProvenZip {
    /// Where it lies.
    pub path: PathBuf,
    /// What is in it.
    pub zip: ModuleZip,
}

impl ModuleError {
    /// Whether all proxies say that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_not_found())
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fetch(error) => error.hint(),
            Self::Hash { .. } => Some(
                "somebody changed a published version, or what came: compare with another proxy before you trust either",
            ),
            Self::Unvouched { .. } => Some("run `go mod tidy` in the project: it writes the hash to go.sum"),
            _ => None,
        }
    }
}

impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoSum(path) => write!(f, "`{}`", path.display()),
            Self::ChecksumDatabase => f.write_str("checksum database"),
        }
    }
}

/// The go.mod of a module.
pub fn fetch_go_mod(
    fetcher: &Fetcher,
    module: &Module,
    expected: &Expected,
    watch: Watch<'_>,
) -> Result<Vec<u8>, ModuleError> {
    prove(fetcher, &Request::go_mod(module), MAX_SPECIAL_FILE_BYTES, watch, |fetched| {
        let bytes = bytes_of(fetched, module)?;
        let actual = DirHash::of_go_mod(Sha256Digest::of(&bytes));
        compare(|| format!("{module}/go.mod"), expected, actual)?;
        Ok(bytes)
    })
    .map(|(_, bytes)| bytes)
}

/// The go.mod of a private module that no go.sum names, as the proxies have it today: it is not kept.
pub fn fetch_unvouched_go_mod(
    fetcher: &Fetcher,
    module: &Module,
    watch: Watch<'_>,
) -> Result<Vec<u8>, ModuleError> {
    Ok(fetcher.read(&Request::go_mod(module), MAX_SPECIAL_FILE_BYTES, watch)?)
}

/// The time of a version, in UTC and whole seconds: the one thing of an `.info` that is carried.
pub fn fetch_time(
    fetcher: &Fetcher,
    module: &Module,
    watch: Watch<'_>,
) -> Result<Option<Timestamp>, ModuleError> {
    let (_, time) = prove(fetcher, &Request::info(module), INFO_BYTES, watch, |fetched| {
        let bytes = bytes_of(fetched, module)?;
        parse_info(&bytes, module).map_err(|reason| ModuleError::Info { module: module.clone(), reason })
    })?;
    Ok(time)
}

/// The files of a module.
pub fn fetch_zip(
    fetcher: &Fetcher,
    module: &Module,
    expected: &Expected,
    watch: Watch<'_>,
) -> Result<ProvenZip, ModuleError> {
    let (blob, zip) = prove(fetcher, &Request::zip(module), MAX_ZIP_BYTES, watch, |fetched| {
        let reader = fetched.reader().map_err(|source| ModuleError::Io { module: module.clone(), source })?;
        let zip = module_zip::read(module, io::BufReader::new(reader))?;
        compare(|| module.to_string(), expected, zip.h1)?;
        Ok(zip)
    })?;
    Ok(ProvenZip { path: fetcher.cache().path_of(&blob), zip })
}

fn prove<T>(
    fetcher: &Fetcher,
    request: &Request,
    cap: u64,
    watch: Watch<'_>,
    check: impl FnMut(&Fetched) -> Result<T, ModuleError>,
) -> Result<(crate::cache::Blob, T), ModuleError> {
    fetcher.fetch_proven(request, cap, watch, check).map_err(|error| match error {
        ProofError::Fetch(error) => error.into(),
        ProofError::Proof(error) => error,
    })
}

fn compare(what: impl FnOnce() -> String, expected: &Expected, actual: DirHash) -> Result<(), ModuleError> {
    if actual == expected.h1 {
        return Ok(());
    }
    Err(ModuleError::Hash { what: what(), expected: expected.clone(), actual })
}

fn bytes_of(fetched: &Fetched, module: &Module) -> Result<Vec<u8>, ModuleError> {
    fetched.bytes().map_err(|source| ModuleError::Io { module: module.clone(), source })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    version: ModuleVersion,
    time: Option<String>,
}

/// Reads `modfetch.RevInfo`. Nobody vouches for it, so nothing but the time is taken from it.
fn parse_info(bytes: &[u8], module: &Module) -> Result<Option<Timestamp>, String> {
    let info: Info = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if info.version != *module.version() {
        return Err(format!("it is about version `{}`", info.version));
    }
    let Some(time) = info.time else { return Ok(None) };
    let time: jiff::Timestamp = time.parse().map_err(|_| format!("`{}` is no time", time.escape_debug()))?;
    match Timestamp::from_unix(time.as_second()) {
        Some(time) => Ok(Some(time)),
        None => Err(format!("time `{time}` is out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(info: &str) -> Result<Option<String>, String> {
        let module = Module::new("a.b/c".parse().unwrap(), "v1.0.0".parse().unwrap()).unwrap();
        parse_info(info.as_bytes(), &module).map(|time| time.map(|time| time.to_string()))
    }

    #[test]
    fn the_time_of_an_info_is_normalised() {
        for (info, expected) in [
            (r#"{"Version":"v1.0.0","Time":"2026-01-02T03:04:05Z"}"#, "2026-01-02T03:04:05Z"),
            (r#"{"Version":"v1.0.0","Time":"2026-01-02T03:04:05.999Z"}"#, "2026-01-02T03:04:05Z"),
            (r#"{"Version":"v1.0.0","Time":"2026-01-02T03:04:05+02:00"}"#, "2026-01-02T01:04:05Z"),
            (
                r#"{"Time":"2026-01-02T03:04:05Z","Version":"v1.0.0","Origin":{"VCS":"git","Hash":"00"}}"#,
                "2026-01-02T03:04:05Z",
            ),
        ] {
            assert_eq!(time(info), Ok(Some(expected.to_owned())), "{info}");
        }
        assert_eq!(time(r#"{"Version":"v1.0.0"}"#), Ok(None));
    }

    #[test]
    fn an_info_of_another_version_is_refused() {
        // bad-inputs #44
        assert_eq!(
            time(r#"{"Version":"v1.0.1","Time":"2026-01-02T03:04:05Z"}"#),
            Err("it is about version `v1.0.1`".to_owned())
        );
        for info in ["", "{}", "[]", "v1.0.0", r#"{"Version":"v1","Time":"2026-01-02T03:04:05Z"}"#] {
            assert!(time(info).is_err(), "{info}");
        }
        for bad in ["yesterday", "12026-01-02T03:04:05Z"] {
            assert!(time(&format!(r#"{{"Version":"v1.0.0","Time":"{bad}"}}"#)).is_err(), "{bad}");
        }
    }
}
