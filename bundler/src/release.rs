//! Which releases of Go a bundle carries.

use std::collections::BTreeSet;
use std::path::PathBuf;

use goferry_manifest::{GoRelease, ModulePath, Platform};
use thiserror::Error;

use crate::fetch::module::INFO_BYTES;
use crate::fetch::{FetchError, Fetcher, Request, lines};
use crate::http::{HttpError, Watch};
use crate::project::{Project, WantedGo};

/// Bytes of the list of all toolchains at most: some 20,000 versions today, of 40 bytes each.
const LIST_BYTES: u64 = 64 << 20;

/// Why there is no release for a project.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// `--toolchain` names only older ones.
    #[error("`{}` needs {wanted}, which no chosen release meets", project.display())]
    NotMet {
        /// The project.
        project: PathBuf,
        /// What it asks for.
        wanted: WantedGo,
    },
    /// The proxies have no patch of a minor release for all platforms.
    #[error("no release of Go 1.{minor} is served by the proxies for {platforms}{}", lines(tried))]
    NotServed {
        /// The N of 1.N.
        minor: u32,
        /// The platforms.
        platforms: String,
        /// Releases that were listed, and what was said when they were asked for.
        tried: Vec<String>,
    },
    /// The proxies could not be asked.
    #[error("failed to find out which releases of Go 1.{minor} there are")]
    Fetch {
        /// The N of 1.N.
        minor: u32,
        /// Why.
        #[source]
        source: FetchError,
    },
}

/// Releases that were chosen already: by the user, or in the lock.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// `--toolchain`: if there are any, exactly these.
    pub requested: &'a [GoRelease],
    /// Those of the lock: `go 1.N` keeps its patch until the lock is made anew.
    pub locked: &'a BTreeSet<GoRelease>,
}

/// The releases for these projects. `newest` finds the newest patch of a minor release that can be had.
pub fn choose(
    projects: &[Project],
    chosen: Chosen<'_>,
    mut newest: impl FnMut(u32) -> Result<GoRelease, ReleaseError>,
) -> Result<BTreeSet<GoRelease>, ReleaseError> {
    let mut releases: BTreeSet<_> = chosen.requested.iter().copied().collect();
    for project in projects {
        let wanted = project.wanted_go();
        if !chosen.requested.is_empty() {
            if !releases.iter().any(|release| wanted.is_met_by(*release)) {
                return Err(ReleaseError::NotMet { project: project.directory().to_owned(), wanted });
            }
            continue;
        }
        match wanted {
            WantedGo::Exact(release) => releases.insert(release),
            WantedGo::Newest { minor } => {
                let locked = chosen.locked.iter().rfind(|release| release.minor() == minor);
                releases.insert(locked.map_or_else(|| newest(minor), |release| Ok(*release))?)
            }
        };
    }
    Ok(releases)
}

/// The newest patch of Go 1.`minor` that the proxies serve for all platforms. Those that are listed and yet refused
/// are told to `skipped`.
pub fn newest_served(
    fetcher: &Fetcher,
    minor: u32,
    platforms: &[Platform],
    watch: Watch<'_>,
    mut skipped: impl FnMut(&str),
) -> Result<GoRelease, ReleaseError> {
    let failed = |source| ReleaseError::Fetch { minor, source };
    let toolchain: ModulePath = "golang.org/toolchain".parse().expect("a valid path");
    let list = fetcher.read(&Request::list(&toolchain), LIST_BYTES, watch).map_err(failed)?;
    let mut tried = Vec::new();
    for release in listed(&String::from_utf8_lossy(&list), minor, platforms).into_iter().rev() {
        match refusal(fetcher, release, platforms, watch).map_err(failed)? {
            None => return Ok(release),
            Some(reason) => {
                skipped(&format!("go{release} is not served by the proxies: {reason}"));
                tried.push(format!("go{release}: {reason}"));
            }
        }
    }
    let platforms = platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    Err(ReleaseError::NotServed { minor, platforms, tried })
}

/// The patches of Go 1.`minor` that a list of versions of `golang.org/toolchain` has for all platforms, sorted.
fn listed(list: &str, minor: u32, platforms: &[Platform]) -> BTreeSet<GoRelease> {
    let suffixes: Vec<_> = platforms.iter().map(|it| format!(".{}-{}", it.os(), it.arch())).collect();
    let versions: BTreeSet<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix("v0.0.1-go")).collect();
    let of_first = versions.iter().filter_map(|version| version.strip_suffix(suffixes.first()?.as_str()));
    // Betas and candidates sort before the first patch.
    let first_patch: Option<GoRelease> = format!("1.{minor}.0").parse().ok();
    of_first
        .filter(|name| suffixes.iter().all(|suffix| versions.contains(format!("{name}{suffix}").as_str())))
        .filter_map(|name| name.parse::<GoRelease>().ok())
        .filter(|release| release.minor() == minor && Some(*release) >= first_patch)
        .collect()
}

/// Why the proxies do not serve a release; a list may name what a proxy then refuses.
fn refusal(
    fetcher: &Fetcher,
    release: GoRelease,
    platforms: &[Platform],
    watch: Watch<'_>,
) -> Result<Option<String>, FetchError> {
    for platform in platforms {
        let request = Request::info(&release.toolchain_module(platform));
        match fetcher.read(&request, INFO_BYTES, watch) {
            Ok(_) => {}
            Err(error) if error.is_not_found() || is_forbidden(&error) => return Ok(Some(error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn is_forbidden(error: &FetchError) -> bool {
    matches!(error, FetchError::Http(HttpError::Status { status, .. }) if status.as_u16() == 403)
}

#[cfg(test)]
mod tests {
    use super::*;
    use goferry_terminal::Environment;

    const LINUX: &str = "linux/amd64";
    const ARM: &str = "linux/arm64";

    fn release(text: &str) -> GoRelease {
        text.parse().unwrap()
    }

    fn platforms(names: &[&str]) -> Vec<Platform> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn names(releases: &BTreeSet<GoRelease>) -> Vec<String> {
        releases.iter().map(ToString::to_string).collect()
    }

    /// Projects with these go.mods.
    fn projects(go_mods: &[&str]) -> Vec<Project> {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment::new([("GOWORK", "off")], directory.path());
        let read = |go_mod: &&str| {
            std::fs::write(directory.path().join("go.mod"), go_mod).unwrap();
            Project::read(directory.path(), &environment).unwrap()
        };
        go_mods.iter().map(read).collect()
    }

    fn chosen(go_mods: &[&str], requested: &[&str], locked: &[&str]) -> Result<Vec<String>, ReleaseError> {
        let requested: Vec<_> = requested.iter().map(|it| release(it)).collect();
        let locked = locked.iter().map(|it| release(it)).collect();
        let newest = |minor| Ok(release(&format!("1.{minor}.99")));
        choose(&projects(go_mods), Chosen { requested: &requested, locked: &locked }, newest)
            .map(|releases| names(&releases))
    }

    #[test]
    fn projects_get_what_they_ask_for() {
        let go_mods = ["go 1.26.8", "go 1.26\ntoolchain go1.27.3", "go 1.25", "go 1.26.8"];
        assert_eq!(chosen(&go_mods, &[], &[]).unwrap(), ["1.25.99", "1.26.8", "1.27.3"]);
    }

    #[test]
    fn the_lock_keeps_the_patch_of_a_minor_release() {
        assert_eq!(chosen(&["go 1.26"], &[], &["1.26.3", "1.26.4", "1.27.3"]).unwrap(), ["1.26.4"]);
        assert_eq!(chosen(&["go 1.26"], &[], &["1.27.3"]).unwrap(), ["1.26.99"]);
    }

    #[test]
    fn the_user_s_releases_go_before_and_have_to_be_new_enough() {
        assert_eq!(chosen(&["go 1.26"], &["1.27.3"], &["1.26.4"]).unwrap(), ["1.27.3"]);
        assert_eq!(chosen(&["go 1.26.8"], &["1.26.8", "1.27.3"], &[]).unwrap(), ["1.26.8", "1.27.3"]);
        let error = chosen(&["go 1.26\ntoolchain go1.27.3"], &["1.26.8"], &[]).unwrap_err();
        assert!(matches!(error, ReleaseError::NotMet { wanted: WantedGo::Exact(_), .. }), "{error}");
    }

    #[test]
    fn only_patches_for_all_platforms_count() {
        let list = "v0.0.1-go1.27.2.linux-amd64\nv0.0.1-go1.27.2.linux-arm64\nv0.0.1-go1.27.10.linux-amd64\n\
                    v0.0.1-go1.27.9.linux-arm64\nv0.0.1-go1.27rc1.linux-amd64\nv0.0.1-go1.27rc1.linux-arm64\n\
                    v0.0.1-go1.28.0.linux-amd64\nv0.0.1-go1.28.0.linux-arm64\nv0.0.1-go1.27.x.linux-amd64\njunk\n";
        assert_eq!(names(&listed(list, 27, &platforms(&[LINUX, ARM]))), ["1.27.2"]);
        assert_eq!(names(&listed(list, 27, &platforms(&[LINUX]))), ["1.27.2", "1.27.10"]);
        assert!(listed(list, 26, &platforms(&[LINUX])).is_empty());
    }
}
