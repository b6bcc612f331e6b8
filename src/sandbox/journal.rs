//! The journal: every request and its reply, in memory and as JSON lines on disk.
//!
//! # Why
//! The lines have the form that a checker of the published API description reads, so one command checks all traffic of a
//! run. The bearer token is never written.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::settings::{Region, Settings};
use crate::instant::{self, Timestamp};

/// Entries whose reply is still kept in memory.
const REPLIES_MAX: usize = 1000;

/// One request with its reply.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it was answered.
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The region whose address was asked; `None`: one that belongs to all.
    pub region: Option<Region>,
    /// Path of the endpoint, if there is one.
    pub endpoint: Option<&'static str>,
    /// The body as compact JSON; what is no JSON stands as one string.
    pub body: Option<String>,
    /// Value of `Intercom-Version`.
    pub version: Option<String>,
    /// Status that was answered; `None`: the connection was closed without a reply.
    pub status: Option<u16>,
    /// Body that was answered.
    pub reply: Option<String>,
    /// What is worth saying loudly: a fault, a missing header, metadata that was dropped.
    pub notes: Vec<String>,
    /// What the description is expected to say of the reply: `valid`, `invalid`, `no-operation`; `None`: not asked.
    pub reply_expected: Option<&'static str>,
    /// Whether it is about signing in, which the description says nothing about: the files leave it out.
    pub is_private: bool,
}

/// A request as a line of the file.
#[derive(Serialize)]
struct RequestLine<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    headers: Value,
    expect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'a RawValue>,
}

/// A reply as a line of its file.
#[derive(Serialize)]
struct ReplyLine<'a> {
    method: &'a str,
    path: &'a str,
    response: u16,
    body: Option<&'a RawValue>,
    expect: &'static str,
}

/// The journal of one stand-in.
#[derive(Debug)]
pub struct Journal {
    entries: VecDeque<Entry>,
    entries_max: usize,
    forgotten: u64,
    requests: Option<File>,
    replies: Option<File>,
}

impl Journal {
    /// Opens the files that the settings name, to append to them.
    pub fn open(settings: &Settings) -> io::Result<Journal> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot open journal {}: {error}", path.display()))
            })
        };
        Ok(Journal {
            entries: VecDeque::new(),
            entries_max: settings.journal_entries_max,
            forgotten: 0,
            requests: settings.journal.as_deref().map(open).transpose()?,
            replies: settings.journal_replies.as_deref().map(open).transpose()?,
        })
    }

    /// Writes an entry down. An error is one of the files.
    pub fn write(&mut self, entry: Entry) -> io::Result<()> {
        let written = self.write_files(&entry);
        self.entries.push_back(entry);
        if self.entries.len() > REPLIES_MAX {
            let at = self.entries.len() - REPLIES_MAX - 1;
            self.entries[at].reply = None;
        }
        while self.entries.len() > self.entries_max {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        written
    }

    /// Forgets what is in memory; the files stay.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.forgotten = 0;
    }

    /// The entries in memory, oldest first, each with the number it has had since the start or the last clearing.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.forgotten..).zip(&self.entries)
    }

    fn write_files(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.is_private {
            return Ok(());
        }
        if let Some(file) = &mut self.requests {
            file.write_all(line(&request_line(entry)).as_bytes())?;
        }
        if let Some(file) = &mut self.replies
            && let Some(reply) = reply_line(entry)
        {
            file.write_all(line(&reply).as_bytes())?;
        }
        Ok(())
    }
}

impl Entry {
    /// The entry as JSON.
    pub fn view(&self, number: u64) -> Value {
        json!({
            "number": number,
            "at": instant::to_text(self.at),
            "method": self.method,
            "path": self.target,
            "region": self.region,
            "endpoint": self.endpoint,
            "body": parsed(self.body.as_deref()),
            "version": self.version,
            "status": self.status,
            "reply": parsed(self.reply.as_deref()),
            "notes": self.notes,
        })
    }
}

/// A text that is no JSON stands as one string.
fn parsed(text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn raw(text: &Option<String>) -> Option<&RawValue> {
    serde_json::from_str(text.as_deref()?).ok()
}

fn request_line(entry: &Entry) -> RequestLine<'_> {
    let refused = entry.status.is_none_or(|status| status >= 300);
    RequestLine {
        method: &entry.method,
        path: &entry.target,
        body: raw(&entry.body),
        headers: entry.version.as_ref().map_or_else(|| json!({}), |version| json!({"Intercom-Version": version})),
        expect: "valid",
        note: (!entry.notes.is_empty()).then(|| entry.notes.join("; ")),
        status: entry.status,
        reply: raw(&entry.reply).filter(|_| refused),
    }
}

fn reply_line(entry: &Entry) -> Option<ReplyLine<'_>> {
    Some(ReplyLine {
        method: &entry.method,
        path: &entry.target,
        response: entry.status?,
        body: raw(&entry.reply),
        expect: entry.reply_expected?,
    })
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("lines are made of plain JSON");
    line.push('\n');
    line
}
