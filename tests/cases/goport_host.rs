//! What `goport` is to the host that it runs on: no network, old kernels, any umask, and words that fit a terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::bundle_builder::{Sample, SampleToolchain};
use e2e::offline::Account;
use e2e::old_kernel;
use e2e::programs::carried_goport;
use e2e::requirement::Requirement::{Root, Strace};
use e2e::requirement::can_run;
use e2e::snapshot::Snapshot;
use e2e::world::succeed;
use tempfile::TempDir;

/// A host with two successive bundles of the channel `sample` and their signer's key.
struct Host {
    directory: TempDir,
}

impl Host {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/keys/test-signer.pub");
        fs::copy(key, directory.path().join("test.pub")).unwrap();
        let host = Self { directory };
        fs::write(host.path("sample-1.goferry"), Sample::new().build()).unwrap();
        let both = vec![SampleToolchain::toy("1.26.8"), SampleToolchain::toy("1.27.3")];
        let second = Sample::new().toolchains(both).sequence(2).created("2026-11-24T09:00:00Z");
        fs::write(host.path("sample-2.goferry"), second.build()).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `goport` with these words before it and after it, as from a script: nothing is a terminal.
    fn run(&self, before: &[&str], arguments: &str) -> Output {
        let words = before.iter().map(Into::into).chain([carried_goport().to_owned()]);
        let words: Vec<PathBuf> = words.chain(arguments.split(' ').map(Into::into)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("USER", "ops").output().unwrap()
    }

    /// Runs `goport` successfully. What it printed, with `DIR` for the host's directory.
    fn goport(&self, arguments: &str) -> String {
        let output = self.run(&[], arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        self.text(&output.stdout)
    }

    fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(self.directory.path().to_str().unwrap(), "DIR")
    }
}

/// The key of `fixtures/keys/test-signer.pub`.
const KEY_ID: &str = "3179727265666F67";
const FINGERPRINT: &str = "34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e";

/// The width of a terminal.
const COLUMNS: usize = 80;

const INSTALL: &str = "install sample-1.goferry --key test.pub --prefix there";

#[test]
fn an_install_makes_no_socket() {
    if !can_run("an_install_makes_no_socket", &[Strace]) {
        return;
    }
    let host = Host::new();
    let trace = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", "trace"];
    for arguments in ["verify sample-1.goferry --key test.pub", INSTALL] {
        let output = host.run(&trace, arguments);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_to_string(host.path("trace")).unwrap(), "", "{arguments}");
    }
}

#[test]
fn linux_4_18_is_enough() {
    if !can_run("linux_4_18_is_enough", &[Strace]) {
        return;
    }
    let host = Host::new();
    let old_kernel = old_kernel::words();
    let old_kernel: Vec<_> = old_kernel.iter().map(String::as_str).collect();
    let output = host.run(&old_kernel, INSTALL);
    let trace = fs::read_to_string(host.path("old-kernel.trace")).unwrap();
    assert!(output.status.success(), "{output:?}\n{trace}");
    let go = Command::new(host.path("there/current/bin/go")).arg("version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&go.stdout), "go version go1.27.3 linux/amd64\n");
}

#[test]
fn the_umask_does_not_matter() {
    let modes = |umask: &str| {
        let host = Host::new();
        let script = format!("umask {umask}; exec \"$@\"");
        let output = host.run(&["sh", "-c", &script, "sh"], INSTALL);
        assert!(output.status.success(), "{output:?}");
        Snapshot::of(&host.path("there")).modes()
    };
    let usual = modes("022");
    assert!(usual.len() > 50, "{usual:?}");
    assert_eq!(modes("000"), usual);
    assert_eq!(modes("077"), usual);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let host = Host::new();
    let before = Snapshot::of(host.directory.path());
    let text = host.goport(&format!("{INSTALL} --dry-run"));
    let (plan, needs) = text.split_once("needs at most ").unwrap();
    assert_eq!(
        plan,
        "\
would install bundle 1 of channel sample as generation 1 under `DIR/there`
 + go1.27.3
 + example.com/deep@v1.0.0
 + example.com/deep@v1.9.0
 + example.com/deep@v1.10.0
 + example.com/old@v2.0.0+incompatible
 + github.com/BurntSushi/toml@v1.2.0-RC1
 + gopkg.in/yaml.v3@v3.0.1
"
    );
    assert!(needs.ends_with(" inodes\n"), "{needs}");
    assert_eq!(before.changes_to(&Snapshot::of(host.directory.path())), [""; 0]);

    host.goport(INSTALL);
    let before = Snapshot::of(host.directory.path());
    let text = host.goport("install sample-2.goferry --prefix there --dry-run");
    let (plan, _) = text.split_once("needs at most ").unwrap();
    assert_eq!(
        plan,
        "\
would install bundle 2 of channel sample as generation 2 under `DIR/there`
 + go1.26.8
 = go1.27.3
 = 6 modules already here
"
    );
    assert_eq!(before.changes_to(&Snapshot::of(host.directory.path())), [""; 0]);
}

#[test]
fn the_same_bundle_again_is_a_no_op_that_says_so() {
    let host = Host::new();
    host.goport(INSTALL);
    let before = Snapshot::of(&host.path("there"));
    let text = host.goport(INSTALL);
    assert!(
        text.contains("Bundle 1 of channel sample is installed already (generation 1): nothing to do\n"),
        "{text}"
    );
    let changes = before.changes_to(&Snapshot::of(&host.path("there")));
    // The lock says which process took it last.
    assert!(matches!(&changes[..], [lock] if lock.starts_with("~ state/lock: ")), "{changes:#?}");
}

#[test]
fn the_next_bundle_of_a_channel_is_the_next_generation() {
    let host = Host::new();
    host.goport(INSTALL);
    host.goport("install sample-2.goferry --prefix there");
    assert_eq!(fs::read_link(host.path("there/current")).unwrap(), Path::new("generations/2"));
    assert_eq!(fs::read_link(host.path("there/generations/2/previous")).unwrap(), Path::new("../1"));
    let older = host.run(&[], "install sample-1.goferry --prefix there");
    assert_eq!(older.status.code(), Some(3), "{older:?}");
    assert!(host.text(&older.stderr).contains("nothing was changed under `DIR/there`"), "{older:?}");
    assert_eq!(fs::read_link(host.path("there/current")).unwrap(), Path::new("generations/2"));
}

#[test]
fn an_image_is_installed_below_its_root() {
    let host = Host::new();
    fs::create_dir(host.path("image")).unwrap();
    host.goport("install sample-1.goferry --key test.pub --prefix /opt/goferry --root image");
    let env = fs::read_to_string(host.path("image/opt/goferry/current/go.env")).unwrap();
    assert!(env.contains("\nGOMODCACHE=/opt/goferry/current/modcache\n"), "{env}");
    let list = host.goport("list --prefix /opt/goferry --root image");
    assert!(list.starts_with("/opt/goferry: generation 1, "), "{list}");
}

#[test]
fn an_ordinary_user_installs_below_the_own_home() {
    if !can_run("an_ordinary_user_installs_below_the_own_home", &[Root]) {
        return;
    }
    let host = Host::new();
    // Others may not be able to reach the target directory.
    fs::copy(carried_goport(), host.path("goport")).unwrap();
    Account::Stranger.own(host.directory.path());
    let words = Account::Stranger.becoming();
    let goport = |arguments: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(host.path("goport")).args(arguments);
        command.current_dir(host.directory.path()).env("HOME", host.directory.path());
        host.text(succeed(command.env_remove("XDG_DATA_HOME")).as_bytes())
    };
    goport(&["install", "sample-1.goferry", "--key", "test.pub"]);
    let prefix = host.path(".local/share/goferry");
    let env = fs::read_to_string(prefix.join("current/go.env")).unwrap();
    let gopath = "DIR/.local/share/goferry/gopath";
    assert!(host.text(env.as_bytes()).ends_with(&format!("\nGOPATH={gopath}\n")), "{env}");
    assert!(prefix.join("gopath").is_dir());
    let env = goport(&["env"]);
    assert_eq!(env, "export PATH=DIR/.local/share/goferry/current/bin:\"$PATH\"\n");
    let foreign: Vec<_> =
        Snapshot::of(&prefix).modes().into_iter().filter(|line| !line.contains(" 65534:65534 ")).collect();
    assert_eq!(foreign, [""; 0]);
}

#[test]
fn what_is_installed_and_trusted_is_shown() {
    let host = Host::new();
    let install = host.goport(INSTALL);
    assert!(install.starts_with("Installed 1 toolchain and 6 modules as generation 1 in "), "{install}");
    assert!(
        install.ends_with(
            "\nTo use it:\n  eval \"$(goport env --prefix DIR/there)\"\nor\n  \
             export PATH=DIR/there/current/bin:\"$PATH\"\n"
        ),
        "{install}"
    );
    let list = host.goport("list --prefix there --modules");
    let (first, rest) = list.split_once('\n').unwrap();
    assert!(first.starts_with("DIR/there: generation 1, installed 2"), "{first}");
    assert!(first.ends_with("Z by ops"), "{first}");
    assert_eq!(
        rest,
        "  go1.27.3  (default)
  channel sample: bundle 1, 6 modules
  example.com/deep@v1.0.0
  example.com/deep@v1.9.0
  example.com/deep@v1.10.0
  example.com/old@v2.0.0+incompatible
  example.com/only/gomod@v0.3.0 (go.mod only)
  github.com/BurntSushi/toml@v1.2.0-RC1
  gopkg.in/yaml.v3@v3.0.1
"
    );
    assert_eq!(
        host.goport("trust list --prefix there"),
        format!("{KEY_ID}  for sample\n  fingerprint {FINGERPRINT}\n")
    );
}

#[test]
fn a_shell_gets_what_it_needs() {
    let host = Host::new();
    host.goport(INSTALL);
    let env = host.goport("env --prefix there");
    assert_eq!(env, "export PATH=DIR/there/current/bin:\"$PATH\"\n");
    let pinned = host.goport("env --prefix there --pinned --shell fish");
    assert!(
        pinned.ends_with(
            "\
set -gx GOMODCACHE DIR/there/generations/1/modcache
set -gx GOPROXY file://DIR/there/generations/1/modcache/cache/download
set -gx PATH DIR/there/generations/1/bin $PATH
"
        ),
        "{pinned}"
    );
}

#[test]
fn what_is_said_fits_a_terminal_and_has_no_colours_in_a_pipe() {
    let host = Host::new();
    let arguments = [
        "verify sample-1.goferry --key test.pub",
        &format!("{INSTALL} --dry-run"),
        INSTALL,
        "list --prefix there --modules",
        "env --prefix there",
        "trust list --prefix there",
        "trust add test.pub --prefix there",
        &format!("trust remove {KEY_ID} --prefix there"),
    ];
    for arguments in arguments {
        let output = host.run(&[], arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        let text = host.text(&[output.stdout, output.stderr].concat());
        assert!(!text.contains('\u{1b}'), "{arguments}: {text:?}");
        let long: Vec<_> = text.lines().filter(|line| line.chars().count() > COLUMNS).collect();
        assert_eq!(long, [""; 0], "{arguments}");
    }
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let host = Host::new();
    let install = format!("{INSTALL} --json");
    for arguments in [&install, "list --prefix there --json", "env --prefix there --json"] {
        let text = host.goport(arguments);
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["schema"], 1, "{arguments}: {text}");
    }
}
