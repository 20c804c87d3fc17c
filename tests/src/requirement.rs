//! What a case needs of the machine that it runs on, and how it says that it cannot run.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A Go module proxy. `GOFERRY_TEST_OFFLINE=1` says that there is none.
    Network,
    /// To be root, for cases that change the user.
    Root,
    /// Network namespaces without an interface, with `setpriv` to become another user there.
    Namespaces,
    /// `strace`, and the right to trace one's own children.
    Strace,
    /// A C compiler, for the race detector.
    CCompiler,
    /// `git`.
    Git,
    /// What the second reader of bundles is made of.
    SecondReader,
}

impl Requirement {
    /// Why it is not fulfilled, and what to do about it.
    fn lack(self) -> Option<String> {
        match self {
            Self::Network => {
                let offline = std::env::var_os("GOFERRY_TEST_OFFLINE").is_some_and(|value| value == "1");
                offline.then(|| {
                    "it needs a Go module proxy, and GOFERRY_TEST_OFFLINE=1 says there is none".to_owned()
                })
            }
            Self::Root => (!is_root()).then(|| "it needs root, to become another user".to_owned()),
            Self::Namespaces => lack_of_namespaces(),
            Self::Strace => lack("strace", &["strace", "-f", "-qq", "-e", "trace=connect", "true"], "strace"),
            Self::CCompiler => lack("gcc", &["gcc", "--version"], "gcc libc6-dev"),
            Self::Git => lack("git", &["git", "--version"], "git"),
            Self::SecondReader => lack("python3", &["python3", "--version"], "python3")
                .or_else(|| lack("zstd", &["zstd", "--version"], "zstd"))
                .or_else(|| lack("minisign", &["minisign", "-v"], "minisign")),
        }
    }
}

/// Whether `case` can run; if not, says so by name on stderr, past the capture of the test harness.
///
/// # Panics
///
/// Where `CI=true`: a machine that decides about a landing has to have everything.
pub fn can_run(case: &str, requirements: &[Requirement]) -> bool {
    let lack = requirements.iter().find_map(|it| it.lack());
    let Some(lack) = lack else { return true };
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!is_ci, "{case} cannot run: {lack}");
    // A write that fails loses a remark and nothing else.
    let _ = writeln!(std::io::stderr(), "skipped {case}: {lack}");
    false
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| rustix::process::geteuid().is_root())
}

fn lack_of_namespaces() -> Option<String> {
    if is_root() {
        let setpriv = lack("setpriv", &["setpriv", "--clear-groups", "true"], "util-linux");
        return setpriv.or_else(|| lack("unshare --net", &["unshare", "--net", "true"], "util-linux"));
    }
    let command = ["unshare", "--map-root-user", "--net", "true"];
    lack("unshare --map-root-user --net", &command, "util-linux; user namespaces may be forbidden")
}

fn lack(name: &str, command: &[&str], packages: &str) -> Option<String> {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("`{name}` does not work here ({status})")),
        Err(error) => Some(format!("no `{name}`: {error} (Debian: apt-get install {packages})")),
    }
}
