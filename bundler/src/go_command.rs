//! The bundled `go`, asked about projects.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::fs;
use crate::parallel::Stop;
use crate::proxy_list::{DiscoverError, go_setting, percent_decoded};
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
/// How often it is looked whether to stop.
const STOP_PAUSE: Duration = Duration::from_millis(50);

/// A `go` of our own, with directories of its own: nothing of the user's is read or changed, but what is named above.
#[derive(Clone, Debug)]
pub struct GoCommand {
    program: PathBuf,
    variables: Vec<(OsString, OsString)>,
    /// What the user's proxies are reached with.
    secrets: Vec<String>,
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
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
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
        Ok(Self { program, variables, secrets: secrets(goproxy) })
    }

    /// The go.mod of a project.
    pub fn go_mod(&self, project: &Path, stop: &Stop) -> Result<GoModFile, GoCommandError> {
        let mut documents = self.ask(project, &["mod", "edit", "-json"], stop)?;
        documents.pop().ok_or_else(|| GoCommandError::Failed {
            arguments: "mod edit -json".to_owned(),
            directory: project.to_owned(),
            detail: "no answer".to_owned(),
        })
    }

    /// Every module of the project's graph with the version that is selected, as it is fetched: after replacements.
    pub fn list_modules(&self, project: &Path, stop: &Stop) -> Result<Vec<NamedModule>, GoCommandError> {
        let listed: Vec<ListedModule> = self.ask(project, &["list", "-m", "-json", "all"], stop)?;
        let fetched = listed.into_iter().filter(|listed| !listed.main);
        let fetched = fetched.map(|listed| listed.replace.unwrap_or(listed.module));
        Ok(fetched.filter(|module| !module.version.is_empty()).collect())
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        directory: &Path,
        arguments: &[&str],
        stop: &Stop,
    ) -> Result<Vec<T>, GoCommandError> {
        tracing::debug!(?arguments, directory = %directory.display(), "go");
        let output = self
            .output(directory, arguments, stop)
            .map_err(|source| GoCommandError::Start { program: self.program.clone(), source })?
            .ok_or(GoCommandError::Stopped)?;
        let (arguments, directory) = (arguments.join(" "), directory.to_owned());
        if !output.status.success() {
            let said = self.without_secrets(&String::from_utf8_lossy(&output.stderr));
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

    /// What it printed and how it ended; `None` if it was stopped, together with what it had started.
    fn output(&self, directory: &Path, arguments: &[&str], stop: &Stop) -> io::Result<Option<Output>> {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(directory).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = start(&mut command)?;
        let group = Pid::from_child(&child);
        let ended = Stop::new();
        thread::scope(|scope| {
            let ending = scope.spawn(|| {
                while !ended.wait(STOP_PAUSE) {
                    if stop.is_stopped() {
                        let _ = kill_process_group(group, Signal::KILL); // fails only where all have ended
                        return true;
                    }
                }
                false
            });
            let output = child.wait_with_output();
            ended.stop();
            let was_stopped = ending.join().unwrap_or(false);
            if was_stopped { Ok(None) } else { output.map(Some) }
        })
    }

    /// `go` quotes the address of a proxy that fails: names and passwords in it are nobody's business.
    fn without_secrets(&self, said: &str) -> String {
        self.secrets.iter().fold(said.to_owned(), |said, secret| said.replace(secret, "…"))
    }
}

/// A thread that started a program while `go` was being written lent the open file to it for a moment: wait for that.
fn start(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY_PAUSE),
            child => return child,
        }
    }
    command.spawn()
}

/// The user, password and query of each entry, as they are written and as they are meant; the longest first, so that
/// none hides a part of another.
fn secrets(goproxy: &str) -> Vec<String> {
    let mut secrets = BTreeSet::new();
    for url in goproxy.split([',', '|']).filter_map(|entry| Url::parse(entry).ok()) {
        for part in [Some(url.username()), url.password(), url.query()].into_iter().flatten() {
            secrets.insert(part.to_owned());
            let decoded = percent_decoded(part);
            let decoded = decoded.and_then(|decoded| String::from_utf8(decoded).ok());
            secrets.extend(decoded);
        }
    }
    secrets.remove("");
    let mut secrets: Vec<_> = secrets.into_iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
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

    /// A GOROOT whose `go` is this shell script.
    fn go(script: &str, goproxy: &str) -> (tempfile::TempDir, GoCommand) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("bin/go");
        let mut file = fs::create_staged(&program, 0o755).unwrap();
        io::Write::write_all(&mut file, format!("#!/bin/sh\n{script}").as_bytes()).unwrap();
        drop(file);
        let environment = Environment::new([("PATH", "/usr/bin:/bin"), ("GOENV", "off")], "/");
        let go = GoCommand::new(directory.path(), &directory.path().join("work"), goproxy, &environment);
        (directory, go.unwrap())
    }

    #[test]
    fn what_go_says_is_shown_without_credentials() {
        let goproxy = "https://us%40er:hush-hush@a.example/x?token=t0ken,https://onlyname@b.example|direct";
        let script = "echo \"$GOPROXY us@er\" >&2; exit 1";
        let (directory, go) = go(script, goproxy);
        let error = go.go_mod(directory.path(), &Stop::new()).unwrap_err().to_string();
        for secret in ["us%40er", "us@er", "hush", "t0ken", "onlyname"] {
            assert!(!error.contains(secret), "{error}");
        }
        assert!(error.contains("https://…:…@a.example/x?…,https://…@b.example|direct …"), "{error}");
    }

    #[test]
    fn a_go_that_is_asked_to_stop_ends_with_all_that_it_started() {
        let (directory, go) = go("touch started; sleep 600", "off");
        let stop = Stop::new();
        let result = thread::scope(|scope| {
            let asked = scope.spawn(|| go.go_mod(directory.path(), &stop));
            while !directory.path().join("started").exists() {
                thread::sleep(BUSY_PAUSE);
            }
            stop.stop();
            asked.join().unwrap()
        });
        assert!(matches!(result, Err(GoCommandError::Stopped)));
    }
}
