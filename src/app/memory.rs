//! What a destination remembers between starts: one small file for each thing, readable by its owner alone.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::destination::{Added, Mark, Memory};

/// The memory of one destination, in a folder of the data directory.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The memory of the destination `name`. Nothing is made before something is remembered.
    pub fn of(data_dir: &Path, name: &str) -> Folder {
        Folder(data_dir.join("destinations").join(name))
    }

    /// The file that holds what is remembered under `key`.
    pub fn file(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    /// Forgets what is remembered under `key`, durably.
    pub fn forget(&self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.file(key)) {
            Ok(()) => fs::File::open(&self.0)?.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The names of all destinations that remember something.
pub fn names(data_dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(data_dir.join("destinations")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

impl Memory for Folder {
    fn recall(&self, key: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.file(key)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remember(&self, key: &str, text: &str) -> io::Result<()> {
        write_private(&self.file(key), text)
    }

    fn append(&self, key: &str, text: &str) -> io::Result<()> {
        let path = self.file(key);
        match fs::OpenOptions::new().append(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                file.sync_data()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => write_private(&path, text),
            Err(error) => Err(error),
        }
    }

    fn added(&self, key: &str, mark: Mark) -> io::Result<Added> {
        let mut file = match fs::File::open(self.file(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Added { text: String::new(), mark: Mark::default(), is_anew: mark != Mark::default() });
            }
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        // The number of a file that went may be given to the next one.
        let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let writing = metadata.ino() ^ born.map_or(0, |born| born.as_nanos() as u64);
        let is_anew = writing != mark.writing || metadata.len() < mark.length;
        let from = if is_anew { 0 } else { mark.length };
        let mut bytes = Vec::new();
        if from < metadata.len() {
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(&mut bytes)?;
        }
        let mark = Mark { writing, length: from + bytes.len() as u64 };
        // What is no text is as damaged as what makes no sense: whoever reads it decides.
        Ok(Added { text: String::from_utf8_lossy(&bytes).into_owned(), mark, is_anew })
    }

    fn hold(&self, key: &str) -> io::Result<Box<dyn Send>> {
        make_private(&self.0)?;
        // Beside it, because what is written anew is another file.
        let file =
            fs::OpenOptions::new().create(true).append(true).mode(0o600).open(self.file(&format!("{key}.lock")))?;
        match file.lock() {
            // Some systems of files know no locks: there it is as if nobody else were there.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
            _ => Ok(Box::new(file)),
        }
    }
}

/// Writes a file that only its owner may read: whole or not at all, also when the machine stops meanwhile.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_private(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = folder.join(name);
    // One that was left behind may be readable by others.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    fs::File::open(folder)?.sync_all()
}

/// Makes a folder, where there is none, that only its owner may look into.
fn make_private(folder: &Path) -> io::Result<()> {
    match folder.exists() {
        true => Ok(()),
        false => fs::DirBuilder::new().recursive(true).mode(0o700).create(folder),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_remembered_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Folder::of(directory.path(), "crm");
        assert_eq!(memory.recall("workspace").unwrap(), None);
        for text in ["one", "two"] {
            memory.remember("workspace", text).unwrap();
            assert_eq!(memory.recall("workspace").unwrap().as_deref(), Some(text));
        }
        memory.append("lines", "one\n").unwrap();
        let first = memory.added("lines", Mark::default()).unwrap();
        assert_eq!((first.text.as_str(), first.is_anew), ("one\n", true));
        memory.append("lines", "two\n").unwrap();
        let second = memory.added("lines", first.mark).unwrap();
        assert_eq!((second.text.as_str(), second.is_anew, second.mark.length), ("two\n", false, 8));
        assert_eq!(memory.added("lines", second.mark).unwrap(), Added { text: String::new(), ..second.clone() });
        memory.remember("lines", "three, and as long as before\n").unwrap();
        let third = memory.added("lines", second.mark).unwrap();
        assert_eq!((third.text.as_str(), third.is_anew), ("three, and as long as before\n", true));
        memory.forget("lines").unwrap();
        let gone = Added { text: String::new(), mark: Mark::default(), is_anew: true };
        assert_eq!(memory.added("lines", third.mark).unwrap(), gone);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = memory.file("workspace");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_one_holds_no_other_process_gets() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Folder::of(directory.path(), "crm");
        let held = memory.hold("lines").unwrap();
        let elsewhere = fs::File::open(memory.file("lines.lock")).unwrap();
        assert!(matches!(elsewhere.try_lock(), Err(fs::TryLockError::WouldBlock)));
        drop(held);
        elsewhere.try_lock().unwrap();
    }
}
