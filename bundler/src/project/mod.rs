//! A Go project: one directory with a go.mod.

mod go_line;
mod go_sum;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::go_line::{GoLineError, WantedGo};
pub use self::go_sum::{GoSum, GoSumError, GoSumFlaw};
use goferry_terminal::Environment;

/// Bytes of a go.mod and of a go.sum at most.
const GO_MOD_BYTES: u64 = 16 << 20;
const GO_SUM_BYTES: u64 = 64 << 20;

/// A project as its directory says, before any `go` looked at it.
#[derive(Clone, Debug)]
pub struct Project {
    directory: PathBuf,
    wanted_go: WantedGo,
    sums: Option<GoSum>,
}

/// Why a directory is no project that can be carried.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// No go.mod.
    #[error("`{}` has no go.mod", directory.display())]
    NoGoMod {
        /// The directory.
        directory: PathBuf,
    },
    /// A file cannot be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No Go release follows from the go.mod.
    #[error("`{}`: {source}", path.display())]
    GoLine {
        /// The go.mod.
        path: PathBuf,
        /// What is wrong.
        source: GoLineError,
    },
    /// A malformed go.sum.
    #[error("`{}`: {source}", path.display())]
    GoSum {
        /// The go.sum.
        path: PathBuf,
        /// What is wrong.
        source: GoSumError,
    },
    /// A member of a workspace builds with other versions than its own go.mod says.
    #[error("`{}` is in the workspace of `{}`, and workspaces are not supported yet", directory.display(), workspace.display())]
    Workspace {
        /// The project.
        directory: PathBuf,
        /// The go.work.
        workspace: PathBuf,
    },
}

impl ProjectError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::GoLine { source: GoLineError::TooOld { .. }, .. } => {
                Some("`go mod edit -go=1.17 && go mod tidy` makes it name them")
            }
            Self::Workspace { .. } => Some("GOWORK=off builds the module by its own go.mod and go.sum"),
            _ => None,
        }
    }
}

impl Project {
    /// Reads what is needed before a toolchain is there.
    pub fn read(directory: &Path, environment: &Environment) -> Result<Self, ProjectError> {
        let directory = environment.directory().join(directory);
        let path = directory.join("go.mod");
        let Some(go_mod) = read_text(&path, GO_MOD_BYTES)? else {
            return Err(ProjectError::NoGoMod { directory });
        };
        let wanted_go = match go_mod.parse() {
            Ok(wanted) => wanted,
            Err(source) => return Err(ProjectError::GoLine { path, source }),
        };
        if let Some(workspace) = find_workspace(&directory, environment) {
            return Err(ProjectError::Workspace { directory, workspace });
        }
        let path = directory.join("go.sum");
        let sums = match read_text(&path, GO_SUM_BYTES)?.map(|text| GoSum::parse(&text)).transpose() {
            Ok(sums) => sums,
            Err(source) => return Err(ProjectError::GoSum { path, source }),
        };
        Ok(Self { directory, wanted_go, sums })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Which release of Go it asks for.
    pub fn wanted_go(&self) -> WantedGo {
        self.wanted_go
    }

    /// Its go.sum, if it has one.
    pub fn sums(&self) -> Option<&GoSum> {
        self.sums.as_ref()
    }
}

/// A file as text; `None` if it is not there.
fn read_text(path: &Path, limit: u64) -> Result<Option<String>, ProjectError> {
    let read = || {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        let length = file.take(limit + 1).read_to_string(&mut text)?;
        if length as u64 > limit {
            return Err(io::Error::other(format!("more than {limit} bytes")));
        }
        Ok(text)
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ProjectError::Read { path: path.to_owned(), source }),
    }
}

/// The go.work that `go` would use in the directory (`FindGoWork` in cmd/go's `modload/init.go`).
fn find_workspace(directory: &Path, environment: &Environment) -> Option<PathBuf> {
    match environment.text("GOWORK") {
        Some("off") => None,
        Some(path) => Some(PathBuf::from(path)),
        None => {
            let directory = std::path::absolute(directory).ok()?;
            let candidates = directory.ancestors().map(|ancestor| ancestor.join("go.work"));
            candidates.into_iter().find(|candidate| candidate.is_file())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Project, ProjectError>) {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("svc");
        std::fs::create_dir(&directory).unwrap();
        for (name, content) in files {
            std::fs::write(directory.join(name), content).unwrap();
        }
        let project = Project::read(Path::new("svc"), &environment(&parent, &[]));
        (parent, project)
    }

    fn environment(directory: &tempfile::TempDir, variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().copied(), directory.path())
    }

    #[test]
    fn a_directory_with_a_go_mod_is_a_project() {
        let (_directory, read) = project(&[("go.mod", "module a.b\ngo 1.26\n"), ("go.sum", "")]);
        let read = read.unwrap();
        assert_eq!(read.wanted_go(), WantedGo::Newest { minor: 26 });
        assert_eq!(read.sums(), Some(&GoSum::default()));
        let (_directory, read) = project(&[("go.mod", "module a.b\ngo 1.26\n")]);
        assert_eq!(read.unwrap().sums(), None, "without dependencies there is no go.sum");
    }

    #[test]
    fn what_is_no_project_is_named() {
        let (_directory, read) = project(&[]);
        assert!(matches!(read, Err(ProjectError::NoGoMod { .. })));
        let (_directory, read) = project(&[("go.mod", "module a.b\n")]);
        let error = read.unwrap_err();
        assert!(error.to_string().contains("svc/go.mod") && error.hint().is_some(), "{error}");
        let (_directory, read) = project(&[("go.mod", "go 1.26\n"), ("go.sum", "x\n")]);
        assert!(
            read.unwrap_err()
                .to_string()
                .ends_with("svc/go.sum`: line 1: expected `path version hash`, found 1 fields")
        );
    }

    #[test]
    fn a_workspace_is_refused_unless_it_is_turned_off() {
        let (parent, _) = project(&[("go.mod", "module a.b\ngo 1.26\n")]);
        std::fs::write(parent.path().join("go.work"), "go 1.26\nuse ./svc\n").unwrap();
        let read =
            |variables: &[(&str, &str)]| Project::read(Path::new("svc"), &environment(&parent, variables));
        assert!(matches!(read(&[]), Err(ProjectError::Workspace { .. })));
        assert!(matches!(read(&[("GOWORK", "/x/go.work")]), Err(ProjectError::Workspace { .. })));
        assert!(read(&[("GOWORK", "off")]).is_ok());
    }
}
