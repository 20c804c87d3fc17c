//! The address of a module proxy.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use url::Url;

/// The address of a module proxy. Its [`fmt::Display`] and [`fmt::Debug`] show no credentials and no query.
#[derive(Clone, PartialEq, Eq)]
pub enum ProxyUrl {
    /// A web server.
    Web(Url),
    /// A directory of this machine.
    Directory {
        /// As the user wrote it.
        url: String,
        /// What it means.
        path: PathBuf,
    },
}

/// A text that is no address of a module proxy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is no address of a module proxy: {reason}", entry.escape_debug())]
pub struct ProxyUrlError {
    entry: String,
    reason: &'static str,
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        parse(text).map_err(|reason| ProxyUrlError { entry: without_secrets(text), reason })
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => f.write_str(&redacted(url)),
            Self::Directory { url, .. } => f.write_str(url),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

/// A URL as messages and logs may show it: no user, no password, no query, no fragment.
pub fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username(""); // fails only where there is no host, so no user either
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn parse(text: &str) -> Result<ProxyUrl, &'static str> {
    if text.bytes().any(|c| c.is_ascii_control()) {
        return Err("it has control characters");
    }
    let completed; // a host without scheme
    let text = if text.contains(['.', ':', '/']) && !text.contains(":/") && !Path::new(text).is_absolute() {
        completed = format!("https://{text}");
        &completed
    } else {
        text
    };
    let (scheme, rest) = text.split_once(':').ok_or("it has no scheme (https, http or file)")?;
    match scheme.to_ascii_lowercase().as_str() {
        "file" => directory(rest),
        "http" | "https" => web(text, rest),
        "" => Err("it has no scheme (https, http or file)"),
        _ => Err("its scheme is not one of https, http and file"),
    }
}

fn directory(rest: &str) -> Result<ProxyUrl, &'static str> {
    let path = rest.strip_prefix("//").filter(|path| path.starts_with('/'));
    let path = path.ok_or("a file URL must be `file:///` and an absolute path")?;
    if path.contains(['?', '#']) {
        return Err("a file URL may have no query and no fragment");
    }
    let decoded = percent_decoded(path).ok_or("it has a malformed percent escape")?;
    if decoded.contains(&0) {
        return Err("its path has a zero byte");
    }
    Ok(ProxyUrl::Directory { url: format!("file://{path}"), path: OsString::from_vec(decoded).into() })
}

fn web(text: &str, rest: &str) -> Result<ProxyUrl, &'static str> {
    if !rest.starts_with("//") {
        return Err("two slashes must follow its scheme");
    }
    let url = Url::parse(text).map_err(|_| "it is malformed")?;
    if url.scheme() == "http" && (!url.username().is_empty() || url.password().is_some()) {
        return Err("credentials are not sent over unencrypted http"); // web.get
    }
    Ok(ProxyUrl::Web(url))
}

pub(crate) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(high << 4 | low).ok()?
        } else {
            byte
        });
    }
    Some(decoded)
}

/// What can be shown of an entry that may hold credentials although it is malformed.
fn without_secrets(entry: &str) -> String {
    let entry = entry.split(['?', '#']).next().unwrap_or_default();
    match (entry.split_once("://"), entry.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => entry.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_url_is_decoded_once() {
        let ProxyUrl::Directory { url, path } = "file:///a%2Cb/c%25d".parse().unwrap() else {
            panic!("not a directory");
        };
        assert_eq!((url.as_str(), path.as_path()), ("file:///a%2Cb/c%25d", Path::new("/a,b/c%d")));
    }

    #[test]
    fn credentials_never_show() {
        let url: ProxyUrl = "https://user:secret@a.b/c?secret#secret".parse().unwrap();
        assert_eq!(url.to_string(), "https://a.b/c");
        assert!(!format!("{url:?}").contains("secret"));
        for bad in [
            "http://user:secret@a.b/c?secret",
            "user:secret@x:y:z",
            "https://user:secret@a b/c",
            "x://secret@y",
        ] {
            let error = bad.parse::<ProxyUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
