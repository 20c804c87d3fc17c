//! Commands on a host without a network: in an empty network namespace, with nothing in the environment but PATH and
//! HOME, traced so that no attempt to reach a network goes unseen.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::requirement::is_root;

/// Uid and gid of the ordinary user (`nobody`).
pub const STRANGER: u32 = 65534;

/// Who runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// An ordinary user, who owns nothing under the prefix. Only root can become one.
    Stranger,
    /// Who has installed: root, or one who is root in a user namespace of their own.
    Owner,
}

impl Account {
    /// Those that this process can be. The one who can spoil nothing goes first.
    pub fn all() -> &'static [Self] {
        if is_root() { &[Self::Stranger, Self::Owner] } else { &[Self::Owner] }
    }

    /// The name, for directories and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Owner => "owner",
        }
    }

    /// Gives a directory and all that is in it to the account.
    pub fn own(self, directory: &Path) {
        if !is_root() {
            return;
        }
        let id = match self {
            Self::Stranger => STRANGER,
            Self::Owner => 0,
        };
        for entry in walkdir::WalkDir::new(directory) {
            let entry = entry.expect("a directory that the tests made");
            std::os::unix::fs::lchown(entry.path(), Some(id), Some(id)).expect("root may change owners");
        }
    }

    /// The words before a command that run it as this account.
    pub fn becoming(self) -> Vec<String> {
        match self {
            Self::Owner => vec!["env".to_owned()],
            Self::Stranger => {
                words(&format!("setpriv --reuid={STRANGER} --regid={STRANGER} --clear-groups --"))
            }
        }
    }

    /// The words before a command that run it as this account and without a network.
    fn isolation(self) -> Vec<String> {
        let namespace = if is_root() { "unshare --net --" } else { "unshare --map-root-user --net --" };
        words(namespace).into_iter().chain(self.becoming()).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A place to give commands at.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Who.
    pub account: Account,
    /// `$PATH`.
    pub path: String,
    /// `$HOME`, which the account owns.
    pub home: PathBuf,
    /// Where the commands run.
    pub directory: PathBuf,
}

/// What came of a command.
#[derive(Debug)]
pub struct Answer {
    /// The command and where it ran, for messages.
    asked: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The system calls that tried to connect to an internet address.
    pub network: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Shell {
    /// The same shell elsewhere.
    #[must_use]
    pub fn at(&self, directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), ..self.clone() }
    }

    /// Runs a script of `sh`, which ends at the first command that fails.
    ///
    /// strace 6.1 gives up where a process leaves a stop just before `PTRACE_LISTEN`, and what it leaves behind is
    /// refused every system call of its filter (`exec` among them). Then it is the tracer that has failed, and nothing
    /// was learned of the script: it is run again, at most twice, and that is said.
    pub fn run(&self, script: &str) -> Answer {
        for _ in 0..2 {
            let answer = self.run_once(script);
            if !answer.stderr.contains("strace: ptrace(") {
                return answer;
            }
            // A write that fails loses a remark and nothing else.
            let _ = writeln!(std::io::stderr(), "strace failed, so again: {}", answer.asked);
        }
        self.run_once(script)
    }

    fn run_once(&self, script: &str) -> Answer {
        let trace = self.home.join("strace");
        let started = Instant::now();
        let isolation = self.account.isolation();
        let output = Command::new(&isolation[0])
            .args(&isolation[1..])
            .args(["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect", "-o"])
            .arg(&trace)
            .args(["env", "-i"])
            .arg(format!("PATH={}", self.path))
            .arg(format!("HOME={}", self.home.display()))
            .args(["sh", "-euc", script])
            .current_dir(&self.directory)
            .output()
            .expect("unshare runs");
        let traced = std::fs::read_to_string(&trace).expect("strace has written");
        let asked = format!("{} in {}: {script}", self.account.name(), self.directory.display());
        Answer {
            asked,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            network: traced.lines().filter(|line| line.contains("AF_INET")).map(str::to_owned).collect(),
            took: started.elapsed(),
        }
    }

    /// Runs a script that has to succeed without a complaint about permissions or an attempt to reach a network.
    /// What it printed on standard output.
    pub fn succeed(&self, script: &str) -> String {
        let answer = self.run(script);
        answer.expect(0);
        assert!(!answer.stderr.contains("permission denied"), "{answer}");
        answer.stdout
    }

    /// Runs a script that has to end with `code`, and no attempt to reach a network.
    pub fn fail(&self, code: i32, script: &str) -> Answer {
        let answer = self.run(script);
        answer.expect(code);
        answer
    }
}

impl Answer {
    fn expect(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(self.network.is_empty(), "a network was asked for: {:#?}\n{self}", self.network);
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, code, stdout, stderr, .. } = self;
        write!(f, "{asked}\n--- exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
