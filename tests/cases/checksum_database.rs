//! Modules are proven to be in a checksum database over the network, as `go` would reach it.

use std::path::Path;

use e2e::checksum_database::LogBuilder;
use e2e::goproxy_tree::GoProxyTree;
use e2e::scripted_server::ScriptedServer;
use goferry::cache::Cache;
use goferry::fetch::Fetcher;
use goferry::fetch::checksum_database::{ChecksumDatabase, Online, ProveError, Proven};
use goferry::fetch::gosumdb::GoSumDb;
use goferry::http::{Client, Patience, Silent, Watch};
use goferry::parallel::Stop;
use goferry::proxy_list::Settings;
use goferry_manifest::{DirHash, Module, Sha256Digest};
use goferry_terminal::Environment;
use tempfile::TempDir;

/// A proxy that carries a database with 300 modules among 70,000 records.
struct World {
    directory: TempDir,
    proxy: GoProxyTree,
    log: LogBuilder,
    modules: Vec<Module>,
}

fn hash(module: &Module) -> DirHash {
    DirHash::of_go_mod(Sha256Digest::of(module.to_string().as_bytes()))
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let proxy = GoProxyTree::new(directory.path().join("proxy"));
        let mut log = LogBuilder::new("db.example/sum", [3; 32]);
        let modules: Vec<_> = (0..300)
            .map(|n| {
                Module::new("example.com/A".parse().unwrap(), format!("v1.0.{n}").parse().unwrap()).unwrap()
            })
            .collect();
        for (module, id) in modules.iter().zip((0..).step_by(231)) {
            log.grow_to(id);
            log.add(module, hash(module), hash(module));
        }
        log.grow_to(70_000);
        log.write_to(proxy.root()).unwrap();
        Self { directory, proxy, log, modules }
    }

    /// Proves all modules with these settings of `go`.
    fn prove(&self, goproxy: &str, gosumdb: &str) -> Result<Proven, ProveError> {
        let environment = Environment::new([("HOME", self.directory.path().to_str().unwrap())], "/");
        let fetcher = Fetcher::new(
            Client::new(&environment, Patience::default()).unwrap(),
            Cache::of_user(&environment).unwrap(),
            Settings::discover(Some(goproxy), &environment).unwrap(),
        );
        let GoSumDb::Database { key, url } = gosumdb.parse().unwrap() else { panic!("no database") };
        let name = key.name().as_str().parse().unwrap();
        let source = match url {
            Some(url) => fetcher.database_source_at(name, url),
            None => fetcher.database_source(name),
        };
        let stop = Stop::new();
        let files = Online { source, watch: Watch { progress: &Silent, stop: &stop } };
        ChecksumDatabase::new(*key, files, self.tile_cache()).prove(&self.modules, &stop)
    }

    fn tile_cache(&self) -> std::path::PathBuf {
        self.directory.path().join("tiles")
    }

    fn assert_proven(&self, proven: &Proven) {
        assert_eq!(proven.head.size(), 70_000);
        assert_eq!(proven.records.len(), 300);
        for (module, record) in self.modules.iter().zip(&proven.records) {
            assert_eq!(record.h1_of(module), Some(hash(module)));
        }
    }
}

fn count_files(directory: &Path) -> usize {
    walkdir::WalkDir::new(directory).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
}

#[test]
fn modules_are_proven_through_a_proxy() {
    let world = World::new();
    let server = ScriptedServer::serve(world.proxy.root());
    let proven = world.prove(&server.url(), &world.log.key().to_string()).unwrap();
    world.assert_proven(&proven);
    // the full ones of level 0 up to the last module, and one of level 1
    assert_eq!(count_files(&world.tile_cache()), (299 * 231 / 256 + 1) + 1);
}

#[test]
fn modules_are_proven_from_a_directory_as_proxy_and_from_the_address_in_gosumdb() {
    let world = World::new();
    world.assert_proven(&world.prove(&world.proxy.url(), &world.log.key().to_string()).unwrap());
    let gosumdb = format!("{} {}/sumdb/db.example/sum", world.log.key(), world.proxy.url());
    world.assert_proven(&world.prove("off", &gosumdb).unwrap());
}

#[test]
fn one_changed_tile_of_a_proxy_proves_nothing_and_is_not_kept() {
    let world = World::new();
    let name = "sumdb/db.example/sum/tile/8/0/007";
    let mut tile = world.proxy.read(name);
    tile[4000] ^= 1;
    world.proxy.put(name, &tile);
    let error = world.prove(&world.proxy.url(), &world.log.key().to_string()).unwrap_err();
    assert!(error.is_security(), "{error}");
    assert_eq!(count_files(&world.tile_cache()), 0);
}
