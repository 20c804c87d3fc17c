//! Where the user's GOPROXY comes from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, access};
use thiserror::Error;

use super::{ModulePatterns, ProxyList, ProxyListError};
use goferry_terminal::Environment;

/// Bytes of a `go env` file that are read at most.
const GO_ENV_FILE_BYTES: u64 = 1 << 20;

/// Everything of the user's settings that decides where modules come from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom to ask.
    pub proxies: ProxyList,
    /// Where that list was found.
    pub origin: Origin,
    /// GONOPROXY, else GOPRIVATE: modules that no proxy is asked for.
    pub no_proxy: ModulePatterns,
}

/// Where a proxy list was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `--proxy`.
    Flag,
    /// The environment variable GOPROXY.
    Variable,
    /// The file that `go env -w` writes.
    GoEnvFile(PathBuf),
    /// What this installed `go` says.
    InstalledGo(PathBuf),
}

/// Why there is no proxy list.
#[derive(Debug, Error)]
pub enum DiscoverError {
    /// No place names one.
    #[error("no Go module proxy is configured")]
    NotConfigured,
    /// The list of `origin` is malformed.
    #[error("{origin} cannot be used")]
    Malformed {
        /// Where it was found.
        origin: Origin,
        /// What is wrong.
        #[source]
        source: ProxyListError,
    },
    /// The user's `go env` file is there and cannot be read.
    #[error("failed to read `{}`", path.display())]
    GoEnvFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The installed `go` did not answer.
    #[error("`{} env GOPROXY` failed: {reason}", go.display())]
    InstalledGo {
        /// The program.
        go: PathBuf,
        /// What it said, or why it did not start.
        reason: String,
    },
}

impl DiscoverError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotConfigured => Some(
                "name one with `--proxy LIST`, in the variable GOPROXY, or with `go env -w GOPROXY=LIST`; \
                 `file:///DIR` works too",
            ),
            Self::Malformed { .. } | Self::GoEnvFile { .. } | Self::InstalledGo { .. } => None,
        }
    }
}

impl Settings {
    /// Looks at `flag` (`--proxy`), `$GOPROXY`, the user's `go env` file and an installed `go`, in this order.
    pub fn discover(flag: Option<&str>, environment: &Environment) -> Result<Self, DiscoverError> {
        let (text, origin) = find_list(flag, environment)?;
        let proxies = match text.parse() {
            Ok(proxies) => proxies,
            Err(source) => return Err(DiscoverError::Malformed { origin, source }),
        };
        let no_proxy = match go_setting(environment, "GONOPROXY")? {
            Some(patterns) => patterns,
            None => go_setting(environment, "GOPRIVATE")?.unwrap_or_default(),
        };
        Ok(Self { proxies, origin, no_proxy: ModulePatterns::new(no_proxy) })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("`--proxy`"),
            Self::Variable => f.write_str("the variable `GOPROXY`"),
            Self::GoEnvFile(path) => write!(f, "`GOPROXY` in `{}`", path.display()),
            Self::InstalledGo(go) => write!(f, "the answer of `{} env GOPROXY`", go.display()),
        }
    }
}

/// A setting as `cfg.Getenv` finds it: the variable, else the user's `go env` file.
pub fn go_setting(environment: &Environment, name: &str) -> Result<Option<String>, DiscoverError> {
    if let Some(value) = environment.text(name) {
        return Ok(Some(value.to_owned()));
    }
    Ok(from_go_env_file(environment, name)?.map(|(value, _)| value))
}

fn find_list(flag: Option<&str>, environment: &Environment) -> Result<(String, Origin), DiscoverError> {
    if let Some(list) = flag {
        return Ok((list.to_owned(), Origin::Flag));
    }
    if let Some(list) = environment.text("GOPROXY") {
        return Ok((list.to_owned(), Origin::Variable));
    }
    if let Some((list, path)) = from_go_env_file(environment, "GOPROXY")? {
        return Ok((list, Origin::GoEnvFile(path)));
    }
    if let Some(go) = installed_go(environment) {
        let list = ask_go(&go, environment)
            .map_err(|reason| DiscoverError::InstalledGo { go: go.clone(), reason })?;
        if !list.is_empty() {
            return Ok((list, Origin::InstalledGo(go)));
        }
    }
    Err(DiscoverError::NotConfigured)
}

/// A non-empty value of the file that `cfg.EnvFile` names; a file that is not there has none.
fn from_go_env_file(
    environment: &Environment,
    name: &str,
) -> Result<Option<(String, PathBuf)>, DiscoverError> {
    let Some(path) = go_env_file(environment) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(GO_ENV_FILE_BYTES).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DiscoverError::GoEnvFile { path, source }),
    }
    let value = value_in(&String::from_utf8_lossy(&text), name);
    Ok(value.map(|value| (value, path)))
}

fn go_env_file(environment: &Environment) -> Option<PathBuf> {
    match environment.text("GOENV") {
        Some("off") => None,
        Some(_) => environment.path("GOENV"),
        None => {
            let config = environment.absolute_path("XDG_CONFIG_HOME").map(Path::to_path_buf);
            let config = config.or_else(|| environment.home().map(|home| home.join(".config")));
            config.map(|directory| directory.join("go/env"))
        }
    }
}

/// `readEnvFile`: lines `NAME=value`, other lines are ignored, the last line of a name counts.
fn value_in(text: &str, name: &str) -> Option<String> {
    let mut values = text.rsplit('\n').filter_map(|line| line.split_once('='));
    let value = values.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    value.filter(|value| !value.is_empty())
}

/// The first `go` of `$PATH`. Relative entries are passed over: they would run what lies in the project.
fn installed_go(environment: &Environment) -> Option<PathBuf> {
    let directories =
        std::env::split_paths(environment.text("PATH")?).filter(|directory| directory.is_absolute());
    let candidates = directories.map(|directory| directory.join("go"));
    candidates.into_iter().find(|go| go.is_file() && access(go, Access::EXEC_OK).is_ok())
}

fn ask_go(go: &Path, environment: &Environment) -> Result<String, String> {
    let output = Command::new(go)
        .args(["env", "GOPROXY"])
        .env_clear()
        .envs(environment.variables())
        .env("GOTOOLCHAIN", "local") // a go.mod must not make it fetch another release
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, said.trim().escape_debug()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A home with a `go env` file and an installed `go`, each naming another proxy.
    fn home(go_env: Option<&str>, go: Option<&str>) -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        if let Some(text) = go_env {
            std::fs::create_dir_all(home.path().join(".config/go")).unwrap();
            std::fs::write(home.path().join(".config/go/env"), text).unwrap();
        }
        if let Some(script) = go {
            std::fs::write(home.path().join("go"), script).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(home.path().join("go"), mode).unwrap();
        }
        let environment = environment(&home, &[]);
        (home, environment)
    }

    fn environment(home: &tempfile::TempDir, more: &[(&str, &str)]) -> Environment {
        let home = home.path().to_str().unwrap();
        let variables = [("HOME", home), ("PATH", home)];
        Environment::new(variables.into_iter().chain(more.iter().copied()), "/")
    }

    const GO: &str =
        "#!/bin/sh\ntest \"$GOTOOLCHAIN $*\" = 'local env GOPROXY' && echo https://installed.example\n";
    const GO_ENV: &str = "# comment\nGOPROXY=https://old.example\n\nGOPROXY=https://file.example,off\nGOPRIVATE=corp.example\n";

    #[test]
    fn the_first_place_that_names_a_list_wins() {
        let (home, environment) = home(Some(GO_ENV), Some(GO));
        let found = |flag, environment: &Environment| {
            let Settings { proxies, origin, .. } = Settings::discover(flag, environment).unwrap();
            (proxies.to_string(), origin)
        };
        let with = |more: &[(&str, &str)]| super::tests::environment(&home, more);
        let variable = with(&[("GOPROXY", "https://variable.example")]);
        assert_eq!(found(Some("off"), &variable), ("off".into(), Origin::Flag));
        assert_eq!(found(None, &variable), ("https://variable.example/".into(), Origin::Variable));
        let file = home.path().join(".config/go/env");
        let from_file = ("https://file.example/,off".to_owned(), Origin::GoEnvFile(file.clone()));
        assert_eq!(found(None, &environment), from_file);
        assert_eq!(found(None, &with(&[("GOENV", file.to_str().unwrap()), ("HOME", "/nowhere")])), from_file);
        let installed =
            ("https://installed.example/".to_owned(), Origin::InstalledGo(home.path().join("go")));
        assert_eq!(found(None, &with(&[("GOENV", "off")])), installed);
        assert_eq!(found(None, &with(&[("GOPROXY", ""), ("XDG_CONFIG_HOME", "/nowhere")])), installed);
    }

    #[test]
    fn without_any_configuration_the_error_says_what_to_set() {
        let (_home, environment) = home(None, None);
        let error = Settings::discover(None, &environment).unwrap_err();
        assert_eq!(error.to_string(), "no Go module proxy is configured");
        assert!(error.hint().unwrap().contains("--proxy LIST"));
    }

    #[test]
    fn a_go_that_fails_is_named_with_what_it_said() {
        let (home, environment) = home(None, Some("#!/bin/sh\necho broken >&2\nexit 2\n"));
        let error = Settings::discover(None, &environment).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{}/go env GOPROXY` failed:", home.path().display())), "{error}");
        assert!(error.ends_with("broken"), "{error}");
    }

    #[test]
    fn goprivate_stands_in_for_gonoproxy() {
        let (home, environment) = home(Some(GO_ENV), None);
        assert_eq!(Settings::discover(None, &environment).unwrap().no_proxy.as_str(), "corp.example");
        let none = super::tests::environment(&home, &[("GONOPROXY", "none")]);
        assert_eq!(Settings::discover(None, &none).unwrap().no_proxy.as_str(), "none");
    }
}
