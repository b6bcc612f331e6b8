//! A server that is measured: a process of its own, in a folder of its own, on the disk this was built on.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::admin;
use crate::load::Connection;
use crate::mapping;
use crate::relay;
use crate::standin;

/// The variable that names the address on which this program is to play another part than its own.
pub const ADDRESS: &str = "PLAYED_ADDRESS";
/// The variable that names the folder it may use.
pub const DIRECTORY: &str = "PLAYED_DIRECTORY";
/// The write key that calls carry.
pub const KEY: &str = "key";

/// The destination file that is shipped, for a destination at `address`.
pub fn shipped(address: SocketAddr) -> String {
    let file = mapping::SHIPPED.replace("${INTERCOM_ACCESS_TOKEN}", "token");
    file.replace("  region: us\n", &format!("  base_url: http://{address}\n"))
}

/// Where a router lives: its settings, its destination file and its data, from one start to the next.
pub struct Home {
    directory: TempDir,
    ingest: SocketAddr,
    /// Where metrics, health and deliveries are served.
    pub admin: SocketAddr,
}

impl Home {
    /// A new one with this destination file.
    pub fn new(destination: &str) -> Home {
        Home::with(destination, "")
    }

    /// The same with further settings.
    pub fn with(destination: &str, settings: &str) -> Home {
        let home = Home { directory: directory(), ingest: free_address(), admin: free_address() };
        let mappings = home.directory.path().join("mappings");
        std::fs::create_dir(&mappings).expect("a folder for mappings");
        std::fs::write(mappings.join("intercom.yaml"), destination).expect("a destination file");
        // However much is waiting, taking more is part of what is measured.
        let text = format!(
            "data_dir: {0}/data\nmappings_dir: {0}/mappings\nsources: {{ website: {{ write_key: {KEY} }} }}\n\
             ingest: {{ listen: {1}, backlog_max: 100000000 }}\nadmin: {{ listen: {2} }}\n{settings}",
            home.directory.path().display(),
            home.ingest,
            home.admin,
        );
        std::fs::write(home.settings(), text).expect("a settings file");
        home
    }

    /// The folder of its store.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it says of itself while it runs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log(self.directory.path())).unwrap_or_default()
    }

    fn settings(&self) -> PathBuf {
        self.directory.path().join("interline.yaml")
    }

    /// Starts the router here as it is run, and waits until it is ready: until `/readyz`, which says whether events can be
    /// taken, is 200.
    pub async fn start(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(["serve", "--config"]).arg(self.settings());
        let mut process = Process::start(command, self.ingest, self.directory.path());
        admin::get(self.admin, "/readyz").await;
        process.ready_after = process.began.elapsed();
        process.start_cost = process.processor_time();
        process
    }
}

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    /// Where calls go.
    pub address: SocketAddr,
    /// How long after it was begun the router was ready.
    pub ready_after: Duration,
    /// Processor time it had used by then.
    pub start_cost: Duration,
    began: Instant,
    _directory: Option<TempDir>,
}

impl Process {
    /// The router as it is run, with this destination file, in a folder that goes with it.
    pub async fn interline(destination: &str) -> Process {
        let home = Home::new(destination);
        let process = home.start().await;
        process.keeping(home.directory)
    }

    /// The yardstick for ingest.
    pub async fn bare() -> Process {
        Process::play(None, &[]).await
    }

    /// The yardstick for the whole way, with a destination at `address`.
    pub async fn relay(address: SocketAddr) -> Process {
        Process::play(None, &[(relay::DESTINATION, &address.to_string())]).await
    }

    /// A destination without latency, at `address` or at one that is free.
    pub async fn stand_in(address: Option<SocketAddr>, mood: standin::Mood) -> Process {
        Process::play(address, &[(standin::MOOD, mood.name())]).await
    }

    /// The stand-in Intercom that is part of the product, with the rate limit of the real one.
    pub async fn sandbox() -> Process {
        let (directory, address) = (directory(), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(["sandbox", "--search-lag", "2", "--set", "journal_entries_max=1000", "--listen"]);
        command.arg(address.to_string());
        let process = Process::start(command, address, directory.path());
        drop(reach(address).await);
        process.keeping(directory)
    }

    /// This program in another part.
    async fn play(address: Option<SocketAddr>, part: &[(&str, &str)]) -> Process {
        let (directory, address) = (directory(), address.unwrap_or_else(free_address));
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(DIRECTORY, directory.path()).env(ADDRESS, address.to_string()).envs(part.iter().copied());
        let process = Process::start(command, address, directory.path());
        drop(reach(address).await);
        process.keeping(directory)
    }

    fn start(mut command: Command, address: SocketAddr, directory: &Path) -> Process {
        let log = std::fs::File::options().create(true).append(true).open(log(directory)).expect("a log file");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let began = Instant::now();
        let child = command.spawn().expect("the server starts");
        Process { child, address, ready_after: Duration::ZERO, start_cost: Duration::ZERO, began, _directory: None }
    }

    /// The same, with a folder that goes when it goes.
    fn keeping(mut self, directory: TempDir) -> Process {
        self._directory = Some(directory);
        self
    }

    /// Time since it was begun.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Processor time it has used, from `/proc`.
    pub fn processor_time(&self) -> Duration {
        let text = self.proc("stat");
        let after_name = text.rsplit(')').next().expect("stat names the program");
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap_or(0)).sum();
        // Linux tells it in hundredths of a second on every machine.
        Duration::from_millis(ticks * 10)
    }

    /// Mebibytes that are resident.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:") / 1024.0
    }

    /// Mebibytes that were resident at any time, at most.
    pub fn resident_max(&self) -> f64 {
        self.status("VmHWM:") / 1024.0
    }

    /// Its threads.
    pub fn threads(&self) -> f64 {
        self.status("Threads:")
    }

    /// The files and sockets it has open.
    pub fn handles(&self) -> f64 {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("this runs on Linux").count() as f64
    }

    /// How often its threads went to sleep and were woken.
    pub fn wake_ups(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("this runs on Linux");
        let status = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        let switches = status.filter_map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<u64>().ok()
        });
        switches.sum()
    }

    /// A number in what Linux says of it; of memory in kB.
    fn status(&self, name: &str) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("status tells it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("this runs on Linux")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(directory: &Path) -> PathBuf {
    directory.join("log")
}

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build")
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Connects as soon as somebody listens.
pub async fn reach(address: SocketAddr) -> Connection {
    let patience = async {
        loop {
            match Connection::open(address).await {
                Ok(connection) => return connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patience).await.expect("the server listens within a minute")
}
