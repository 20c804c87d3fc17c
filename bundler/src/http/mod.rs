//! GET requests that end: with all of the body, with an error, within a time.

mod attempt;
mod error;
mod headers;
mod netrc;
mod redirect;
mod sink;

use std::time::Duration;

use reqwest::blocking;
use url::Url;

pub use self::error::{ClientError, HttpError};
pub use self::headers::Continuation;
pub use self::netrc::Netrc;
pub use self::sink::{Progress, Silent, Sink};
use crate::parallel::Stop;
use crate::proxy_list::go_setting;
use attempt::{Again, Attempt};
use goferry_terminal::Environment;

/// `goferry/VERSION`.
const USER_AGENT: &str = concat!("goferry/", env!("CARGO_PKG_VERSION"));

/// How long to wait, and how often to try.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// For the headers, and for each next byte. A proxy may first have to fetch the module itself.
    pub silence: Duration,
    /// For a whole request, besides the time that its length takes at `slowest`.
    pub request: Duration,
    /// Bytes a second that a long body must have on average.
    pub slowest: u64,
    /// Tries of one request without headway.
    pub tries: u32,
    /// Bytes of a body that can be continued that count as headway: after them the tries count anew.
    pub headway: u64,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
    /// The longest that a server's Retry-After is honoured.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            silence: Duration::from_mins(1),
            request: Duration::from_mins(3),
            slowest: 16 << 10,
            tries: 4,
            headway: 1 << 20,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(1),
        }
    }
}

/// What a running transfer tells, and what can stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Told of bytes.
    pub progress: &'a dyn Progress,
    /// Looked at between two reads.
    pub stop: &'a Stop,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("stop", self.stop).finish_non_exhaustive()
    }
}

/// An HTTP client: HTTP/2 where the server has it, TLS roots of the system, the system's HTTP proxy except for this
/// machine itself, no compression, credentials from `.netrc` over https.
#[derive(Clone, Debug)]
pub struct Client {
    outside: blocking::Client,
    loopback: blocking::Client,
    netrc: Netrc,
    patience: Patience,
}

impl Client {
    /// Reads `.netrc` unless GOAUTH is `off`. Of GOAUTH's other methods none is used.
    pub fn new(environment: &Environment, patience: Patience) -> Result<Self, ClientError> {
        // An error means that another one exists already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |proxied: bool| {
            let builder = blocking::Client::builder()
                .user_agent(USER_AGENT)
                .referer(false)
                .redirect(redirect::policy())
                .connect_timeout(patience.connect)
                .timeout(patience.silence); // of each wait, not of their sum
            let builder = if proxied { builder } else { builder.no_proxy() };
            builder.build().map_err(|source| ClientError::Setup { source })
        };
        let goauth = go_setting(environment, "GOAUTH").map_err(|source| ClientError::Settings { source })?;
        let netrc = match goauth.as_deref().map(str::trim) {
            Some("off") => Netrc::default(),
            _ => Netrc::read(environment),
        };
        Ok(Self { outside: build(true)?, loopback: build(false)?, netrc, patience })
    }

    /// Gets a small body of at most `cap` bytes.
    pub fn read(&self, url: &Url, cap: u64, watch: Watch<'_>) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        self.get(url, cap, &mut body, watch)?;
        Ok(body)
    }

    /// Gets a body of at most `cap` bytes, in as many tries as `Patience` has. What a broken try left in a sink that
    /// can be continued is not asked for again.
    pub fn get(&self, url: &Url, cap: u64, sink: &mut dyn Sink, watch: Watch<'_>) -> Result<(), HttpError> {
        let mut pause = self.patience.pause;
        let mut tries = 1;
        let mut held = sink.held();
        loop {
            let attempt = Attempt { client: self, url, cap, watch };
            let failure = match attempt.run(sink) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if sink.resume_point().is_some_and(|(now, _)| now >= held.saturating_add(self.patience.headway)) {
                (held, tries, pause) = (sink.held(), 1, self.patience.pause);
            }
            let wait = match failure.again {
                _ if tries >= self.patience.tries => return Err(failure.error),
                Again::Never => return Err(failure.error),
                Again::Later => pause,
                Again::After(asked) => asked.min(self.patience.longest_pause),
            };
            tracing::debug!(error = %failure.error, ?wait, tries, "try again");
            if watch.stop.wait(wait) {
                return Err(HttpError::Stopped { url: crate::proxy_list::redacted(url) });
            }
            tries += 1;
            pause = pause.saturating_mul(2).min(self.patience.longest_pause);
        }
    }
}
