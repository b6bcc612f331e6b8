//! What several tests need: the real binary as a process, and a sandbox beside it.

pub mod state;
pub mod virtual_time;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use interline::delivery::Steps;
use interline::destination::Notes;
use interline::instant::Timestamp;
use interline::sandbox::{self, Sandbox, SearchLag};

/// The clock of tests that talk to real processes.
#[expect(clippy::disallowed_methods, reason = "a test beside a real process shares its clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Makes TLS available to HTTP clients of this process.
pub fn http() -> reqwest::Client {
    static RING: Once = Once::new();
    RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The file in which the requests (or replies) of every sandbox of this process are written, when the environment names a
/// folder: a checker of the published API description reads them.
pub fn journal(what: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("INTERLINE_JOURNALS")?);
    std::fs::create_dir_all(&folder).unwrap();
    Some(folder.join(format!("{what}.jsonl")))
}

/// A sandbox that answers at once, finds at once and limits nothing.
pub async fn quick_sandbox() -> sandbox::Running {
    sandbox_that(|_| {}).await
}

/// The same, with something changed.
pub async fn sandbox_that(change: impl FnOnce(&mut sandbox::Settings)) -> sandbox::Running {
    let mut settings = sandbox::Settings {
        search_lag_secs: SearchLag::Secs(0),
        rate_limit_per_10s: 1_000_000_000,
        journal: journal("requests"),
        journal_replies: journal("replies"),
        ..sandbox::Settings::default()
    };
    change(&mut settings);
    Sandbox::start(settings, TcpListener::bind("127.0.0.1:0").unwrap(), now).unwrap()
}

/// Keeps no record of what is about to be done: the attempt is one of a delivery, and no process ends in it.
pub struct NoNotes;

impl Notes for NoNotes {
    fn note(&self, _: Steps) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A running `interline serve`.
pub struct Served {
    child: Child,
    pub ingest: SocketAddr,
    pub admin: SocketAddr,
}

impl Served {
    /// Writes settings and a destination file that points at `intercom` into `directory`.
    pub fn configure(directory: &Path, intercom: &str, extra: &str) -> (SocketAddr, SocketAddr) {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (ingest, admin) = (address(free_port()), address(free_port()));
        std::fs::create_dir_all(directory.join("mappings")).unwrap();
        let settings = format!(
            "data_dir: {0}/data\nmappings_dir: {0}/mappings\nsources: {{ website: {{ write_key: key }} }}\n\
             ingest: {{ listen: {ingest} }}\nadmin: {{ listen: {admin} }}\n{extra}",
            directory.display()
        );
        std::fs::write(directory.join("interline.yaml"), settings).unwrap();
        let destination = format!(
            "destination: intercom\nsettings: {{ base_url: \"{intercom}\", access_token: t }}\nmappings:\n\
             \x20 - {{ name: Identify Contact, action: identify_contact }}\n\
             \x20 - {{ name: Identify Company, action: identify_company }}\n\
             \x20 - {{ name: Track Event, action: track_event }}\n"
        );
        std::fs::write(directory.join("mappings/intercom.yaml"), destination).unwrap();
        (ingest, admin)
    }

    /// Starts the service that [`Served::configure`] wrote, and waits until it is ready.
    pub async fn start(directory: &Path, addresses: (SocketAddr, SocketAddr)) -> Served {
        Served::start_with(directory, addresses, &[]).await
    }

    /// The same, with more in its environment.
    pub async fn start_with(
        directory: &Path,
        (ingest, admin): (SocketAddr, SocketAddr),
        environment: &[(&str, PathBuf)],
    ) -> Served {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_interline"))
            .args(["serve", "--config"])
            .arg(directory.join("interline.yaml"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        // Whatever comes now, it ends with this value.
        let mut served = Served { child, ingest, admin };
        let client = http();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ready = client.get(format!("http://{admin}/readyz")).send().await;
            if ready.is_ok_and(|reply| reply.status() == 200) {
                return served;
            }
            let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(served.child.try_wait().unwrap().is_none(), "the service ended by itself:\n{}", log());
            assert!(Instant::now() < deadline, "the service was not ready within 60 s:\n{}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The exit code, when it has ended by itself; -1 for a signal.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().unwrap()?;
        Some(status.code().unwrap_or(-1))
    }

    /// SIGTERM, and the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `holds`, which asks something outside this process, for at most `limit`.
pub async fn eventually(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not come true within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
