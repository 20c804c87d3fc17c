//! The answer to a request from the first proxy that has it, through the cache.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use goferry_manifest::{ModulePath, Sha256Digest};
use thiserror::Error;
use url::Url;

use super::{DatabaseName, DatabaseSource, Request};
use crate::cache::{Blob, Cache, CacheError, Partial};
use crate::http::{Client, HttpError, Sink, Watch};
use crate::proxy_list::{ProxyUrl, Settings, Source};

/// Gets what the user's proxies serve.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    cache: Cache,
    settings: Settings,
}

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

/// Why [`Fetcher::fetch_proven`] has nothing.
#[derive(Debug, Error)]
pub enum ProofError<E: std::error::Error + 'static> {
    /// Nothing came.
    #[error(transparent)]
    Fetch(FetchError),
    /// What came is not what it should be.
    #[error(transparent)]
    Proof(E),
}

/// An answer that nobody has proven yet.
#[derive(Debug)]
pub struct Fetched(Content);

#[derive(Debug)]
enum Content {
    Cached { blob: Blob, file: File },
    Memory(Vec<u8>),
    Downloaded(Partial),
}

/// What a zip is read from.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

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

impl Fetched {
    /// Its bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Content::Cached { blob, .. } => blob.size(),
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Downloaded(partial) => partial.size(),
        }
    }

    /// Its SHA-256.
    pub fn digest(&self) -> Sha256Digest {
        match &self.0 {
            Content::Cached { blob, .. } => blob.digest(),
            Content::Memory(bytes) => Sha256Digest::of(bytes),
            Content::Downloaded(partial) => partial.digest(),
        }
    }

    /// Its content from the start. Two readers of one value share their position: use one after the other.
    pub fn reader(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(match &self.0 {
            Content::Cached { file, .. } => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Box::new(file)
            }
            Content::Memory(bytes) => Box::new(Cursor::new(bytes)),
            Content::Downloaded(partial) => Box::new(partial.reader()?),
        })
    }

    /// Its content in memory; [`Fetched::size`] is at most what the request allowed.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether nothing was asked of any proxy.
    pub fn is_cached(&self) -> bool {
        matches!(self.0, Content::Cached { .. })
    }

    fn is_joined(&self) -> bool {
        matches!(&self.0, Content::Downloaded(partial) if partial.is_joined())
    }
}

impl Fetcher {
    /// Joins what a fetch needs.
    pub fn new(client: Client, cache: Cache, settings: Settings) -> Self {
        Self { client, cache, settings }
    }

    /// The cache that answers are kept in.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The user's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The checksum database of this name, reached as `go` reaches it.
    pub fn database_source(&self, name: DatabaseName) -> DatabaseSource<'_> {
        DatabaseSource::new(self, name)
    }

    /// Asks the proxies, past the cache; for answers that may be another tomorrow.
    pub fn read(&self, request: &Request, cap: u64, watch: Watch<'_>) -> Result<Vec<u8>, FetchError> {
        self.ask(request, |proxy| self.read_from(proxy, request.name(), cap, watch))
    }

    /// The answer to a request whose answer never changes, once `prove` accepted it: from the cache, else from the
    /// proxies. What is not accepted is not kept.
    ///
    /// `prove` sees a second download if the first one was joined from the answers to several requests and refused:
    /// then the seam may be to blame.
    pub fn fetch_proven<T, E: std::error::Error>(
        &self,
        request: &Request,
        cap: u64,
        watch: Watch<'_>,
        mut prove: impl FnMut(&Fetched) -> Result<T, E>,
    ) -> Result<(Blob, T), ProofError<E>> {
        if let Some(cached) = self.cached(request, cap).map_err(ProofError::Fetch)? {
            match prove(&cached) {
                Ok(proof) => return self.keep(request, cached, proof),
                Err(_) => {
                    self.cache.forget(request.name()).map_err(|error| ProofError::Fetch(error.into()))?
                }
            }
        }
        let mut fetched = self.download(request, cap, watch).map_err(ProofError::Fetch)?;
        let mut proof = prove(&fetched);
        if proof.is_err() && fetched.is_joined() {
            watch.progress.dropped(fetched.size());
            discard(fetched, &self.cache).map_err(ProofError::Fetch)?;
            fetched = self.download(request, cap, watch).map_err(ProofError::Fetch)?;
            proof = prove(&fetched);
        }
        match proof {
            Ok(proof) => self.keep(request, fetched, proof),
            Err(error) => {
                discard(fetched, &self.cache).map_err(ProofError::Fetch)?;
                Err(ProofError::Proof(error))
            }
        }
    }

    fn keep<T, E: std::error::Error>(
        &self,
        request: &Request,
        fetched: Fetched,
        proof: T,
    ) -> Result<(Blob, T), ProofError<E>> {
        let kept = match fetched.0 {
            Content::Cached { blob, .. } => Ok(blob),
            Content::Memory(bytes) => self.cache.insert_bytes(request.name(), &bytes),
            Content::Downloaded(partial) => self.cache.insert_partial(request.name(), partial),
        };
        kept.map(|blob| (blob, proof)).map_err(|error| ProofError::Fetch(error.into()))
    }

    /// An undamaged answer of the cache.
    fn cached(&self, request: &Request, cap: u64) -> Result<Option<Fetched>, FetchError> {
        if !request.is_immutable() {
            return Ok(None);
        }
        let Some(blob) = self.cache.get(request.name())?.filter(|blob| blob.size() <= cap) else {
            return Ok(None);
        };
        match self.cache.open_blob(&blob) {
            Ok(file) => Ok(Some(Fetched(Content::Cached { blob, file }))),
            Err(CacheError::Damaged { .. }) => {
                self.cache.forget(request.name())?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn download(&self, request: &Request, cap: u64, watch: Watch<'_>) -> Result<Fetched, FetchError> {
        let content = if request.is_large() {
            Content::Downloaded(self.ask(request, |proxy| self.save_from(proxy, request.name(), cap, watch))?)
        } else {
            Content::Memory(self.read(request, cap, watch)?)
        };
        Ok(Fetched(content))
    }

    fn ask<T>(
        &self,
        request: &Request,
        mut from: impl FnMut(&ProxyUrl) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        if self.settings.no_proxy.matches(request.module().as_str()) {
            let patterns = self.settings.no_proxy.as_str().to_owned();
            return Err(FetchError::NoProxyAllowed { module: request.module().clone(), patterns });
        }
        let not_served =
            |answers, direct| FetchError::NotServed { request: request.name().to_owned(), answers, direct };
        let mut answers = Vec::new();
        let mut direct = false;
        let answer = self.settings.proxies.ask(
            |source| match source {
                Source::Proxy(url) => from(url).inspect_err(|error| answers.push(error.to_string())),
                Source::Direct => {
                    direct = true;
                    Err(not_served(Vec::new(), true))
                }
                Source::Off => {
                    answers.push("all else is turned off (`off`)".to_owned());
                    Err(not_served(Vec::new(), false))
                }
            },
            FetchError::is_not_found,
        );
        answer.map_err(|error| if error.is_not_found() { not_served(answers, direct) } else { error })
    }

    /// A small answer of one proxy.
    pub(super) fn read_from(
        &self,
        proxy: &ProxyUrl,
        name: &str,
        cap: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, FetchError> {
        match proxy {
            ProxyUrl::Web(base) => self.client.read(&below(base, name), cap, watch).map_err(FetchError::Http),
            ProxyUrl::Directory { path, .. } => {
                let mut bytes = Vec::new();
                copy_file(&path.join(name), cap, &mut bytes, watch)?;
                Ok(bytes)
            }
        }
    }

    fn save_from(
        &self,
        proxy: &ProxyUrl,
        name: &str,
        cap: u64,
        watch: Watch<'_>,
    ) -> Result<Partial, FetchError> {
        match proxy {
            ProxyUrl::Web(base) => {
                let url = below(base, name);
                let mut partial = self.cache.partial(url.as_str())?;
                watch.progress.received(partial.size());
                self.client.get(&url, cap, &mut partial, watch).map_err(FetchError::Http)?;
                Ok(partial)
            }
            ProxyUrl::Directory { path, .. } => {
                let path = path.join(name);
                let source = open_regular(&path)?;
                let mut partial = self.cache.partial(&format!("file:{}", path.display()))?;
                copy_open_file(source, &path, cap, &mut partial, watch)?;
                Ok(partial)
            }
        }
    }
}

fn discard(fetched: Fetched, cache: &Cache) -> Result<(), FetchError> {
    match fetched.0 {
        Content::Downloaded(partial) => partial.discard().map_err(|source| {
            FetchError::Cache(CacheError::Io { directory: cache.directory().to_owned(), source })
        }),
        Content::Cached { .. } | Content::Memory(_) => Ok(()),
    }
}

/// `newProxyRepo` and `getBody`: the proxy's own path, a slash, the name.
fn below(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    url
}

fn copy_file(path: &Path, cap: u64, sink: &mut dyn Sink, watch: Watch<'_>) -> Result<(), FetchError> {
    copy_open_file(open_regular(path)?, path, cap, sink, watch)
}

fn open_regular(path: &Path) -> Result<File, FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    File::open(path).map_err(failed)
}

fn copy_open_file(
    mut file: File,
    path: &Path,
    cap: u64,
    sink: &mut dyn Sink,
    watch: Watch<'_>,
) -> Result<(), FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    let too_large = || FetchError::TooLarge { path: path.to_owned(), cap };
    if file.metadata().map_err(failed)?.len() > cap {
        return Err(too_large());
    }
    sink.restart(None).map_err(failed)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        if sink.held().saturating_add(read as u64) > cap {
            return Err(too_large());
        }
        sink.write(&buffer[..read]).map_err(failed)?;
        watch.progress.received(read as u64);
    }
}

fn lines(answers: &[String]) -> String {
    answers.iter().map(|answer| format!("\n  {answer}")).collect()
}
