//! The answer to a request from the first proxy that has it, through the cache.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use url::Url;

use super::error::{FetchError, ProofError};
use super::fetched::{Content, Fetched};
use super::{DatabaseName, DatabaseSource, Request};
use crate::cache::{Blob, Cache, CacheError, Partial};
use crate::http::{Client, Sink, Watch};
use crate::proxy_list::{ProxyUrl, Settings, Source};

/// Gets what the user's proxies serve.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    cache: Cache,
    settings: Settings,
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

    /// The checksum database at an address of its own, as GOSUMDB may give it.
    pub fn database_source_at(&self, name: DatabaseName, url: ProxyUrl) -> DatabaseSource<'_> {
        DatabaseSource::at(self, name, url)
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
                    self.cache.forget(request.name()).map_err(|error| ProofError::Fetch(error.into()))?;
                }
            }
        }
        let mut fetched = self.download(request, cap, watch).map_err(ProofError::Fetch)?;
        let mut proof = prove(&fetched);
        if proof.is_err() && fetched.is_joined() {
            watch.progress.dropped(fetched.size());
            self.reject(fetched).map_err(ProofError::Fetch)?;
            fetched = self.download(request, cap, watch).map_err(ProofError::Fetch)?;
            proof = prove(&fetched);
        }
        match proof {
            Ok(proof) => self.keep(request, fetched, proof),
            Err(error) => {
                self.reject(fetched).map_err(ProofError::Fetch)?;
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

    /// Removes what was downloaded and not accepted.
    fn reject(&self, fetched: Fetched) -> Result<(), FetchError> {
        match fetched.0 {
            Content::Downloaded(partial) => self.discard(partial),
            Content::Cached { .. } | Content::Memory(_) => Ok(()),
        }
    }

    fn discard(&self, partial: Partial) -> Result<(), FetchError> {
        let directory = self.cache.directory().to_owned();
        partial.discard().map_err(|source| FetchError::Cache(CacheError::Io { directory, source }))
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
                match self.client.get(&url, cap, &mut partial, watch) {
                    Ok(()) => Ok(partial),
                    Err(error) => {
                        if partial.resume_point().is_none_or(|(bytes, _)| bytes == 0) {
                            self.discard(partial)?; // nothing to go on with
                        }
                        Err(FetchError::Http(error))
                    }
                }
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
