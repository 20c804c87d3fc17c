//! A directory that other users can reach, and that goes away with the test process however that ends.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

/// The directory. It is removed after this value was dropped, or the process ended.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
    /// Another process waits for the end of this pipe: statics are never dropped, and a killed process runs nothing.
    _pipe: ChildStdin,
}

impl Scratch {
    /// Makes the directory below the system's for temporary files: `/tmp`, or what `TMPDIR` names.
    pub fn new(name: &str) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix(&format!("goferry-{name}-")).tempdir()?.keep();
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        let mut remover = Command::new("sh")
            .args(["-c", r#"cat >/dev/null; chmod -R u+w "$1"; rm -rf "$1""#, "sh"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C ends the tests, and not who tidies up after them.
            .process_group(0)
            .spawn()?;
        let pipe = remover.stdin.take().expect("it was asked for");
        Ok(Self { directory, _pipe: pipe })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_away_read_only_directories_and_all() {
        let scratch = Scratch::new("scratch").unwrap();
        let path = scratch.path().to_owned();
        fs::create_dir(path.join("sub")).unwrap();
        fs::write(path.join("sub/file"), "").unwrap();
        fs::set_permissions(path.join("sub"), Permissions::from_mode(0o555)).unwrap();
        drop(scratch);
        for _ in 0..500 {
            if !path.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} is still there", path.display());
    }
}
