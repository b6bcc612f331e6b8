//! What an operator types, by the real binary, against a sandbox whose time stands still. Transcripts are in
//! `tests/cases/operator/`; `BLESS=1` writes them anew.

mod api;
mod connect;
mod dead_letters;
mod delete_user;
mod replay;
mod session;

use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use interline::sandbox::{Running, Sandbox, SearchLag, Settings};
use jiff::Timestamp;
use regex::Regex;
use tempfile::TempDir;

use crate::support::journal;

/// A sandbox, a folder with settings and a destination file `crm`, and what was typed so far.
struct Desk {
    intercom: Running,
    directory: TempDir,
    transcript: String,
}

/// What a command came to.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn sandbox(settings: Settings) -> Running {
    let settings = Settings {
        search_lag_secs: SearchLag::Secs(0),
        journal: journal("operator-requests"),
        journal_replies: journal("operator-replies"),
        ..settings
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Sandbox::start(settings, listener, || Timestamp::from_second(1_767_225_603).unwrap()).unwrap()
}

impl Desk {
    fn new(settings: Settings) -> Desk {
        let (intercom, directory) = (sandbox(settings), tempfile::tempdir().unwrap());
        let desk = Desk { intercom, directory, transcript: String::new() };
        desk.destination(desk.intercom.url(), "access_token: t");
        desk
    }

    /// Writes the destination file.
    fn destination(&self, url: &str, token: &str) {
        let folder = self.directory.path().join("mappings");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "destination: intercom\nsettings:\n  region: us\n  base_url: {url}\n  {token}\nmappings:\n\
             \x20 - {{ name: Identify Contact, action: identify_contact }}\n\
             \x20 - {{ name: Identify Company, action: identify_company }}\n"
        );
        std::fs::write(folder.join("crm.yaml"), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(words).current_dir(self.directory.path()).env_clear();
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command and adds it to the transcript.
    #[track_caller]
    fn types(&mut self, words: &[&str], code: i32) -> Ended {
        let ended = self.run(words);
        assert_eq!(ended.code, code, "{words:?}: {}{}", ended.out, ended.err);
        let quoted = words.iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() });
        write!(self.transcript, "$ interline {}\n{}", quoted.collect::<Vec<_>>().join(" "), ended.out).unwrap();
        for line in ended.err.lines() {
            writeln!(self.transcript, "! {line}").unwrap();
        }
        if code != 0 {
            writeln!(self.transcript, "exit {code}").unwrap();
        }
        self.transcript.push('\n');
        ended
    }

    /// Compares the transcript with what is expected.
    #[track_caller]
    fn compare(&self, file: &str) {
        let text = self.transcript.replace(self.intercom.url(), "http://SANDBOX");
        let path = self.directory.path().canonicalize().unwrap();
        compare(file, &text.replace(path.to_str().unwrap(), "FOLDER"));
    }
}

#[track_caller]
fn compare(file: &str, text: &str) {
    let time = Regex::new(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z").unwrap();
    let text = time.replace_all(text, "TIME").into_owned();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/operator").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "not as in {file}:\n{text}");
}
