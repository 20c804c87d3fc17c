//! The bundled `go`, asked about projects.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::fs;
use crate::proxy_list::{DiscoverError, go_setting};
use goferry_terminal::Environment;

/// Variables of the user that `go` gets: how programs are found, where temporary files go, how the network is reached.
const PASSED: [&str; 11] = [
    "PATH",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
];
/// Settings of the user that `go` gets, from a variable or from the user's `go env` file.
const SETTINGS: [&str; 6] = ["GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOAUTH"];
/// Characters of what `go` said that are shown.
const DETAIL_CHARS: usize = 2000;

/// How often and how long to wait for a program that is still open for writing.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A `go` of our own, with directories of its own: nothing of the user's is read or changed, but what is named above.
#[derive(Clone, Debug)]
pub struct GoCommand {
    program: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

/// A module as `go` names it: with a version, or a directory (of a `replace`) without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedModule {
    /// Its path, or a directory.
    pub path: String,
    /// Its version; empty for a directory.
    #[serde(default)]
    pub version: String,
}

/// What `go mod edit -json` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GoModFile {
    module: MainModule,
    require: Option<Vec<NamedModule>>,
    replace: Option<Vec<Replacement>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MainModule {
    #[serde(default)]
    path: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replacement {
    old: NamedModule,
    new: NamedModule,
}

/// What `go list -m -json` says of one module.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedModule {
    #[serde(flatten)]
    module: NamedModule,
    #[serde(default)]
    main: bool,
    replace: Option<NamedModule>,
}

/// Why `go` gave no answer.
#[derive(Debug, Error)]
pub enum GoCommandError {
    /// It could not be started, or its directories cannot be made.
    #[error("failed to run `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("`go {arguments}` failed in `{}`:\n{detail}", directory.display())]
    Failed {
        /// What it was asked.
        arguments: String,
        /// Where.
        directory: PathBuf,
        /// What it said.
        detail: String,
    },
    /// It said something else than JSON of the known form.
    #[error("`go {arguments}` gave an unknown answer in `{}`", directory.display())]
    Answer {
        /// What it was asked.
        arguments: String,
        /// Where.
        directory: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The user's settings cannot be read.
    #[error(transparent)]
    Settings(#[from] DiscoverError),
}

impl GoCommand {
    /// The `go` of this GOROOT. `work` is a directory for its caches; `goproxy` is what GOPROXY is to be.
    pub fn new(
        goroot: &Path,
        work: &Path,
        goproxy: &str,
        environment: &Environment,
    ) -> Result<Self, GoCommandError> {
        let program = goroot.join("bin/go");
        let mut variables: Vec<(OsString, OsString)> = environment
            .variables()
            .filter(|(name, _)| PASSED.iter().any(|passed| name == passed))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for name in SETTINGS {
            if let Some(value) = go_setting(environment, name)? {
                variables.push((name.into(), value.into()));
            }
        }
        if environment.text("NETRC").is_none()
            && let Some(home) = environment.home()
        {
            variables.push(("NETRC".into(), home.join(".netrc").into()));
        }
        for (name, place) in
            [("HOME", "home"), ("GOPATH", "gopath"), ("GOMODCACHE", "modcache"), ("GOCACHE", "build")]
        {
            let place = work.join(place);
            fs::create_private_directories(&place)
                .map_err(|source| GoCommandError::Start { program: program.clone(), source })?;
            variables.push((name.into(), place.into()));
        }
        let fixed = [
            ("GOPROXY", goproxy),
            ("GOENV", "off"),
            ("GOWORK", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", "-mod=readonly -modcacherw"),
            ("GOVCS", "*:off"),
        ];
        variables.extend(fixed.map(|(name, value)| (name.into(), value.into())));
        Ok(Self { program, variables })
    }

    /// The go.mod of a project.
    pub fn go_mod(&self, project: &Path) -> Result<GoModFile, GoCommandError> {
        let mut documents = self.ask(project, &["mod", "edit", "-json"])?;
        documents.pop().ok_or_else(|| GoCommandError::Failed {
            arguments: "mod edit -json".to_owned(),
            directory: project.to_owned(),
            detail: "no answer".to_owned(),
        })
    }

    /// Every module of the project's graph with the version that is selected, as it is fetched: after replacements.
    pub fn list_modules(&self, project: &Path) -> Result<Vec<NamedModule>, GoCommandError> {
        let listed: Vec<ListedModule> = self.ask(project, &["list", "-m", "-json", "all"])?;
        let fetched = listed.into_iter().filter(|listed| !listed.main);
        let fetched = fetched.map(|listed| listed.replace.unwrap_or(listed.module));
        Ok(fetched.filter(|module| !module.version.is_empty()).collect())
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Vec<T>, GoCommandError> {
        tracing::debug!(?arguments, directory = %directory.display(), "go");
        let output = self
            .output(directory, arguments)
            .map_err(|source| GoCommandError::Start { program: self.program.clone(), source })?;
        let (arguments, directory) = (arguments.join(" "), directory.to_owned());
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let detail = said.trim_end().chars().take(DETAIL_CHARS).collect();
            return Err(GoCommandError::Failed { arguments, directory, detail });
        }
        let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        documents.collect::<Result<_, _>>().map_err(|source| GoCommandError::Answer {
            arguments,
            directory,
            source,
        })
    }

    /// A thread that started a program while `go` was being written lent the open file to it for a moment: wait for
    /// that.
    fn output(&self, directory: &Path, arguments: &[&str]) -> io::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(directory).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        for _ in 0..BUSY_TRIES {
            match command.output() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY_PAUSE),
                output => return output,
            }
        }
        command.output()
    }
}

impl GoModFile {
    /// The path of the module.
    pub fn path(&self) -> &str {
        &self.module.path
    }

    /// Every module that it requires, as it is fetched: after replacements, without those that are directories.
    pub fn required(&self) -> Vec<NamedModule> {
        let required = self.require.iter().flatten().map(|required| self.replaced(required));
        required.filter(|module| !module.version.is_empty()).cloned().collect()
    }

    /// A replacement of one version goes before one of all versions.
    fn replaced<'a>(&'a self, required: &'a NamedModule) -> &'a NamedModule {
        let by = |version: &str| {
            let mut replacements = self.replace.iter().flatten();
            replacements.find(|it| it.old.path == required.path && it.old.version == version)
        };
        by(&required.version).or_else(|| by("")).map_or(required, |replacement| &replacement.new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_named_as_they_are_fetched() {
        let json = r#"{
            "Module": {"Path": "corp.example/svc"}, "Go": "1.26.8",
            "Require": [
                {"Path": "a.b/kept", "Version": "v1.0.0"},
                {"Path": "a.b/forked", "Version": "v1.0.0", "Indirect": true},
                {"Path": "a.b/pinned", "Version": "v1.0.0"},
                {"Path": "local", "Version": "v0.0.0"}
            ],
            "Exclude": null, "Retract": null,
            "Replace": [
                {"Old": {"Path": "a.b/forked"}, "New": {"Path": "c.d/fork", "Version": "v1.2.3"}},
                {"Old": {"Path": "a.b/pinned"}, "New": {"Path": "c.d/wrong", "Version": "v1.0.0"}},
                {"Old": {"Path": "a.b/pinned", "Version": "v1.0.0"}, "New": {"Path": "a.b/pinned", "Version": "v1.0.1"}},
                {"Old": {"Path": "a.b/kept", "Version": "v0.9.0"}, "New": {"Path": "c.d/other", "Version": "v1.0.0"}},
                {"Old": {"Path": "local"}, "New": {"Path": "../local"}}
            ]
        }"#;
        let go_mod: GoModFile = serde_json::from_str(json).unwrap();
        assert_eq!(go_mod.path(), "corp.example/svc");
        let named: Vec<_> =
            go_mod.required().iter().map(|it| format!("{}@{}", it.path, it.version)).collect();
        assert_eq!(named, ["a.b/kept@v1.0.0", "c.d/fork@v1.2.3", "a.b/pinned@v1.0.1"]);
    }

    #[test]
    fn a_go_mod_that_requires_nothing_is_fine() {
        let go_mod: GoModFile = serde_json::from_str(r#"{"Module":{"Path":"a"},"Require":null}"#).unwrap();
        assert!(go_mod.required().is_empty());
    }
}
