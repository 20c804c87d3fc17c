//! `.netrc`, as cmd/go's `auth` package reads it.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use goferry_terminal::Environment;

/// Names and passwords by host.
#[derive(Clone, Default)]
pub struct Netrc(Vec<Login>);

#[derive(Clone, Default)]
struct Login {
    machine: String,
    name: String,
    password: String,
}

impl Netrc {
    /// Reads `$NETRC`, else `~/.netrc`. One that cannot be read is as good as none, as for go: a proxy that wants
    /// credentials will say so.
    pub fn read(environment: &Environment) -> Self {
        let path: Option<PathBuf> =
            environment.path("NETRC").or_else(|| environment.home().map(|home| home.join(".netrc")));
        let Some(path) = path else {
            return Self::default();
        };
        match std::fs::read(&path) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "no credentials");
                Self::default()
            }
        }
    }

    /// `parseNetrc`.
    pub fn parse(text: &str) -> Self {
        let mut logins = Vec::new();
        let mut login = Login::default();
        let mut in_macro = false;
        for line in text.split('\n') {
            if in_macro {
                in_macro = !line.is_empty();
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let pairs = fields.chunks_exact(2);
            if let ["default"] = pairs.remainder() {
                break;
            }
            for pair in pairs {
                match pair[0] {
                    "machine" => login = Login { machine: pair[1].to_owned(), ..Login::default() },
                    "login" => pair[1].clone_into(&mut login.name),
                    "password" => pair[1].clone_into(&mut login.password),
                    "macdef" => in_macro = true,
                    _ => {}
                }
                if !login.machine.is_empty() && !login.name.is_empty() && !login.password.is_empty() {
                    logins.push(std::mem::take(&mut login));
                }
            }
        }
        Self(logins)
    }

    /// Name and password for a URL: only over https, only for the host that the file names (`loadCredential`).
    pub fn login(&self, url: &Url) -> Option<(&str, &str)> {
        if url.scheme() != "https" {
            return None;
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut prefix = format!("{}{port}{}", url.host_str()?, url.path());
        loop {
            let wanted = prefix.trim_end_matches('/');
            if let Some(login) = self.0.iter().find(|login| login.machine.trim_end_matches('/') == wanted) {
                return Some((&login.name, &login.password));
            }
            prefix.truncate(prefix.rfind('/')?);
        }
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netrc({} logins)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(netrc: &str, url: &str) -> Option<String> {
        let netrc = Netrc::parse(netrc);
        let (name, password) = netrc.login(&Url::parse(url).unwrap())?;
        Some(format!("{name}:{password}"))
    }

    #[test]
    fn a_login_goes_to_its_own_host_over_https_only() {
        let netrc = "machine a.b login me password secret\nmachine c.d:8443\nlogin you\npassword hush\n";
        assert_eq!(login(netrc, "https://a.b/x/y?z").as_deref(), Some("me:secret"));
        assert_eq!(login(netrc, "https://c.d:8443/x").as_deref(), Some("you:hush"));
        for url in ["http://a.b/x", "https://x.a.b/x", "https://a.b.x/", "https://a.b:1/", "https://c.d/x"] {
            assert_eq!(login(netrc, url), None, "{url}");
        }
        assert!(!format!("{:?}", Netrc::parse(netrc)).contains("secret"));
    }

    #[test]
    fn the_file_is_read_as_go_reads_it() {
        // The first of two lines for a host counts; macros are passed over; nothing after `default` counts.
        let netrc = "machine a.b login one password 1\nmachine a.b login two password 2\n\
                     macdef x\nmachine m.n login macro password 0\n\nmachine c.d login three password 3\n\
                     incomplete\ndefault\nmachine e.f login four password 4\n";
        assert_eq!(login(netrc, "https://a.b/").as_deref(), Some("one:1"));
        assert_eq!(login(netrc, "https://c.d/").as_deref(), Some("three:3"));
        assert_eq!(login(netrc, "https://m.n/"), None);
        assert_eq!(login(netrc, "https://e.f/"), None);
    }
}
