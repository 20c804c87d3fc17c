//! What the bundled `go` says that projects need.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use goferry_manifest::Module;

use super::error::BuildError;
use super::{Progress, WantedBy};
use crate::fetch::Fetcher;
use crate::fetch::closure::{Harvest, Part};
use crate::fs;
use crate::go_command::{GoCommand, NamedModule};
use crate::parallel::{self, Stop};
use crate::project::Project;
use crate::proxy_list::{Next, ProxyList, ProxyUrl, Source};
use goferry_terminal::Environment;

/// Projects that `go` is asked about at once: it uses several threads itself.
const PROJECTS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// The modules of some projects.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Every module with the version that is selected.
    listed: BTreeSet<Module>,
    /// Those that a go.mod requires: `go mod download` wants their files, used or not.
    required: BTreeSet<Module>,
    wanted_by: WantedBy,
}

struct Answer {
    name: String,
    listed: Vec<Module>,
    required: Vec<Module>,
}

impl Graph {
    /// Runs `go` in each project. It finds what was fetched already in a proxy of our own, so that only what is still
    /// missing goes over the network.
    pub(super) fn ask(
        projects: &[Project],
        goroot: &Path,
        fetcher: &Fetcher,
        harvest: &Harvest,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<Self, BuildError> {
        let work = fetcher.cache().directory().join("go");
        let in_work = |source| BuildError::Work { directory: work.clone(), source };
        fs::create_private_directories(&work).map_err(in_work)?;
        let overlay = fs::temporary_directory(&work).map_err(in_work)?;
        write_overlay(overlay.path(), harvest).map_err(in_work)?;
        let goproxy = format!("{},{}", file_url(overlay.path()), goproxy(&fetcher.settings().proxies));
        let go = GoCommand::new(goroot, &work, &goproxy, environment)?;
        let answers = parallel::run(projects.iter().collect(), PROJECTS, stop, |it| ask(&go, it, stop))?;
        let mut graph = Self::default();
        for (project, answer) in projects.iter().zip(answers) {
            graph.add(project, answer);
        }
        Ok(graph)
    }

    /// All modules that go named.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.listed.union(&self.required)
    }

    /// Those whose files are wanted although no go.sum may say so.
    pub(super) fn required(&self) -> impl Iterator<Item = &Module> {
        self.required.iter()
    }

    /// Whether go named it.
    pub(super) fn has(&self, module: &Module) -> bool {
        self.listed.contains(module) || self.required.contains(module)
    }

    /// The projects that want a module.
    pub(super) fn wanted_by(&self) -> &WantedBy {
        &self.wanted_by
    }

    /// A line of go.sum that no build needs any more may name what is no longer served; any other may not. Of a version
    /// that is not selected the go.mod may still be needed, so that is carried whatever else is missing.
    pub(super) fn check_served(&self, harvest: &Harvest, progress: &dyn Progress) -> Result<(), BuildError> {
        self.check_complete(harvest)?;
        for ((module, part), error) in &harvest.not_served {
            let (left_out, because) = match part {
                Part::GoMod => ("is left out", "go.sum names it, no build needs it"),
                _ if !harvest.go_mods.contains_key(module) => continue, // left out as a whole
                Part::Zip => ("is carried without its files", "no build needs them"),
                Part::Time => ("is carried without its time", "no project selects that version"),
            };
            progress.warn(&format!("`{module}` {left_out}: {because}, and {error}"));
        }
        Ok(())
    }

    /// After the last fetch nothing may be missing.
    pub(super) fn check_complete(&self, harvest: &Harvest) -> Result<(), BuildError> {
        match harvest.not_served.iter().find(|((module, _), _)| self.has(module)) {
            None => Ok(()),
            Some(((module, _), error)) => {
                Err(BuildError::NotServed { module: module.clone(), reason: error.to_string() })
            }
        }
    }

    fn add(&mut self, project: &Project, answer: Answer) {
        let sums = project.sums().into_iter().flat_map(|sums| sums.zips.keys().chain(sums.go_mods.keys()));
        for module in sums.chain(&answer.listed).chain(&answer.required) {
            self.wanted_by.entry(module.clone()).or_default().insert(answer.name.clone());
        }
        self.listed.extend(answer.listed);
        self.required.extend(answer.required);
    }
}

fn ask(go: &GoCommand, project: &Project, stop: &Stop) -> Result<Answer, BuildError> {
    let directory = project.directory();
    let go_mod = go.go_mod(directory, stop)?;
    let required = modules(go_mod.required(), directory)?;
    if project.sums().is_none() && !required.is_empty() {
        return Err(BuildError::NoGoSum { directory: directory.to_owned() });
    }
    let listed = modules(go.list_modules(directory, stop)?, directory)?;
    Ok(Answer { name: go_mod.path().to_owned(), listed, required })
}

fn modules(named: Vec<NamedModule>, project: &Path) -> Result<Vec<Module>, BuildError> {
    let parse = |named: &NamedModule| Module::new(named.path.parse().ok()?, named.version.parse().ok()?).ok();
    let parse = |named: NamedModule| {
        parse(&named).ok_or_else(|| BuildError::UnknownModule {
            project: project.to_owned(),
            module: format!("{}@{}", named.path, named.version),
        })
    };
    named.into_iter().map(parse).collect()
}

/// A proxy of `.mod` and `.info`, in which nothing is that was not proven.
fn write_overlay(root: &Path, harvest: &Harvest) -> std::io::Result<()> {
    for (module, bytes) in &harvest.go_mods {
        let stem = module.download_stem();
        fs::write_staged(&root.join(format!("{stem}.mod")), bytes)?;
        let Some(time) = harvest.times.get(module) else { continue };
        let time = time.map_or(String::new(), |time| format!(r#","Time":"{time}""#));
        let info = format!(r#"{{"Version":"{}"{time}}}"#, module.version());
        fs::write_staged(&root.join(format!("{stem}.info")), info.as_bytes())?;
    }
    Ok(())
}

/// The address of a directory as an entry of GOPROXY: its separators are escaped too.
fn file_url(directory: &Path) -> String {
    let url = url::Url::from_directory_path(directory).expect("the cache has an absolute path");
    url.as_str().trim_end_matches('/').replace(',', "%2C").replace('|', "%7C")
}

/// The list as GOPROXY has it, with the credentials that its display leaves out.
fn goproxy(proxies: &ProxyList) -> String {
    let mut text = String::new();
    for entry in proxies.entries() {
        if !text.is_empty() && !text.ends_with('|') {
            text.push(',');
        }
        match &entry.source {
            Source::Proxy(ProxyUrl::Web(url)) => text.push_str(url.as_str()),
            other => text.push_str(&other.to_string()),
        }
        if entry.next == Next::AfterAnyError {
            text.push('|');
        }
    }
    text.trim_end_matches('|').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_any_name_is_one_entry() {
        assert_eq!(file_url(Path::new("/tmp/a b,c|d%e/f")), "file:///tmp/a%20b%2Cc%7Cd%25e/f");
    }

    #[test]
    fn go_gets_the_list_with_its_credentials() {
        for list in [
            "https://user:secret@a.example/x,https://b.example/|direct",
            "file:///srv/proxy,off",
            "https://a.example/",
        ] {
            assert_eq!(goproxy(&list.parse().unwrap()), list);
        }
    }
}
