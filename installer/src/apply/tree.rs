//! Trees while they are being written: what is to be in them, and the directory handles to write through.

use std::collections::HashMap;
use std::fs::File;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::Utf8PathBuf;
use goferry_manifest::bundle::Blob;

use super::workers;
use crate::fs::{Dir, FsError, NewFile, optional};
use crate::observe::STAGING;

/// What a tree is to hold.
#[derive(Debug)]
pub(crate) struct TreeSpec {
    dirs: Vec<DirSpec>,
    pub(crate) files: Vec<FileSpec>,
    by_path: HashMap<String, usize>,
    dir_mode: u32,
}

#[derive(Debug)]
struct DirSpec {
    parent: usize,
    name: String,
}

/// A file that a tree is to hold.
#[derive(Debug)]
pub(crate) struct FileSpec {
    dir: usize,
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) source: Source,
    /// Whether it may be a hard link into an older tree: nothing writes into it in place.
    pub(crate) linkable: bool,
}

/// Where the content of a file comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The bundle.
    Blob(Blob),
    /// It is known.
    Bytes(Vec<u8>),
    /// It is made when the rest of the tree is there.
    Later,
    /// It is a symbolic link.
    Symlink(&'static str),
}

/// The number of the top directory of a tree.
const TOP: usize = 0;

impl TreeSpec {
    /// An empty tree, whose directories will have this mode.
    pub(crate) fn new(dir_mode: u32) -> Self {
        let top = DirSpec { parent: TOP, name: String::new() };
        let by_path = HashMap::from([(String::new(), TOP)]);
        Self { dirs: vec![top], files: Vec::new(), by_path, dir_mode }
    }

    /// The number of the directory at a path of valid elements; parents have lower numbers.
    pub(crate) fn dir(&mut self, path: &str) -> usize {
        if let Some(number) = self.by_path.get(path) {
            return *number;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.dir(parent);
        self.dirs.push(DirSpec { parent, name: name.to_owned() });
        let number = self.dirs.len() - 1;
        self.by_path.insert(path.to_owned(), number);
        number
    }

    /// Adds a file in a directory, and tells its number.
    pub(crate) fn file(&mut self, dir: usize, name: impl Into<String>, mode: u32, source: Source) -> usize {
        self.files.push(FileSpec { dir, name: name.into(), mode, source, linkable: false });
        self.files.len() - 1
    }

    /// Adds a file that may be a hard link into an older tree.
    pub(crate) fn linkable_file(
        &mut self,
        dir: usize,
        name: impl Into<String>,
        mode: u32,
        source: Source,
    ) -> usize {
        let number = self.file(dir, name, mode, source);
        self.files[number].linkable = true;
        number
    }

    /// The numbers of the files in each directory.
    pub(crate) fn files_by_dir(&self) -> Vec<Vec<usize>> {
        let mut by_dir = vec![Vec::new(); self.dirs.len()];
        for (number, file) in self.files.iter().enumerate() {
            by_dir[file.dir].push(number);
        }
        by_dir
    }
}

/// Handles that may be kept open at once, for all trees together.
#[derive(Debug)]
pub(crate) struct HandleBudget(AtomicUsize);

impl HandleBudget {
    pub(crate) fn new(handles: usize) -> Self {
        Self(AtomicUsize::new(handles))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// The directories of a tree on disk. As many as the budget allows are kept open; the others are opened element by
/// element each time.
#[derive(Debug)]
pub(crate) struct Handles<'s> {
    spec: &'s TreeSpec,
    top: Dir,
    kept: Vec<OnceLock<Dir>>,
    budget: &'s HandleBudget,
}

impl<'s> Handles<'s> {
    pub(crate) fn new(spec: &'s TreeSpec, top: Dir, budget: &'s HandleBudget) -> Self {
        let kept = (0..spec.dirs.len()).map(|_| OnceLock::new()).collect();
        Self { spec, top, kept, budget }
    }

    /// Calls `act` with the handle of a directory.
    pub(crate) fn with<T>(
        &self,
        dir: usize,
        act: impl FnOnce(&Dir) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        if dir == TOP {
            return act(&self.top);
        }
        if let Some(kept) = self.kept[dir].get() {
            return act(kept);
        }
        let DirSpec { parent, name } = &self.spec.dirs[dir];
        let opened = self.open_below(*parent, name)?;
        self.keep(dir, opened, act)
    }

    // Not through `with`: its closures would nest as deep as the tree.
    fn open_below(&self, dir: usize, name: &str) -> Result<Dir, FsError> {
        if dir == TOP {
            return self.top.open_dir(name);
        }
        if let Some(kept) = self.kept[dir].get() {
            return kept.open_dir(name);
        }
        let DirSpec { parent, name: own } = &self.spec.dirs[dir];
        self.open_below(*parent, own)?.open_dir(name)
    }

    fn keep<T>(
        &self,
        dir: usize,
        opened: Dir,
        act: impl FnOnce(&Dir) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        if self.budget.take() { act(self.kept[dir].get_or_init(|| opened)) } else { act(&opened) }
    }
}

impl Drop for Handles<'_> {
    fn drop(&mut self) {
        let kept = self.kept.iter().filter(|handle| handle.get().is_some()).count();
        self.budget.0.fetch_add(kept, Ordering::Relaxed);
    }
}

/// A tree that does not have its name yet.
#[derive(Debug)]
pub(crate) struct Staging<'s> {
    pub(crate) spec: &'s TreeSpec,
    parent: &'s Dir,
    name: String,
    handles: Handles<'s>,
}

impl<'s> Staging<'s> {
    /// Makes the directories of a tree that will be `name` in `parent`.
    pub(crate) fn create(
        parent: &'s Dir,
        name: &str,
        spec: &'s TreeSpec,
        budget: &'s HandleBudget,
    ) -> Result<Self, FsError> {
        let staging = format!("{STAGING}{name}");
        if parent.kind(&staging)?.is_some() {
            parent.remove_tree(&staging)?;
        }
        let mut top = parent.create_dir(&staging, 0o700)?;
        top.learn_modes()?;
        tracing::debug!(path = %top.path(), files = spec.files.len(), dirs = spec.dirs.len(), "write the tree");
        let handles = Handles::new(spec, top, budget);
        for (number, DirSpec { parent, name }) in spec.dirs.iter().enumerate().skip(1) {
            let made = handles.with(*parent, |parent| parent.create_dir(name, 0o700))?;
            handles.keep(number, made, |_| Ok(()))?;
        }
        Ok(Self { spec, parent, name: name.to_owned(), handles })
    }

    /// Begins a file.
    pub(crate) fn create_file(&self, number: usize) -> Result<NewFile, FsError> {
        let FileSpec { dir, name, mode, .. } = &self.spec.files[number];
        self.handles.with(*dir, |dir| dir.create_file(name, *mode))
    }

    /// Writes a whole file.
    pub(crate) fn write_file(&self, number: usize, content: &[u8]) -> Result<(), FsError> {
        self.create_file(number)?.write_all(content)
    }

    /// Opens a file that was written.
    pub(crate) fn open_file(&self, number: usize) -> Result<File, FsError> {
        let FileSpec { dir, name, .. } = &self.spec.files[number];
        self.handles.with(*dir, |dir| dir.open_file(name))
    }

    /// Writes every file and link whose content is known, except those in `done`.
    pub(crate) fn write_known(&self, done: &[bool]) -> Result<(), FsError> {
        for (number, FileSpec { dir, name, source, .. }) in self.spec.files.iter().enumerate() {
            match source {
                _ if done.get(number) == Some(&true) => {}
                Source::Bytes(bytes) => self.write_file(number, bytes)?,
                Source::Symlink(target) => self.handles.with(*dir, |dir| dir.symlink(name, target))?,
                Source::Blob(_) | Source::Later => {}
            }
        }
        Ok(())
    }

    /// Calls `act` with the handle of a directory.
    pub(crate) fn with_dir<T>(
        &self,
        dir: usize,
        act: impl FnOnce(&Dir) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.handles.with(dir, act)
    }

    /// Where a file will be: for messages.
    pub(crate) fn path_of(&self, number: usize) -> Utf8PathBuf {
        let FileSpec { dir, name, .. } = &self.spec.files[number];
        let mut elements = vec![name.as_str()];
        let mut dir = *dir;
        while dir != TOP {
            elements.push(&self.spec.dirs[dir].name);
            dir = self.spec.dirs[dir].parent;
        }
        elements.reverse();
        self.parent.path().join(&self.name).join(elements.join("/"))
    }

    /// The top directory.
    pub(crate) fn top(&self) -> &Dir {
        &self.handles.top
    }

    /// Syncs every file and directory, and gives directories their final mode.
    pub(crate) fn sync(&self, threads: usize) -> Result<(), FsError> {
        let by_dir: Vec<_> = self.spec.files_by_dir().into_iter().enumerate().collect();
        workers::for_each(threads, &by_dir, |(number, files)| {
            self.handles.with(*number, |dir| {
                for file in files.iter().map(|file| &self.spec.files[*file]) {
                    if !matches!(file.source, Source::Symlink(_)) {
                        dir.sync_file(&file.name)?;
                    }
                }
                dir.set_mode(self.spec.dir_mode)?;
                dir.sync()
            })
        })
    }

    /// Gives the tree its name.
    pub(crate) fn publish(&self) -> Result<(), FsError> {
        tracing::debug!(path = %self.parent.path().join(&self.name), "name the tree");
        self.parent.rename(&format!("{STAGING}{}", self.name), &self.name)?;
        self.parent.sync()
    }
}

/// Removes a directory that may not be there.
pub(crate) fn remove_if_there(parent: &Dir, name: &str) -> Result<(), FsError> {
    optional(parent.remove_tree(name)).map(drop)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn a_deep_tree_needs_no_open_handles() {
        // bad-inputs #32, #83
        for handles in [0, 5, 1000] {
            let dir = tempfile::tempdir().unwrap();
            let parent = Dir::open(Utf8Path::from_path(dir.path()).unwrap()).unwrap();
            let mut spec = TreeSpec::new(0o755);
            let deep = vec!["d"; 300].join("/");
            let bottom = spec.dir(&deep);
            let file = spec.file(bottom, "file", 0o644, Source::Bytes(b"content".to_vec()));
            let budget = HandleBudget::new(handles);
            let staging = Staging::create(&parent, "tree", &spec, &budget).unwrap();
            staging.write_known(&[]).unwrap();
            staging.sync(2).unwrap();
            assert_eq!(std::io::read_to_string(staging.open_file(file).unwrap()).unwrap(), "content");
            assert!(staging.path_of(file).ends_with("tree/".to_owned() + &deep + "/file"));
            staging.publish().unwrap();
            drop(staging);
            assert_eq!(budget.0.into_inner(), handles);
            assert!(dir.path().join("tree").join(deep).join("file").exists());
            parent.remove_tree("tree").unwrap();
        }
    }

    #[test]
    fn nothing_is_written_through_a_link_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Dir::open(Utf8Path::from_path(dir.path()).unwrap()).unwrap();
        let mut spec = TreeSpec::new(0o755);
        let below = spec.dir("below");
        let file = spec.file(below, "file", 0o644, Source::Later);
        let budget = HandleBudget::new(0);
        let staging = Staging::create(&parent, "tree", &spec, &budget).unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::remove_dir(dir.path().join(".staging-tree/below")).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join(".staging-tree/below")).unwrap();
        assert!(staging.write_file(file, b"").is_err());
        assert_eq!(std::fs::read_dir(outside).unwrap().count(), 0);
        std::fs::remove_file(dir.path().join(".staging-tree/below")).unwrap();
        std::fs::create_dir(dir.path().join(".staging-tree/below")).unwrap();
        staging.write_file(file, b"1").unwrap();
        assert!(staging.write_file(file, b"2").is_err());
    }
}
