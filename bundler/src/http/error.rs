//! What can go wrong with one request.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use thiserror::Error;

use crate::proxy_list::DiscoverError;

/// Why a request gave no body. URLs in it hold no credentials and no query.
#[derive(Debug, Error)]
pub enum HttpError {
    /// 404 or 410.
    #[error("`{url}` is not there ({status}){}", said(detail.as_deref()))]
    NotFound {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
        /// What the server said about it.
        detail: Option<String>,
    },
    /// Any other answer than 200 or, where it was asked for, 206.
    #[error("`{url}` was refused with {status}{}", said(detail.as_deref()))]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
        /// What the server said about it.
        detail: Option<String>,
    },
    /// No connection, a broken one, bad TLS, a refused redirect.
    #[error("failed to get `{url}`")]
    Transport {
        /// What was asked for.
        url: String,
        /// What broke.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke while the body came.
    #[error("`{url}` broke off after {received} bytes{}", of(*expected))]
    BrokenOff {
        /// What was asked for.
        url: String,
        /// Bytes that had come.
        received: u64,
        /// Bytes that the server had announced.
        expected: Option<u64>,
        /// What broke.
        #[source]
        source: io::Error,
    },
    /// No byte came for a long time.
    #[error("`{url}` stalled: nothing came for {} s after {received} bytes{}", silence.as_secs_f32(), of(*expected))]
    Stalled {
        /// What was asked for.
        url: String,
        /// Bytes that had come.
        received: u64,
        /// Bytes that the server had announced.
        expected: Option<u64>,
        /// How long it was waited.
        silence: Duration,
    },
    /// The body came, but so slowly that it would not have ended in time.
    #[error("`{url}` took too long: {received} bytes{} in {} s", of(*expected), elapsed.as_secs_f32())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// Bytes that had come.
        received: u64,
        /// Bytes that the server had announced.
        expected: Option<u64>,
        /// How long it took.
        elapsed: Duration,
    },
    /// The body is not as long as the server said.
    #[error(
        "`{url}` has a wrong length\n  expected: {expected} bytes (announced)\n    actual: {actual} bytes"
    )]
    WrongLength {
        /// What was asked for.
        url: String,
        /// What the server announced.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// The body is longer than what is asked for can be.
    #[error("`{url}` is too large: more than {cap} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// Bytes that were allowed.
        cap: u64,
    },
    /// The body is compressed for transport although that was not asked for.
    #[error("`{url}` came with content-encoding `{}`, which was not asked for", encoding.escape_debug())]
    Encoded {
        /// What was asked for.
        url: String,
        /// The encoding.
        encoding: String,
    },
    /// The server's answer to a request for the rest of a body contradicts what it sent before.
    #[error("`{url}` cannot be continued: {reason}")]
    NotContinued {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Credentials would have gone over an unencrypted connection.
    #[error("credentials are not sent to `{url}` over unencrypted http")]
    InsecureCredentials {
        /// What was asked for.
        url: String,
    },
    /// What came could not be stored.
    #[error("failed to store `{url}`")]
    Store {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("stopped while getting `{url}`")]
    Stopped {
        /// What was asked for.
        url: String,
    },
}

/// The HTTP client could not be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No TLS, no roots, no thread.
    #[error("failed to set up the HTTP client")]
    Setup {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// GOAUTH cannot be looked up.
    #[error("failed to set up the HTTP client")]
    Settings {
        /// Why.
        #[source]
        source: DiscoverError,
    },
}

impl HttpError {
    /// Whether the answer was 404 or 410, which lets go ask the next proxy.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the request ended because the caller asked for it.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }
}

fn said(detail: Option<&str>) -> String {
    detail.map(|detail| format!(": {}", detail.escape_debug())).unwrap_or_default()
}

fn of(expected: Option<u64>) -> String {
    expected.map(|expected| format!(" of {expected}")).unwrap_or_default()
}
