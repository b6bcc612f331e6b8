//! The service with a recorder between it and the disk: what it wrote and synced, in order, and a disk that fails when told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// What was done to the store's files.
#[derive(Debug, Clone)]
pub enum Deed {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    Create,
    Unlink,
    /// What had been done to this file by that moment is on the disk.
    Synced(u64),
    /// What had been done to the directory by that moment is on the disk.
    FolderSynced(u64),
    /// The process died, and this is what the file held then: the last deed may have been cut short.
    Found(Vec<u8>),
}

/// A deed, the file it was done to, and when: bytes of the log so far.
#[derive(Debug, Clone)]
pub struct Record {
    pub moment: u64,
    pub file: String,
    pub deed: Deed,
}

/// Files whose names begin with this are recorded.
const RECORDED: [&str; 3] = ["interline.db", "interline.db-wal", "interline.db-journal"];

/// The recorder, compiled once for all tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorder.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/crash/recorder.c");
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&path).arg(source);
        assert!(compiler.status().expect("a C compiler, as SQLite needs one too").success());
        (folder, path)
    });
    path
}

/// Between a service and its disk, over several lives of the service.
pub struct Recorder {
    root: PathBuf,
    logs: TempDir,
    lives: AtomicU64,
    /// Bytes of the logs of earlier lives.
    before: AtomicU64,
}

impl Recorder {
    /// For the data directory of a service.
    pub fn new(data: &Path) -> Recorder {
        std::fs::create_dir_all(data).unwrap();
        let recorder = Recorder {
            root: data.canonicalize().unwrap(),
            logs: tempfile::tempdir().unwrap(),
            lives: AtomicU64::new(0),
            before: AtomicU64::new(0),
        };
        recorder.fail(None, None);
        recorder
    }

    fn log(&self, life: u64) -> PathBuf {
        self.logs.path().join(format!("{life}.log"))
    }

    fn kept(&self, life: u64, file: &str) -> PathBuf {
        self.logs.path().join(format!("{life}.{file}"))
    }

    /// From now on only so many syncs succeed, and all files together may have so many bytes.
    pub fn fail(&self, syncs: Option<u64>, bytes: Option<u64>) {
        let number = |bound: Option<u64>| bound.map_or(-1, |bound| bound as i64).to_ne_bytes();
        let path = self.logs.path().join("faults");
        // Written in place: the service has it mapped.
        use std::io::{Seek, Write};
        let mut file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
        file.rewind().unwrap();
        file.write_all(&[number(syncs), number(bytes)].concat()).unwrap();
    }

    /// What the service's environment needs, so that it is recorded; without a log only faults are made.
    pub fn environment(&self, with_log: bool) -> Vec<(&'static str, PathBuf)> {
        let mut variables = vec![
            ("LD_PRELOAD", library().to_owned()),
            ("RECORD_ROOT", self.root.clone()),
            ("RECORD_FAULTS", self.logs.path().join("faults")),
        ];
        if with_log {
            variables.push(("RECORD_LOG", self.log(self.lives.load(Ordering::SeqCst))));
        }
        variables
    }

    /// Everything that was recorded by now has an earlier moment.
    pub fn moment(&self) -> u64 {
        let log = self.log(self.lives.load(Ordering::SeqCst));
        self.before.load(Ordering::SeqCst) + std::fs::metadata(log).map_or(0, |facts| facts.len())
    }

    /// The service has ended: keeps what it left, and begins a new log.
    pub fn end_life(&self) {
        let life = self.lives.load(Ordering::SeqCst);
        for file in RECORDED {
            // A file that is not there has nothing to keep.
            let _ = std::fs::copy(self.root.join(file), self.kept(life, file));
        }
        self.before.store(self.moment(), Ordering::SeqCst);
        self.lives.store(life + 1, Ordering::SeqCst);
    }

    /// Everything that was recorded, in order.
    pub fn records(&self) -> Vec<Record> {
        let (mut records, mut before) = (Vec::new(), 0);
        for life in 0..self.lives.load(Ordering::SeqCst) {
            let log = std::fs::read(self.log(life)).unwrap();
            parse(&log, before, &mut records);
            before += log.len() as u64;
            let found: BTreeMap<_, _> =
                RECORDED.iter().filter_map(|file| Some((*file, std::fs::read(self.kept(life, file)).ok()?))).collect();
            let found = found.into_iter().map(|(file, bytes)| (file.to_owned(), Deed::Found(bytes)));
            records.extend(found.map(|(file, deed)| Record { moment: before, file, deed }));
        }
        records
    }
}

/// Reads a log up to its end, or to a record that was cut short by the death of the process.
fn parse(log: &[u8], before: u64, records: &mut Vec<Record>) {
    let mut at = 0;
    while let Some(head) = log.get(at..at + 24) {
        let word = |from: usize| u32::from_ne_bytes(head[from..from + 4].try_into().unwrap());
        let long = |from: usize| u64::from_ne_bytes(head[from..from + 8].try_into().unwrap());
        let (kind, name, place, length) = (word(0), word(4) as usize, long(8), long(16) as usize);
        let payload = at + 24 + name;
        let end = payload + if kind == 1 { length } else { 0 };
        let Some(bytes) = log.get(payload..end) else { return };
        let deed = match kind {
            1 => Deed::Write { at: place as usize, bytes: bytes.to_vec() },
            2 => Deed::Truncate(place as usize),
            3 => Deed::Create,
            4 => Deed::Unlink,
            5 => Deed::Synced(before + place),
            6 => Deed::FolderSynced(before + place),
            other => panic!("the recorder wrote a record of kind {other}"),
        };
        let file = String::from_utf8(log[at + 24..payload].to_vec()).unwrap();
        records.push(Record { moment: before + at as u64, file, deed });
        at = end;
    }
}
