//! The same lock gives the same bytes, whatever the surroundings.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::offline::Account;
use e2e::programs::goferry_binary;
use e2e::requirement::Requirement::{Network, Root};
use e2e::requirement::can_run;
use e2e::scratch::Scratch;
use e2e::world::{copy_tree, fixture, kept_cache, succeed};
use goferry_manifest::Sha256Digest;

/// Everything about a build that must not matter.
struct Surroundings {
    /// The working directory, `$HOME`, and all that is written.
    directory: PathBuf,
    cache: PathBuf,
    project: PathBuf,
    umask: &'static str,
    time_zone: &'static str,
    locale: &'static str,
    threads: u8,
    account: Account,
}

#[test]
fn the_same_lock_gives_the_same_bytes() {
    if !can_run("the_same_lock_gives_the_same_bytes", &[Network]) {
        return;
    }
    let scratch = Scratch::new("reproducible").unwrap();
    let here = |name: &str| scratch.path().join(name);
    // A cache of its own, kept between runs but for the compressed packs: each build is to compress anew.
    let cache = kept_cache().with_file_name("goferry-cache-reproducible");
    let at_home = Surroundings {
        directory: here("a"),
        cache: cache.clone(),
        project: fixture("cli"),
        umask: "022",
        time_zone: "UTC",
        locale: "C",
        threads: 2,
        account: Account::Owner,
    };
    at_home.prepare(None);
    forget_packs(&cache);
    let first = at_home.build();
    assert_eq!(at_home.build(), first, "with everything in the cache");

    let copy = here("elsewhere/cli");
    copy_tree(&fixture("cli"), &copy);
    let elsewhere = Surroundings {
        directory: here("elsewhere/b"),
        cache: cache.clone(),
        project: copy.clone(),
        umask: "077",
        time_zone: "Asia/Kathmandu",
        locale: "tr_TR.UTF-8",
        threads: 1,
        account: Account::Owner,
    };
    elsewhere.prepare(Some(&at_home));
    forget_packs(&cache);
    assert_eq!(elsewhere.build(), first, "elsewhere");

    if can_run("the_same_lock_gives_the_same_bytes as another user", &[Root]) {
        let stranger = Surroundings {
            directory: here("c"),
            cache: here("cache"),
            project: copy,
            umask: "000",
            time_zone: "America/St_Johns",
            locale: "de_DE.UTF-8",
            threads: 3,
            account: Account::Stranger,
        };
        // Only what came over the network is there already.
        for part in ["blobs", "requests"] {
            copy_tree(&cache.join("goferry").join(part), &stranger.cache.join("goferry").join(part));
        }
        stranger.prepare(Some(&at_home));
        assert_eq!(stranger.build(), first, "as another user with a new cache");
    }
}

impl Surroundings {
    /// Makes the directory, with the lock and the key of another build, or with a new key.
    fn prepare(&self, other: Option<&Self>) {
        let directory = &self.directory;
        fs::create_dir_all(directory.join(".config/go")).unwrap();
        if let Some(settings) = user_settings() {
            fs::copy(settings, directory.join(".config/go/env")).unwrap();
        }
        // Others may not be able to reach the target directory.
        fs::copy(goferry_binary(), directory.join("goferry")).unwrap();
        if let Some(other) = other {
            for file in ["goferry.lock", "demo.key"] {
                fs::copy(other.directory.join(file), directory.join(file)).unwrap();
            }
        } else {
            let mut keygen = Command::new(goferry_binary());
            succeed(keygen.current_dir(directory).args(["keygen", "-o", "demo", "--no-passphrase"]));
        }
        for own in [directory, &self.cache] {
            fs::create_dir_all(own).unwrap();
            self.account.own(own);
        }
    }

    /// The digest of the bundle. Signatures are deterministic, so the whole file has to be the same.
    fn build(&self) -> Sha256Digest {
        // Once there is a lock, it is not to change.
        let locked = if self.directory.join("goferry.lock").exists() { "--locked" } else { "" };
        let script = format!(
            "umask {}; exec ./goferry build {locked} \"$1\" --toolchain 1.26.8 --level 1 --threads {} \
             --key demo.key -o cli.goferry",
            self.umask, self.threads
        );
        let mut words: Vec<OsString> = self.account.becoming().iter().map(Into::into).collect();
        words.extend(["sh".into(), "-euc".into(), script.into(), "sh".into(), self.project.clone().into()]);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(&self.directory)
            .env("HOME", &self.directory)
            .env("XDG_CONFIG_HOME", self.directory.join(".config"))
            .env("XDG_CACHE_HOME", &self.cache)
            .env("TZ", self.time_zone)
            .env("LC_ALL", self.locale);
        succeed(&mut command);
        Sha256Digest::of(&fs::read(self.directory.join("cli.goferry")).unwrap())
    }
}

fn forget_packs(cache: &Path) {
    let packs = cache.join("goferry/packs");
    if packs.exists() {
        fs::remove_dir_all(packs).unwrap();
    }
}

/// The file of `go env -w`, which may say where modules come from.
fn user_settings() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configuration = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    configuration.map(|directory| directory.join("go/env")).filter(|file| file.is_file())
}
