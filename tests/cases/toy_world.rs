//! A world for builds without a network: a proxy of files, a database, and a toolchain whose `go` is a script that says
//! what the test wrote beside the go.mod.

use std::path::PathBuf;

use e2e::checksum_database::LogBuilder;
use e2e::goproxy_tree::GoProxyTree;
use goferry::build::{self, BuildError, BuildRequest, Prepared};
use goferry::parallel::Stop;
use goferry_manifest::{DirHash, Module, Platform};
use goferry_terminal::Environment;
use tempfile::TempDir;

use super::prepare::Told;

const GO: &str = "#!/bin/sh\ncase \"$1 $2\" in\n'mod edit') exec cat edit.json ;;\n'list -m') exec cat list.json ;;\nesac\nexit 1\n";

pub(super) struct World {
    pub(super) directory: TempDir,
    pub(super) proxy: GoProxyTree,
    pub(super) log: LogBuilder,
    pub(super) variables: Vec<(String, String)>,
    pub(super) goproxy: String,
    pub(super) locked: bool,
}

/// What a project's go.mod, go.sum and `go` say.
pub(super) struct Says<'a> {
    pub(super) go: &'a str,
    pub(super) required: &'a [&'a Module],
    pub(super) listed: &'a [&'a Module],
    pub(super) go_sum: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let proxy = GoProxyTree::new(directory.path().join("proxy"));
        let mut world = Self {
            goproxy: proxy.url(),
            proxy,
            log: LogBuilder::new("db.example", [5; 32]),
            variables: Vec::new(),
            locked: false,
            directory,
        };
        world.toolchain("1.26.8");
        world
    }

    pub(super) fn toolchain(&mut self, release: &str) -> Module {
        let platform = Platform::of_this_program().unwrap().to_string().replace('/', "-");
        let version = format!("v0.0.1-go{release}.{platform}");
        self.public(
            "golang.org/toolchain",
            &version,
            &[("bin/go", GO.as_bytes()), ("src/_go.mod", b"module std\n")],
        )
    }

    /// A module that the database knows.
    pub(super) fn public(&mut self, path: &str, version: &str, files: &[(&str, &[u8])]) -> Module {
        let module = self.proxy.add(path, version, files);
        let (h1, go_mod_h1) = (self.hash(&module, ""), self.hash(&module, "/go.mod"));
        self.log.add(&module, h1, go_mod_h1);
        module
    }

    pub(super) fn line(&self, module: &Module, suffix: &str) -> String {
        let start = format!("{} {}{suffix} ", module.path(), module.version());
        let line = self.proxy.go_sum().lines().find(|line| line.starts_with(&start)).unwrap();
        format!("{line}\n")
    }

    pub(super) fn lines(&self, module: &Module) -> String {
        self.line(module, "") + &self.line(module, "/go.mod")
    }

    pub(super) fn hash(&self, module: &Module, suffix: &str) -> DirHash {
        self.line(module, suffix).rsplit(' ').next().unwrap().trim().parse().unwrap()
    }

    pub(super) fn project(&self, name: &str, says: &Says<'_>) -> PathBuf {
        let project = self.directory.path().join(name);
        std::fs::create_dir(&project).unwrap();
        let named =
            |module: &&Module| format!(r#"{{"Path":"{}","Version":"{}"}}"#, module.path(), module.version());
        let required = says.required.iter().map(named).collect::<Vec<_>>().join(",");
        let listed = says.listed.iter().map(named).collect::<Vec<_>>().join("\n");
        let write = |file: &str, text: String| std::fs::write(project.join(file), text).unwrap();
        write("go.mod", format!("module corp.example/{name}\n{}\n", says.go));
        write(
            "edit.json",
            format!(r#"{{"Module":{{"Path":"corp.example/{name}"}},"Require":[{required}]}}"#),
        );
        write("list.json", format!(r#"{{"Path":"corp.example/{name}","Main":true}} {listed}"#));
        if let Some(go_sum) = &says.go_sum {
            write("go.sum", go_sum.clone());
        }
        project
    }

    /// What the environment of a build is to be.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let home = self.directory.path().to_str().unwrap();
        let mut variables = vec![
            ("HOME".to_owned(), home.to_owned()),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("GOSUMDB".to_owned(), self.log.key().to_string()),
            ("GOWORK".to_owned(), "off".to_owned()),
        ];
        variables.extend(self.variables.iter().cloned());
        variables
    }

    /// Lets the database serve what was added to it.
    pub(super) fn publish(&self) {
        self.log.write_to(self.proxy.root()).unwrap();
    }

    pub(super) fn prepare(&self, projects: &[PathBuf]) -> (Result<Prepared, BuildError>, Vec<String>) {
        self.publish();
        let (home, variables) = (self.directory.path(), self.variables());
        let request = BuildRequest {
            projects: projects.to_vec(),
            toolchains: Vec::new(),
            platforms: vec![Platform::of_this_program().unwrap()],
            proxy: Some(self.goproxy.clone()),
            locked: self.locked,
            now: "2026-11-24T08:15:00Z".parse().unwrap(),
        };
        let told = Told::default();
        let prepared = build::prepare(&request, &Environment::new(variables, home), &told, &Stop::new());
        (prepared, told.warnings.into_inner().unwrap())
    }

    /// A project that requires one module, which it has in its go.sum.
    pub(super) fn simple(&mut self) -> (Module, PathBuf) {
        let module = self.public("a.example/m", "v1.0.0", &[("m.go", b"package m\n")]);
        let says = Says {
            go: "go 1.26.8",
            required: &[&module],
            listed: &[&module],
            go_sum: Some(self.lines(&module)),
        };
        let project = self.project("simple", &says);
        (module, project)
    }

    pub(super) fn in_directory(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn refused(&self, project: PathBuf) -> BuildError {
        self.prepare(&[project]).0.unwrap_err()
    }
}
