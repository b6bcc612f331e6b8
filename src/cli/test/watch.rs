//! Waiting until a destination file changes.
//!
//! Folders are watched, not files: editors save by writing another file and renaming it, and a mounted configuration is
//! swapped by a link, both of which leave a watch on the file itself behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, bail};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

/// One save is several changes; they are over when nothing has changed for so long.
const QUIET: Duration = Duration::from_millis(60);
/// A folder that never comes to rest is looked at after so many quiet times nevertheless.
const CHANGES_MAX: usize = 200;

/// Watches destination files and folders of them.
pub(super) struct Watcher {
    /// Watches as long as it lives.
    _watcher: RecommendedWatcher,
    changes: Receiver<notify::Result<Event>>,
    paths: Vec<PathBuf>,
}

impl Watcher {
    /// Begins to watch.
    pub(super) fn new(paths: &[PathBuf]) -> anyhow::Result<Watcher> {
        let (sender, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |change| drop(sender.send(change)))?;
        for folder in folders(paths) {
            watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
        }
        Ok(Watcher { _watcher: watcher, changes, paths: paths.to_vec() })
    }

    /// Returns when one of the files has changed and come to rest.
    pub(super) fn wait(&self) -> anyhow::Result<()> {
        let mut next = |quiet: Option<Duration>| match quiet {
            None => self.changes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(quiet) => self.changes.recv_timeout(quiet),
        };
        settle(&mut next, &|path| concerns(&self.paths, path))
    }
}

/// Waits for the first change that concerns us, then until there is no further one for a while. `next` gives the next
/// change, waiting for it at most as long as it is told.
fn settle(
    next: &mut dyn FnMut(Option<Duration>) -> Result<notify::Result<Event>, RecvTimeoutError>,
    concerns: &dyn Fn(&Path) -> bool,
) -> anyhow::Result<()> {
    let mut changes = 0;
    loop {
        match next((changes > 0).then_some(QUIET)) {
            // Reading a file is no change of it, or running the tests would run them again.
            Ok(Ok(event)) if event.kind.is_access() => {}
            Ok(Ok(event)) if changes > 0 || event.paths.iter().any(|path| concerns(path)) => changes += 1,
            Ok(Ok(event)) if event.need_rescan() => changes += 1,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => bail!("cannot watch any longer: {error}"),
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("watching has ended"),
        }
        if changes >= CHANGES_MAX {
            return Ok(());
        }
    }
}

/// The folders in which changes can be seen: those given, and those of the files given.
fn folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let folder = |path: &PathBuf| match path.is_dir() {
        true => path.clone(),
        false => match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        },
    };
    paths.iter().map(folder).collect()
}

/// Whether a change at `path` may change what is tested: it is one of the files, or a YAML file or a link's target in
/// one of the folders.
fn concerns(watched: &[PathBuf], path: &Path) -> bool {
    let Some(name) = path.file_name() else { return true };
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    // Kubernetes swaps the folder `..data` that the files are links into.
    let is_swap = name == OsStr::new("..data");
    let is_hidden = name.to_string_lossy().starts_with('.');
    watched.iter().any(|one| one.file_name() == Some(name))
        || is_swap
        || (is_yaml && !is_hidden && watches_folder(watched))
}

fn watches_folder(watched: &[PathBuf]) -> bool {
    watched.iter().any(|path| path.extension().is_none_or(|extension| extension != "yaml" && extension != "yml"))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use notify::EventKind;
    use notify::event::{AccessKind, CreateKind, ModifyKind, RenameMode};

    use super::*;

    /// Plays changes (`None`: nothing for a while) and gives how many were taken before waiting was over.
    fn played(changes: &[Option<(EventKind, &str)>]) -> usize {
        let mut left: VecDeque<_> = changes.iter().cloned().collect();
        let mut next = |quiet: Option<Duration>| loop {
            match left.pop_front() {
                Some(Some((kind, path))) => return Ok(Ok(Event::new(kind).add_path(path.into()))),
                // Without a limit it waits on.
                Some(None) if quiet.is_none() => {}
                Some(None) => return Err(RecvTimeoutError::Timeout),
                None => return Err(RecvTimeoutError::Disconnected),
            }
        };
        let _ = settle(&mut next, &|path| concerns(&["mappings".into()], path));
        changes.len() - left.len()
    }

    #[test]
    fn a_save_is_over_when_it_is_quiet() {
        let write = EventKind::Modify(ModifyKind::Any);
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let create = EventKind::Create(CreateKind::File);
        let read = EventKind::Access(AccessKind::Read);
        assert_eq!(played(&[Some((write, "mappings/a.yaml")), None, Some((write, "mappings/a.yaml"))]), 2);
        let renamed = [
            Some((create, "mappings/.a.yaml.swp")),
            None,
            Some((create, "mappings/4913")),
            Some((rename, "mappings/a.yaml")),
            Some((write, "mappings/a.yaml~")),
            None,
            None,
        ];
        assert_eq!(played(&renamed), 6);
        assert_eq!(played(&[Some((read, "mappings/a.yaml")), None, Some((write, "mappings/..data")), None]), 4);
        let restless = vec![Some((write, "mappings/a.yaml")); CHANGES_MAX + 5];
        assert_eq!(played(&restless), CHANGES_MAX);
    }

    #[test]
    fn only_destination_files_concern_us() {
        let check = |watched: &str, path: &str| concerns(&[watched.into()], Path::new(path));
        assert!(check("mappings", "mappings/new.yml") && check("mappings", "mappings"));
        assert!(!check("mappings", "mappings/notes.md") && !check("mappings", "mappings/.#a.yaml"));
        assert!(check("a.yaml", "./a.yaml") && !check("a.yaml", "./b.yaml"));
    }
}
