//! One try of one request.

use std::error::Error;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, IF_RANGE, RANGE};
use url::Url;

use super::headers::{content_length, retry_after, text};
use super::{Client, Continuation, HttpError, Sink, Watch, redirect};
use crate::proxy_list::redacted;

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes of an error's text that are read, and characters of it that are shown.
const DETAIL_BYTES: u64 = 1 << 10;
const DETAIL_CHARS: usize = 200;

pub(super) struct Attempt<'a> {
    pub(super) client: &'a Client,
    pub(super) url: &'a Url,
    pub(super) cap: u64,
    pub(super) watch: Watch<'a>,
}

/// A failed try.
pub(super) struct Failure {
    pub(super) error: HttpError,
    pub(super) again: Again,
}

/// Whether another try makes sense.
#[derive(Clone, Copy)]
pub(super) enum Again {
    /// It would end the same way.
    Never,
    /// After a pause of our choice.
    Later,
    /// After the pause that the server asks for.
    After(Duration),
}

impl Failure {
    fn lasting(error: HttpError) -> Self {
        Self { error, again: Again::Never }
    }

    fn passing(error: HttpError) -> Self {
        Self { error, again: Again::Later }
    }
}

impl Attempt<'_> {
    pub(super) fn run(&self, sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.watch.stop.is_stopped() {
            return Err(Failure::lasting(HttpError::Stopped { url: self.name() }));
        }
        let started = Instant::now();
        let resumed = sink.resume_point().filter(|(bytes, _)| *bytes > 0);
        let resumed = resumed.map(|(bytes, continuation)| (bytes, continuation.clone()));
        let request = self.request(resumed.as_ref()).map_err(Failure::lasting)?;
        let mut response = request.send().map_err(|error| self.not_sent(error))?;
        tracing::debug!(url = self.name(), status = %response.status(), version = ?response.version(), "answer");
        let received = self.begin(&mut response, resumed, sink)?;
        self.body(response, received, started, sink)
    }

    fn request(&self, resumed: Option<&(u64, Continuation)>) -> Result<RequestBuilder, HttpError> {
        let has_credentials = !self.url.username().is_empty() || self.url.password().is_some();
        if has_credentials && self.url.scheme() != "https" {
            return Err(HttpError::InsecureCredentials { url: self.name() });
        }
        let client =
            if redirect::is_loopback(self.url) { &self.client.loopback } else { &self.client.outside };
        let mut request = client.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        // What the URL has goes first, and reqwest sends it: a second header would be one too many.
        if !has_credentials && let Some((name, password)) = self.client.netrc.login(self.url) {
            request = request.basic_auth(name, Some(password));
        }
        if let Some((bytes, continuation)) = resumed {
            request = request.header(RANGE, format!("bytes={bytes}-"));
            if let Some(validator) = &continuation.validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        Ok(request)
    }

    /// Looks at status and headers; says how many bytes of the body are there already and how many there will be.
    fn begin(
        &self,
        response: &mut Response,
        resumed: Option<(u64, Continuation)>,
        sink: &mut dyn Sink,
    ) -> Result<Received, Failure> {
        let headers = response.headers();
        let encoding = text(headers, &CONTENT_ENCODING).unwrap_or("identity").to_owned();
        let received = match (response.status(), resumed) {
            (StatusCode::OK, _) => {
                self.watch.progress.dropped(sink.held());
                sink.restart(Continuation::of_response(headers)).map_err(|error| self.not_stored(error))?;
                Received { bytes: 0, expected: content_length(headers) }
            }
            (StatusCode::PARTIAL_CONTENT, Some((bytes, continuation))) => {
                if let Err(reason) = continuation.check_partial(headers, bytes) {
                    return Err(self.begin_anew(reason, sink));
                }
                sink.continued();
                Received { bytes, expected: Some(continuation.length) }
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
                return Err(self.begin_anew("the server does not have its rest", sink));
            }
            _ => return Err(self.refused(response)),
        };
        if !encoding.eq_ignore_ascii_case("identity") {
            let encoding = encoding.chars().take(DETAIL_CHARS).collect();
            return Err(Failure::lasting(HttpError::Encoded { url: self.name(), encoding }));
        }
        if received.expected.is_some_and(|expected| expected > self.cap) {
            return Err(Failure::lasting(HttpError::TooLarge { url: self.name(), cap: self.cap }));
        }
        Ok(received)
    }

    fn body(
        &self,
        mut response: Response,
        mut received: Received,
        started: Instant,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let patience = &self.client.patience;
        let size = received.expected.unwrap_or(self.cap);
        let deadline = patience.request.saturating_add(Duration::from_secs(size / patience.slowest.max(1)));
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            if self.watch.stop.is_stopped() {
                return Err(Failure::lasting(HttpError::Stopped { url: self.name() }));
            }
            let read = match response.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::passing(self.broken_off(received, error))),
            };
            if read == 0 {
                return self.whole(received);
            }
            let bytes = received.bytes.saturating_add(read as u64);
            if bytes > received.expected.unwrap_or(self.cap).min(self.cap) {
                return Err(Failure::lasting(HttpError::TooLarge { url: self.name(), cap: self.cap }));
            }
            sink.write(&buffer[..read]).map_err(|error| self.not_stored(error))?;
            self.watch.progress.received(read as u64);
            received.bytes = bytes;
            let elapsed = started.elapsed();
            if elapsed > deadline {
                let Received { bytes: received, expected } = received;
                return Err(Failure::passing(HttpError::TooSlow {
                    url: self.name(),
                    received,
                    expected,
                    elapsed,
                }));
            }
        }
    }

    fn whole(&self, received: Received) -> Result<(), Failure> {
        match received.expected {
            Some(expected) if expected != received.bytes => Err(Failure::passing(HttpError::WrongLength {
                url: self.name(),
                expected,
                actual: received.bytes,
            })),
            _ => Ok(()),
        }
    }

    /// The rest cannot be had: forget what is there, and try again.
    fn begin_anew(&self, reason: &'static str, sink: &mut dyn Sink) -> Failure {
        self.watch.progress.dropped(sink.held());
        match sink.restart(None) {
            Ok(()) => Failure {
                error: HttpError::NotContinued { url: self.name(), reason },
                again: Again::After(Duration::ZERO),
            },
            Err(error) => self.not_stored(error),
        }
    }

    fn refused(&self, response: &mut Response) -> Failure {
        let (url, status) = (self.name(), response.status());
        let wait = retry_after(response.headers(), Timestamp::now()).map_or(Again::Later, Again::After);
        let detail = detail(response);
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Failure::lasting(HttpError::NotFound { url, status, detail })
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Failure { error: HttpError::Status { url, status, detail }, again: wait }
            }
            _ if status.is_server_error() => {
                Failure { error: HttpError::Status { url, status, detail }, again: wait }
            }
            _ => Failure::lasting(HttpError::Status { url, status, detail }),
        }
    }

    fn not_sent(&self, error: reqwest::Error) -> Failure {
        let lasting = error.is_builder() || error.is_redirect() || has_tls_cause(&error);
        if error.is_timeout() && !error.is_connect() {
            return Failure::passing(HttpError::Stalled {
                url: self.name(),
                received: 0,
                expected: None,
                silence: self.client.patience.silence,
            });
        }
        let error = HttpError::Transport { url: self.name(), source: error.without_url() };
        if lasting { Failure::lasting(error) } else { Failure::passing(error) }
    }

    fn broken_off(&self, received: Received, source: io::Error) -> HttpError {
        let (url, Received { bytes: received, expected }) = (self.name(), received);
        let cause = source.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
        if cause.is_some_and(reqwest::Error::is_timeout) {
            let silence = self.client.patience.silence;
            return HttpError::Stalled { url, received, expected, silence };
        }
        HttpError::BrokenOff { url, received, expected, source }
    }

    fn not_stored(&self, source: io::Error) -> Failure {
        Failure::lasting(HttpError::Store { url: self.name(), source })
    }

    fn name(&self) -> String {
        redacted(self.url)
    }
}

#[derive(Clone, Copy)]
struct Received {
    bytes: u64,
    expected: Option<u64>,
}

/// Whether TLS itself failed, such as for an unknown certificate: another try would end the same way.
fn has_tls_cause(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The first line of a plain text that explains an error, as go shows it.
fn detail(response: &mut Response) -> Option<String> {
    let plain = text(response.headers(), &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/plain"));
    if !plain {
        return None;
    }
    let mut bytes = Vec::new();
    response.take(DETAIL_BYTES).read_to_end(&mut bytes).ok()?; // the status alone says enough
    let text = String::from_utf8_lossy(&bytes);
    let line: String = text.trim().lines().next()?.chars().take(DETAIL_CHARS).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use goferry_terminal::Environment;
    use reqwest::header::AUTHORIZATION;

    use super::*;
    use crate::http::{Patience, Silent};
    use crate::parallel::Stop;

    #[test]
    fn a_request_bears_one_login_and_that_of_the_url_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let netrc = directory.path().join("netrc");
        std::fs::write(&netrc, "machine a.example login netrc password secret\n").unwrap();
        let environment = Environment::new([("NETRC", netrc.to_str().unwrap()), ("GOAUTH", "netrc")], "/");
        let client = Client::new(&environment, Patience::default()).unwrap();
        let stop = Stop::new();
        for (url, expected) in [
            ("https://a.example/x", "Basic bmV0cmM6c2VjcmV0"), // netrc:secret
            ("https://url:hush@a.example/x", "Basic dXJsOmh1c2g="), // url:hush
        ] {
            let url = Url::parse(url).unwrap();
            let watch = Watch { progress: &Silent, stop: &stop };
            let attempt = Attempt { client: &client, url: &url, cap: 1, watch };
            let request = attempt.request(None).unwrap().build().unwrap();
            let logins: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
            assert_eq!(logins, [expected], "{url}");
        }
    }
}
