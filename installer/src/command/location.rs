//! Which prefix a command works on.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use goferry_terminal::{CommandError, Environment, Kind};

use crate::prefix::{Prefix, Root};

/// Where root installs.
const OF_ROOT: &str = "/opt/goferry";

/// The options that name a prefix.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Location")]
pub(super) struct LocationOptions {
    /// The directory under which everything lies [default: /opt/goferry for root, else
    /// ~/.local/share/goferry; commands that only read look there first, then at /opt/goferry]
    #[arg(long, value_name = "DIR")]
    prefix: Option<Utf8PathBuf>,
    /// Where the host's file system begins, while an image is made
    #[arg(long, value_name = "DIR")]
    root: Option<Utf8PathBuf>,
}

/// A prefix, and where to find it now.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) prefix: Prefix,
    pub(super) root: Root,
}

impl LocationOptions {
    /// The prefix that is changed.
    pub(super) fn to_write(&self, environment: &Environment) -> Result<Location, CommandError> {
        self.writable_by(User::of_process(), environment)
    }

    /// The prefix that is looked at: root's for root; else the user's own if there is one, else root's.
    pub(super) fn to_read(&self, environment: &Environment) -> Result<Location, CommandError> {
        self.read_by(User::of_process(), environment)
    }

    fn writable_by(&self, user: User, environment: &Environment) -> Result<Location, CommandError> {
        let prefix = match &self.prefix {
            Some(path) => given(path, "--prefix", environment)?,
            None if user == User::Root => prefix(OF_ROOT.into())?,
            None => of_user(environment)?.ok_or_else(no_home)?,
        };
        Ok(Location { prefix, root: self.root(environment)? })
    }

    fn read_by(&self, user: User, environment: &Environment) -> Result<Location, CommandError> {
        let root = self.root(environment)?;
        let prefix = match &self.prefix {
            Some(path) => given(path, "--prefix", environment)?,
            // Under sudo, HOME may still be a user's: what root trusts and runs is not that user's to say.
            None if user == User::Root => prefix(OF_ROOT.into())?,
            None => match of_user(environment)? {
                Some(own) if root.locate(&own).is_dir() => own,
                _ => prefix(OF_ROOT.into())?,
            },
        };
        Ok(Location { prefix, root })
    }

    fn root(&self, environment: &Environment) -> Result<Root, CommandError> {
        let Some(path) = &self.root else { return Ok(Root::host()) };
        let path = absolute(path, "--root", environment)?;
        if !path.is_dir() {
            return Err(CommandError::new(Kind::Usage, format!("the root `{path}` is not a directory")));
        }
        Root::at(&path).map_err(|error| CommandError::from_error(Kind::Usage, &error))
    }
}

/// Who runs the program, as far as defaults depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Root,
    Ordinary,
}

impl User {
    fn of_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Root } else { Self::Ordinary }
    }
}

fn given(path: &Utf8Path, option: &str, environment: &Environment) -> Result<Prefix, CommandError> {
    prefix(&absolute(path, option, environment)?)
}

fn prefix(path: &Utf8Path) -> Result<Prefix, CommandError> {
    path.as_str().parse().map_err(|error| CommandError::from_error(Kind::Usage, &error))
}

fn of_user(environment: &Environment) -> Result<Option<Prefix>, CommandError> {
    let data = match environment.absolute_path("XDG_DATA_HOME") {
        Some(data) => Some(data.to_owned()),
        None => environment.home().map(|home| home.join(".local/share")),
    };
    data.map(|data| utf8(data.join("goferry")).and_then(|path| prefix(&path))).transpose()
}

fn absolute(path: &Utf8Path, option: &str, environment: &Environment) -> Result<Utf8PathBuf, CommandError> {
    // An unset variable in a script; it does not mean the current directory.
    if path.as_str().is_empty() {
        return Err(CommandError::new(Kind::Usage, format!("`{option}` is empty"))
            .hint(format!("name a directory, or leave `{option}` away")));
    }
    utf8(environment.directory().join(path))
}

fn utf8(path: std::path::PathBuf) -> Result<Utf8PathBuf, CommandError> {
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| CommandError::new(Kind::Usage, format!("the path `{}` is not UTF-8", path.display())))
}

fn no_home() -> CommandError {
    CommandError::new(Kind::Usage, "neither `HOME` nor `XDG_DATA_HOME` is set, so there is no default prefix")
        .hint("name a directory with `--prefix`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().copied(), "/work dir")
    }

    fn written(prefix: Option<&str>, variables: &[(&str, &str)]) -> String {
        let options = LocationOptions { prefix: prefix.map(Into::into), root: None };
        options.to_write(&environment(variables)).unwrap().prefix.to_string()
    }

    #[test]
    fn a_relative_prefix_is_below_the_current_directory() {
        assert_eq!(written(Some("there"), &[]), "/work dir/there");
        assert_eq!(written(Some("/srv/go/"), &[]), "/srv/go");
    }

    #[test]
    fn the_users_own_prefix_is_below_the_data_directory() {
        let own =
            |variables: &[(&str, &str)]| of_user(&environment(variables)).unwrap().map(|p| p.to_string());
        assert_eq!(own(&[("HOME", "/home/x")]).as_deref(), Some("/home/x/.local/share/goferry"));
        assert_eq!(own(&[("HOME", "/home/x"), ("XDG_DATA_HOME", "/data")]).as_deref(), Some("/data/goferry"));
        assert_eq!(
            own(&[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]).as_deref(),
            Some("/h/.local/share/goferry")
        );
        assert_eq!(own(&[]), None);
    }

    #[test]
    fn root_reads_what_root_installs_and_others_their_own_first() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join(".local/share/goferry");
        std::fs::create_dir_all(&own).unwrap();
        let options = LocationOptions { prefix: None, root: None };
        let environment = environment(&[("HOME", home.path().to_str().unwrap())]);
        let read = |user| options.read_by(user, &environment).unwrap().prefix.to_string();
        let written = |user| options.writable_by(user, &environment).unwrap().prefix.to_string();
        assert_eq!(read(User::Root), OF_ROOT);
        assert_eq!(written(User::Root), OF_ROOT);
        assert_eq!(read(User::Ordinary), own.to_str().unwrap());
        std::fs::remove_dir(&own).unwrap();
        assert_eq!(read(User::Ordinary), OF_ROOT);
        assert_eq!(written(User::Ordinary), own.to_str().unwrap());
    }

    #[test]
    fn an_empty_path_is_a_usage_error_and_not_the_current_directory() {
        for (prefix, root) in [(Some(""), None), (Some("/opt"), Some(""))] {
            let options = LocationOptions { prefix: prefix.map(Into::into), root: root.map(Into::into) };
            for location in [options.to_read(&environment(&[])), options.to_write(&environment(&[]))] {
                let error = location.unwrap_err();
                assert_eq!(error.kind(), Kind::Usage);
                assert!(error.to_json()["error"]["message"].as_str().unwrap().ends_with("` is empty"));
            }
        }
    }

    #[test]
    fn what_cannot_be_a_prefix_is_a_usage_error() {
        for path in ["/", "/a/../b", "a\nb", "/a:b"] {
            let options = LocationOptions { prefix: Some(path.into()), root: None };
            assert_eq!(options.to_write(&environment(&[])).unwrap_err().kind(), Kind::Usage, "{path:?}");
        }
    }
}
