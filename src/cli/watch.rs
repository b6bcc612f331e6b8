//! Watching destination files and the secrets they name, and telling a moment after they changed.
//!
//! # Why
//! Folders are watched, not files: editors save by renaming a new file over the old one, and Kubernetes swaps a symbolic
//! link (`..data`) beside the files; a watch on the file itself would follow the old one. Which event it was does not
//! matter, because whoever is told reads everything and finds out by itself what is different.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::files;
use super::reading::Reading;
use crate::app::Reloader;

/// A file is read when nothing has changed for this long: most savers need several steps.
const QUIET: Duration = Duration::from_millis(150);
/// It is read after this long although something still changes.
const PATIENCE_MAX: Duration = Duration::from_millis(600);
/// How often files are read where they cannot be watched.
const POLL: Duration = Duration::from_secs(2);

/// Reloads whenever something of interest has changed. Ends with the task it runs in.
pub(super) async fn reload_on_change(reading: Arc<Reading>, reloader: Reloader) {
    let mut is_told = false;
    loop {
        let interest = Interest::of(&reading);
        // The watch stands before the files are read, so that no change falls between.
        let watching = interest.watch();
        reloader.reload().await;
        if Interest::of(&reading) != interest {
            continue;
        }
        match watching {
            Ok(mut watching) => watching.changed().await,
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "The destination files cannot be watched; they are read every {POLL:?} instead");
                }
                sleep(POLL).await;
            }
        }
    }
}

/// A watch that stands. It ends when this is dropped.
pub(super) struct Watching {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Watching {
    /// Waits for a change, one since the watch began included, and then until it is quiet.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return;
        }
        let first = Instant::now();
        let mut last = first;
        loop {
            tokio::select! {
                () = sleep_until(due(first, last)) => return,
                Some(()) = self.changes.recv() => last = Instant::now(),
            }
        }
    }
}

/// When to read, after a first and a last change.
fn due(first: Instant, last: Instant) -> Instant {
    (last + QUIET).min(first + PATIENCE_MAX)
}

/// What is looked out for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interest {
    /// Where destination files lie, whatever they are called.
    homes: BTreeSet<PathBuf>,
    /// These, and every file of interest by itself, under the name it was given and where links lead.
    targets: BTreeSet<PathBuf>,
    /// The folders in which all of them can change.
    folders: BTreeSet<PathBuf>,
}

impl Interest {
    /// The folder of a reading, and every file it looked at.
    fn of(reading: &Reading) -> Interest {
        Interest::new(&[reading.folder().to_owned()], reading.looked_at())
    }

    /// All destination files in folders, and files.
    pub(super) fn new(homes: &[PathBuf], files: impl IntoIterator<Item = PathBuf>) -> Interest {
        let homes: BTreeSet<PathBuf> = homes.iter().map(|path| absolute(path)).collect();
        let mut targets = homes.clone();
        targets.extend(files.into_iter().map(|path| absolute(&path)));
        let real: Vec<PathBuf> = targets.iter().filter_map(|path| path.canonicalize().ok()).collect();
        targets.extend(real);
        let mut folders: BTreeSet<PathBuf> = homes.iter().map(|path| existing(path)).collect();
        for target in &targets {
            // A link anywhere on the way may be turned; the last step may be anything.
            let turns = target.ancestors().skip(1).filter(|step| step.is_symlink());
            let steps = turns.chain([target.as_path()]).filter_map(Path::parent);
            folders.extend(steps.map(existing));
        }
        Interest { homes, targets, folders }
    }

    /// Begins to watch.
    pub(super) fn watch(&self) -> notify::Result<Watching> {
        let (tell, changes) = mpsc::channel(1);
        let interest = self.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // When events were lost, anything may have changed.
            if event.map_or(true, |event| interest.is_met_by(&event)) {
                // One that is not taken yet says the same.
                let _ = tell.try_send(());
            }
        })?;
        for folder in &self.folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Watching { _watcher: watcher, changes })
    }

    fn is_met_by(&self, event: &Event) -> bool {
        let only_reads = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        };
        event.need_rescan() || (!only_reads && event.paths.iter().any(|path| self.wants(path)))
    }

    /// Whether a change of what lies at `path` matters.
    fn wants(&self, path: &Path) -> bool {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return true };
        let is_swap = name.as_encoded_bytes().starts_with(b"..");
        let is_way = || self.targets.iter().any(|target| target.starts_with(path));
        let is_home = self.homes.contains(parent);
        match is_swap {
            true => is_home || self.targets.iter().any(|target| target.parent() == Some(parent)),
            false => (is_home && is_destination_file(name)) || is_way(),
        }
    }
}

fn is_destination_file(name: &OsStr) -> bool {
    files::is_yaml(Path::new(name)) && !name.as_encoded_bytes().starts_with(b".")
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest() -> Interest {
        let paths = ["/etc/i/mappings", "/etc/i/mappings/a.yaml", "/run/secrets/token", "/srv/..x/a.yaml"];
        let targets = paths.map(PathBuf::from).into();
        Interest { homes: BTreeSet::from(["/etc/i/mappings".into()]), targets, folders: BTreeSet::new() }
    }

    #[test]
    fn destination_files_secrets_and_the_ways_to_them_matter_and_nothing_else() {
        for (path, matters) in [
            ("/etc/i/mappings/a.yaml", true),
            ("/etc/i/mappings/new.yml", true),
            ("/etc/i/mappings/..data", true),
            ("/etc/i/mappings", true),
            ("/etc/i", true),
            ("/run/secrets/token", true),
            ("/run/secrets/..data", true),
            ("/srv/..x/a.yaml", true),
            ("/etc/i/mappings/.a.yaml.swp", false),
            ("/etc/i/mappings/.a.yaml", false),
            ("/etc/i/mappings/a.yaml~", false),
            ("/etc/i/mappings/4913", false),
            ("/etc/i/mappings/#a.yaml#", false),
            ("/etc/i/mappings/README.md", false),
            ("/etc/i/other.yaml", false),
            ("/run/secrets/other", false),
            ("/var/..data", false),
        ] {
            assert_eq!(interest().wants(Path::new(path)), matters, "{path}");
        }
    }

    #[test]
    fn of_files_given_by_name_only_they_matter() {
        let interest = Interest::new(&["/etc/i/more".into()], ["/etc/i/a.yaml".into(), "b.yaml".into()]);
        let here = absolute(Path::new("b.yaml"));
        for (path, matters) in [
            (Path::new("/etc/i/a.yaml"), true),
            (Path::new("/etc/i/..data"), true),
            (Path::new("/etc/i/b.yaml"), false),
            (Path::new("/etc/i/more/b.yaml"), true),
            (&here, true),
            (&here.with_file_name("a.yaml"), false),
        ] {
            assert_eq!(interest.wants(path), matters, "{}", path.display());
        }
    }

    #[test]
    fn reading_is_no_change_and_lost_events_are() {
        let event = |kind| Event::new(kind).add_path("/etc/i/mappings/a.yaml".into());
        let access = |kind| interest().is_met_by(&event(EventKind::Access(kind)));
        assert!(!access(AccessKind::Open(AccessMode::Any)));
        assert!(!access(AccessKind::Close(AccessMode::Read)));
        assert!(access(AccessKind::Close(AccessMode::Write)));
        assert!(interest().is_met_by(&event(EventKind::Any)));
        assert!(!interest().is_met_by(&Event::new(EventKind::Other)));
        assert!(interest().is_met_by(&Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    }

    #[test]
    fn changes_are_waited_out_but_not_for_ever() {
        let first = Instant::now();
        assert_eq!(due(first, first), first + QUIET);
        let later = first + Duration::from_millis(100);
        assert_eq!(due(first, later), later + QUIET);
        assert_eq!(due(first, first + Duration::from_secs(5)), first + PATIENCE_MAX);
    }

    #[test]
    fn links_are_followed_and_what_is_missing_is_awaited() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("releases/1/mappings")).unwrap();
        std::os::unix::fs::symlink("releases/1", root.join("current")).unwrap();
        let reading = Reading::new(&root.join("current/mappings"), Vec::new());
        let interest = Interest::of(&reading);
        let folders = ["", "current", "current/mappings", "releases/1"].map(|name| root.join(name));
        let watched: BTreeSet<PathBuf> = folders.iter().map(|path| path.components().collect()).collect();
        assert_eq!(interest.folders, watched);
        assert!(interest.wants(&root.join("current")));
        let reading = Reading::new(&root.join("none/mappings"), Vec::new());
        let interest = Interest::of(&reading);
        assert_eq!(interest.folders, BTreeSet::from([root.clone()]));
        assert!(interest.wants(&root.join("none")));
    }
}
