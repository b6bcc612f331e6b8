//! A server that is measured: a process of its own, in a folder of its own, on the disk this was built on.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::bare;
use crate::load::Connection;

/// The write key that calls carry.
pub const KEY: &str = "key";

/// A running server; ended when dropped.
pub struct Process {
    child: Child,
    /// Where calls go.
    pub address: SocketAddr,
    _directory: TempDir,
}

impl Process {
    /// The router as it is run, with this destination file.
    pub async fn interline(destination: &str) -> Process {
        let directory = directory();
        let (address, admin) = (free_address(), free_address());
        let mappings = directory.path().join("mappings");
        std::fs::create_dir(&mappings).expect("a folder for mappings");
        std::fs::write(mappings.join("intercom.yaml"), destination).expect("a destination file");
        let settings = format!(
            "data_dir: {0}/data\nmappings_dir: {0}/mappings\nsources: {{ website: {{ write_key: {KEY} }} }}\n\
             ingest: {{ listen: {address} }}\nadmin: {{ listen: {admin} }}\n",
            directory.path().display()
        );
        let file = directory.path().join("interline.yaml");
        std::fs::write(&file, settings).expect("a settings file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(["serve", "--config"]).arg(file);
        let process = Process::start(command, address, directory);
        reach(admin).await.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        process
    }

    /// The yardstick for ingest.
    pub async fn bare() -> Process {
        let (directory, address) = (directory(), free_address());
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(bare::DIRECTORY, directory.path()).env(bare::ADDRESS, address.to_string());
        let process = Process::start(command, address, directory);
        drop(reach(address).await);
        process
    }

    fn start(mut command: Command, address: SocketAddr, directory: TempDir) -> Process {
        let log = std::fs::File::create(directory.path().join("log")).expect("a log file");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process { child: command.spawn().expect("the server starts"), address, _directory: directory }
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
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("status tells the memory");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number of kB") / 1024.0
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

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build")
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

async fn reach(address: SocketAddr) -> Connection {
    let patience = async {
        loop {
            match Connection::open(address).await {
                Ok(connection) => return connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), patience).await.expect("the server listens within 20 s")
}
