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
        let prefix = match &self.prefix {
            Some(path) => given(path, environment)?,
            None if rustix::process::geteuid().is_root() => prefix(OF_ROOT.into())?,
            None => of_user(environment)?.ok_or_else(no_home)?,
        };
        Ok(Location { prefix, root: self.root(environment)? })
    }

    /// The prefix that is looked at: the user's own if there is one, else root's.
    pub(super) fn to_read(&self, environment: &Environment) -> Result<Location, CommandError> {
        let root = self.root(environment)?;
        let prefix = match &self.prefix {
            Some(path) => given(path, environment)?,
            None => match of_user(environment)? {
                Some(own) if root.locate(&own).is_dir() => own,
                _ => prefix(OF_ROOT.into())?,
            },
        };
        Ok(Location { prefix, root })
    }

    fn root(&self, environment: &Environment) -> Result<Root, CommandError> {
        let Some(path) = &self.root else { return Ok(Root::host()) };
        let path = absolute(path, environment)?;
        if !path.is_dir() {
            return Err(CommandError::new(Kind::Usage, format!("the root `{path}` is not a directory")));
        }
        Root::at(&path).map_err(|error| CommandError::from_error(Kind::Usage, &error))
    }
}

fn given(path: &Utf8Path, environment: &Environment) -> Result<Prefix, CommandError> {
    prefix(&absolute(path, environment)?)
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

fn absolute(path: &Utf8Path, environment: &Environment) -> Result<Utf8PathBuf, CommandError> {
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
    fn what_cannot_be_a_prefix_is_a_usage_error() {
        for path in ["/", "/a/../b", "a\nb", "/a:b"] {
            let options = LocationOptions { prefix: Some(path.into()), root: None };
            assert_eq!(options.to_write(&environment(&[])).unwrap_err().kind(), Kind::Usage, "{path:?}");
        }
    }
}
