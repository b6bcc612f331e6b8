//! Reading all destination files for a service that runs, and remembering what was read on the way.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use sha2::{Digest, Sha256};

use super::files;
use crate::app::{Fingerprint, Found};
use crate::destination;
use crate::yaml::{Lookup, Missing, Problems};

/// The folder of destination files, and what to read them with.
pub(super) struct Reading {
    folder: PathBuf,
    sources: Vec<String>,
    /// Every file that the last reading looked at: destination files, and the secrets they name.
    looked_at: Mutex<BTreeSet<PathBuf>>,
}

impl Reading {
    pub(super) fn new(folder: &Path, sources: Vec<String>) -> Reading {
        Reading { folder: folder.to_owned(), sources, looked_at: Mutex::default() }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every file that the last reading looked at.
    pub(super) fn looked_at(&self) -> BTreeSet<PathBuf> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.looked_at.lock().expect("no code panics with this lock")
    }

    /// Reads every file. The error: there is none, or they cannot be listed.
    pub(super) fn read(&self) -> Result<Vec<Found>, Problems> {
        let paths = files::in_folder(&self.folder).map_err(|error| self.refuse("folder_unreadable", error))?;
        let mut looked_at = BTreeSet::new();
        let found: Vec<Found> = paths.iter().filter_map(|path| self.read_one(path, &mut looked_at)).collect();
        *self.lock() = looked_at;
        if found.is_empty() {
            let error = anyhow::anyhow!(
                "there is no destination file (*.yaml) in {}, so events would go nowhere; mappings/intercom.yaml is one to start from, and `enabled: false` switches one off",
                self.folder.display()
            );
            return Err(self.refuse("folder_empty", error));
        }
        Ok(found)
    }

    fn refuse(&self, code: &'static str, error: anyhow::Error) -> Problems {
        files::unreadable(&self.folder, code, format!("{error:#}"))
    }

    /// One file; `None` when it went away since it was listed.
    fn read_one(&self, path: &Path, looked_at: &mut BTreeSet<PathBuf>) -> Option<Found> {
        looked_at.insert(path.to_owned());
        let file = path.display().to_string();
        let text = match files::text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return None,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                let fingerprint = Seal::default().with(&["unreadable", &message]).done();
                return Some(Found {
                    fingerprint,
                    compiled: Err(files::unreadable(path, "file_unreadable", message)),
                    file,
                });
            }
        };
        let environment = files::environment();
        let seal = RefCell::new(Seal::default().with(&[&text]));
        let looked = RefCell::new(looked_at);
        let note = |what: &str, name: &str, value: &str| {
            let so_far = seal.take();
            *seal.borrow_mut() = so_far.with(&[what, name, value]);
        };
        let variable = |name: &str| {
            let value = environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            note("variable", name, value.as_deref().unwrap_or_default());
            value
        };
        let secret = |name: &str| {
            looked.borrow_mut().insert(name.into());
            let value = files::secret(name);
            note("file", name, value.as_deref().unwrap_or_else(|error| error));
            value
        };
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        let lookup = Lookup { environment: &variable, file: &secret, missing: Missing::RefusedWhenOn };
        let compiled = destination::compile(&text, &file, Some(&sources), lookup);
        let fingerprint = seal.take().done();
        Some(Found { file, fingerprint, compiled })
    }
}

/// Sums up texts, each with its length, so that no two rows of texts have one sum.
#[derive(Default)]
struct Seal(Sha256);

impl Seal {
    fn with(mut self, texts: &[&str]) -> Seal {
        for text in texts {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
        self
    }

    fn done(self) -> Fingerprint {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "destination: intercom\nsettings: { region: us, access_token: \"${file:TOKEN}\" }\nmappings: [{ name: a, action: track_event }]\n";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Folder {
            let folder = Folder(tempfile::tempdir().unwrap());
            folder.write("token", "first\n");
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            let text = text.replace("TOKEN", self.path("token").to_str().unwrap());
            std::fs::write(self.path(name), text).unwrap();
        }

        fn reading(&self) -> Reading {
            Reading::new(self.0.path(), Vec::new())
        }
    }

    #[test]
    fn a_reading_differs_when_the_text_or_a_secret_in_it_does() {
        let folder = Folder::new();
        folder.write("a.yaml", FILE);
        let reading = folder.reading();
        let fingerprint = || reading.read().unwrap()[0].fingerprint;
        let first = fingerprint();
        assert_eq!(fingerprint(), first);
        folder.write("token", "second\n");
        let second = fingerprint();
        assert_ne!(second, first);
        folder.write("a.yaml", &format!("{FILE}# more\n"));
        assert_ne!(fingerprint(), second);
        assert_eq!(reading.looked_at(), BTreeSet::from([folder.path("a.yaml"), folder.path("token")]));
    }

    #[test]
    fn only_destination_files_are_read_and_one_that_cannot_be_is_a_problem() {
        let folder = Folder::new();
        for name in [".a.yaml", "a.yaml~", "a.yaml.swp", "4913", "b.yml"] {
            folder.write(name, FILE);
        }
        std::fs::write(folder.path("c.yaml"), [0xff, 0xfe]).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path("d.yaml")).unwrap();
        let found = folder.reading().read().unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.file.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["b.yml", "c.yaml", "d.yaml"]);
        assert!(found[0].compiled.is_ok());
        for found in &found[1..] {
            let problems = found.compiled.as_ref().unwrap_err();
            assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["file_unreadable"]);
        }
    }

    #[test]
    fn an_empty_folder_and_none_at_all_are_problems() {
        let folder = Folder::new();
        assert_eq!(folder.reading().read().err().unwrap().iter().next().unwrap().code, "folder_empty");
        let none = Reading::new(&folder.path("none"), Vec::new());
        assert_eq!(none.read().err().unwrap().iter().next().unwrap().code, "folder_unreadable");
    }
}
