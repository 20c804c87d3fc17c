//! Why nothing was fetched.

use std::io;
use std::path::PathBuf;

use goferry_manifest::ModulePath;
use thiserror::Error;

use crate::cache::CacheError;
use crate::http::HttpError;

/// Why nothing was fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// GONOPROXY or GOPRIVATE keeps the module from all proxies.
    #[error("module `{module}` may not come from a proxy: it matches GONOPROXY or GOPRIVATE (`{patterns}`)")]
    NoProxyAllowed {
        /// The module.
        module: ModulePath,
        /// The user's patterns.
        patterns: String,
    },
    /// Every proxy was asked that the list allows, and none has it.
    #[error("no proxy serves `{request}`{}", lines(answers))]
    NotServed {
        /// What was asked for.
        request: String,
        /// What each proxy said.
        answers: Vec<String>,
        /// Whether `go` would now ask the module's version control system.
        direct: bool,
    },
    /// A web proxy failed.
    #[error(transparent)]
    Http(HttpError),
    /// A file of a `file://` proxy cannot be read.
    #[error("failed to read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of a `file://` proxy is longer than what is asked for can be.
    #[error("`{}` is too large: more than {cap} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes that were allowed.
        cap: u64,
    },
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Why [`Fetcher::fetch_proven`](super::Fetcher::fetch_proven) has nothing.
#[derive(Debug, Error)]
pub enum ProofError<E: std::error::Error + 'static> {
    /// Nothing came.
    #[error(transparent)]
    Fetch(FetchError),
    /// What came is not what it should be.
    #[error(transparent)]
    Proof(E),
}

impl FetchError {
    /// Whether all proxies say that there is no such thing, as opposed to failing.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotServed { .. } => true,
            Self::Http(error) => error.is_not_found(),
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::NoProxyAllowed { .. } | Self::TooLarge { .. } | Self::Cache(_) => false,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoProxyAllowed { .. } => Some(
                "goferry does not fetch from version control: serve the module by a proxy of the list, and set \
                 GONOPROXY=none",
            ),
            Self::NotServed { direct: true, .. } => Some(
                "goferry does not fetch from version control (`direct`): serve it by a proxy of the list",
            ),
            _ => None,
        }
    }
}

/// Each on a line of its own below a message.
pub(crate) fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| ["\n  ", line]).collect()
}
