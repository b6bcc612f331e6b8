//! Destination files that change while everything runs: what takes effect, what is refused, and that nothing is lost.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interline::sandbox::{Control, Effect, Fault, Running, Status};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Served, eventually, http, quick_sandbox};

const IMPATIENT: &str = "delivery: { retry: { first_wait_secs: 0.01, wait_max_secs: 0.02 } }\n";
const LIMIT: Duration = Duration::from_secs(60);

struct House {
    directory: TempDir,
    intercom: Running,
    service: Served,
    client: reqwest::Client,
}

impl House {
    async fn new() -> House {
        House::with(|_, text| text).await
    }

    /// One whose destination file is changed before the start.
    async fn with(change: impl FnOnce(&Path, String) -> String) -> House {
        let (intercom, directory) = (quick_sandbox().await, tempfile::tempdir().unwrap());
        let addresses = Served::configure(directory.path(), intercom.url(), IMPATIENT);
        let file = directory.path().join("mappings/intercom.yaml");
        std::fs::write(&file, change(directory.path(), version(intercom.url(), 0, ""))).unwrap();
        let service = Served::start(directory.path(), addresses).await;
        House { directory, intercom, service, client: http() }
    }

    fn control(&self) -> Control {
        self.intercom.control()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("mappings").join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("intercom.yaml")
    }

    fn version(&self, number: u64) -> String {
        version(self.intercom.url(), number, "")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    async fn restart(&mut self) {
        self.service.kill();
        self.service = Served::start(self.directory.path(), (self.service.ingest, self.service.admin)).await;
    }

    async fn send(&self, calls: &[Value]) {
        let url = format!("http://{}/v1/batch", self.service.ingest);
        let reply =
            self.client.post(url).basic_auth("key", Some("")).json(&json!({ "batch": calls })).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text().await.unwrap());
    }

    async fn reload(&self) -> (u16, Value) {
        let reply = self.client.post(format!("http://{}/api/reload", self.service.admin)).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    async fn admin(&self, path: &str) -> Value {
        self.client.get(format!("http://{}{path}", self.service.admin)).send().await.unwrap().json().await.unwrap()
    }

    async fn metric(&self, line: &str) -> f64 {
        let reply = self.client.get(format!("http://{}/metrics", self.service.admin)).send().await.unwrap();
        let text = reply.text().await.unwrap();
        text.lines().filter_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok()).sum()
    }

    /// What Intercom was told of events: user, step and name, and the version of the file that mapped it.
    fn told(&self) -> Vec<(String, String, u64)> {
        let journal = self.intercom.journal();
        let taken = journal.as_array().unwrap().iter().filter(|entry| entry["path"] == "/events");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = taken.map(|entry| {
            let body = &entry["body"];
            let step = body["metadata"]["step"].as_u64().map(|step| format!("{step} ")).unwrap_or_default();
            let name = step + &text(&body["event_name"]);
            (text(&body["user_id"]), name, body["metadata"]["version"].as_u64().unwrap())
        });
        told.collect()
    }

    async fn until_told(&self, count: usize) -> Vec<(String, String, u64)> {
        eventually(&format!("{count} events at Intercom"), LIMIT, async || self.told().len() >= count).await;
        self.told()
    }

    /// Sends one event at a time until one is mapped by this version.
    async fn until_mapped_by(&self, number: u64) {
        eventually(&format!("version {number}"), LIMIT, async || {
            let before = self.told().len();
            self.send(&[track("u0", "Probe")]).await;
            self.until_told(before + 2).await.last().unwrap().2 == number
        })
        .await;
    }
}

/// A destination file that makes two events of each track call and marks both with a number.
fn version(intercom: &str, number: u64, extra: &str) -> String {
    let mapping = |name: &str| {
        format!(
            "  - name: {name}\n    trigger: type = \"track\"\n    action: track_event\n    fields:\n      event_name: \"{{{{ event }}}} {name}\"\n      metadata: {{ version: {number}, step: $.properties.step }}\n"
        )
    };
    format!(
        "destination: intercom\nsettings: {{ base_url: \"{intercom}\", access_token: t, concurrency: 8 }}\n{extra}mappings:\n  - {{ name: Identify Contact, action: identify_contact }}\n{}{}",
        mapping("A"),
        mapping("B")
    )
}

fn identify(user: &str) -> Value {
    json!({ "type": "identify", "userId": user, "traits": { "email": format!("{user}@example.com") } })
}

fn track(user: &str, event: &str) -> Value {
    json!({ "type": "track", "userId": user, "event": event, "timestamp": "2026-01-01T00:00:00Z" })
}

/// The ways in which files are saved.
#[derive(Clone, Copy)]
enum Save {
    InPlace,
    RenamedOver,
    LinkSwapped,
}

fn save(file: &Path, text: &str, how: Save) {
    let beside = |name: &str| file.with_file_name(name);
    match how {
        Save::InPlace => {
            // Through a link it would be the link's target that is written.
            if file.is_symlink() {
                std::fs::remove_file(file).unwrap();
            }
            // Truncated, then written: a reading may fall between and find it empty.
            std::fs::write(file, text).unwrap();
        }
        Save::RenamedOver => {
            std::fs::write(beside(".intercom.yaml.tmp"), text).unwrap();
            std::fs::rename(beside(".intercom.yaml.tmp"), file).unwrap();
        }
        Save::LinkSwapped => {
            std::fs::create_dir_all(beside("versions")).unwrap();
            let number = std::fs::read_dir(beside("versions")).unwrap().count();
            let target = beside("versions").join(format!("{number}.yaml"));
            std::fs::write(&target, text).unwrap();
            let _ = std::fs::remove_file(beside("..link"));
            symlink(&target, beside("..link")).unwrap();
            std::fs::rename(beside("..link"), file).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_rewrites_under_traffic_lose_and_reorder_nothing() {
    const REWRITES: u64 = 200;
    const PEOPLE: u64 = 5;
    let house = House::new().await;
    let users: Vec<String> = (0..PEOPLE).map(|user| format!("u{user}")).collect();
    house.send(&users.iter().map(|user| identify(user)).collect::<Vec<_>>()).await;
    eventually("the contacts", LIMIT, async || {
        house.metric("interline_deliveries_pending{destination=\"intercom\"}").await == 0.0
    })
    .await;
    let mut refused = 0;
    for number in 1..=REWRITES {
        let how = [Save::InPlace, Save::RenamedOver, Save::LinkSwapped][number as usize % 3];
        let text = match number % 4 {
            0 => house.version(number).replace("action: track_event", "action: trak_event"),
            // Another setting: the connection is built anew.
            1 => house.version(number).replace("concurrency: 8", &format!("concurrency: {}", 2 + number % 7)),
            _ => house.version(number),
        };
        // A workspace has at most 120 names of events.
        let step = |user: &String| json!({ "properties": { "step": number }, "type": "track", "userId": user, "event": "Step" });
        let calls: Vec<Value> = users.iter().map(step).collect();
        let rewrite = async {
            save(&house.file(), &text, how);
            house.reload().await
        };
        let ((), (status, report)) = tokio::join!(house.send(&calls), rewrite);
        assert_eq!(status, if number % 4 == 0 { 422 } else { 200 }, "{number}: {report:#}");
        refused += u64::from(status == 422);
    }
    assert_eq!(refused, REWRITES / 4);
    let told = house.until_told((REWRITES * PEOPLE * 2) as usize).await;
    assert_eq!(told.len() as u64, REWRITES * PEOPLE * 2, "nothing is told twice");
    check_whole_and_in_order(&told, &users, REWRITES);
    assert_eq!(house.metric("interline_dead_letters").await, 0.0);
    let versions: std::collections::BTreeSet<u64> = told.iter().map(|(_, _, version)| *version).collect();
    println!("{} events under {REWRITES} rewrites, mapped by {} versions", told.len() / 2, versions.len());
    assert!(versions.len() > 50, "the rewrites took no part: {versions:?}");
}

/// Each person's events in order, each mapped by one version, none by a refused one, and never by an older one than the
/// event before.
fn check_whole_and_in_order(told: &[(String, String, u64)], users: &[String], count: u64) {
    let mut of_user: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for (user, name, version) in told {
        of_user.entry(user).or_default().push((name, *version));
    }
    for user in users {
        let mine = &of_user[user.as_str()];
        let names: Vec<&str> = mine.iter().map(|(name, _)| *name).collect();
        let wanted: Vec<String> = (1..=count).flat_map(|n| [format!("{n} Step A"), format!("{n} Step B")]).collect();
        assert_eq!(names, wanted, "{user}");
        for pair in mine.chunks(2) {
            assert_eq!(pair[0].1, pair[1].1, "{user}: {pair:?} was mapped by two versions");
            assert!(pair[0].1 == 0 || pair[0].1 % 4 != 0, "{user}: {pair:?} was mapped by a refused version");
        }
        assert!(mine.is_sorted_by_key(|(_, version)| *version), "{user}: an older version came back: {mine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_changes_are_seen_however_they_are_saved() {
    let house = House::new().await;
    house.send(&[identify("u0")]).await;
    house.until_mapped_by(0).await;
    for (number, how) in [(1, Save::InPlace), (2, Save::RenamedOver), (3, Save::LinkSwapped), (4, Save::RenamedOver)] {
        save(&house.file(), &house.version(number), how);
        house.until_mapped_by(number).await;
    }
    std::fs::rename(house.file(), house.path("renamed.yaml")).unwrap();
    let pending = "interline_deliveries_created_total{action=\"track_event\",destination=\"renamed\"";
    eventually("the renamed destination", LIMIT, async || {
        house.send(&[track("u0", "Probe")]).await;
        let text = house.client.get(format!("http://{}/metrics", house.service.admin)).send().await.unwrap();
        text.text().await.unwrap().contains(pending)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_as_kubernetes_mounts_it_is_followed() {
    let house = House::with(|directory, text| {
        let folder = directory.join("mappings");
        std::fs::create_dir(folder.join("..1")).unwrap();
        std::fs::write(folder.join("..1/volume.yaml"), &text).unwrap();
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/volume.yaml", folder.join("volume.yaml")).unwrap();
        text.replace("mappings:", "enabled: false\nmappings:")
    })
    .await;
    house.send(&[identify("u0")]).await;
    house.until_mapped_by(0).await;
    for number in [2, 3] {
        std::fs::create_dir(house.path(&format!("..{number}"))).unwrap();
        std::fs::write(house.path(&format!("..{number}/volume.yaml")), house.version(number)).unwrap();
        symlink(format!("..{number}"), house.path("..data_tmp")).unwrap();
        std::fs::rename(house.path("..data_tmp"), house.path("..data")).unwrap();
        std::fs::remove_dir_all(house.path(&format!("..{}", number - 1))).ok();
        house.until_mapped_by(number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_refused_and_says_so_everywhere_once() {
    let house = House::new().await;
    house.send(&[identify("u0")]).await;
    assert_eq!(house.admin("/readyz").await["mappings"], "ok");
    let broken = house.version(1).replace("action: track_event", "action: trak_event");
    save(&house.file(), &broken, Save::RenamedOver);
    save(&house.path("other.yaml"), &house.version(7), Save::InPlace);
    eventually("the refusal", LIMIT, async || house.metric("interline_config_last_reload_successful").await == 0.0)
        .await;
    let (status, report) = house.reload().await;
    assert_eq!(status, 422);
    let file = house.file().display().to_string();
    assert_eq!((&report["refused"], &report["unchanged"]), (&json!([file]), &json!(["other"])), "{report:#}");
    let problems = report["problems"].as_array().unwrap();
    let places: Vec<_> = problems.iter().map(|one| (&one["line"], &one["column"], &one["code"])).collect();
    let unknown = json!("unknown_action");
    assert_eq!(places, [(&json!(7), &json!(13), &unknown), (&json!(13), &json!(13), &unknown)], "{report:#}");
    assert!(report["problems"][0]["help"].as_str().unwrap().contains("track_event"), "{report:#}");
    let ready = house.admin("/readyz").await;
    assert_eq!(ready["ready"], true);
    assert!(ready["mappings"].as_str().unwrap().contains("intercom.yaml"), "{ready}");
    house.send(&[track("u0", "While refused")]).await;
    let mut versions: Vec<u64> = house.until_told(4).await.iter().map(|(_, _, version)| *version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [0, 0, 7, 7], "the old one stays in force, the other file takes effect");
    house.reload().await;
    assert_eq!(house.log().matches("unknown action `trak_event`").count(), 2, "{}", house.log());
    save(&house.file(), &house.version(2), Save::RenamedOver);
    eventually("the mending", LIMIT, async || house.metric("interline_config_last_reload_successful").await == 1.0)
        .await;
    assert_eq!(house.admin("/readyz").await["mappings"], "ok");
    house.until_mapped_by(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_off_may_name_what_is_not_there() {
    let house = House::new().await;
    let off = house.version(7).replace("destination: intercom", "destination: intercom\nenabled: false");
    let (head, rest) = off.split_once("access_token: ").unwrap();
    let rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    std::fs::write(house.path("other.yaml"), format!("{head}access_token: '${{NOT_THERE}}'{rest}")).unwrap();
    let (status, report) = house.reload().await;
    assert_eq!(status, 200, "{report:#}");
    assert!(report["refused"].as_array().unwrap().is_empty(), "{report:#}");
    assert!(!house.log().contains("NOT_THERE"), "{}", house.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_files_again() {
    let house = House::new().await;
    std::fs::write(house.file(), house.version(1)).unwrap();
    house.service.signal("HUP");
    eventually("the answer to the signal", LIMIT, async || house.log().contains("SIGHUP")).await;
    house.send(&[identify("u0")]).await;
    house.until_mapped_by(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_replaced_in_its_file_ends_the_pause() {
    let house = House::with(|directory, text| {
        std::fs::write(directory.join("token"), "revoked\n").unwrap();
        text.replace("access_token: t,", &format!("access_token: \"${{file:{}/token}}\",", directory.display()))
    })
    .await;
    house.control().revoke("revoked");
    house.send(&[identify("u0"), track("u0", "One"), track("u0", "Two")]).await;
    let paused = "interline_destination_paused{destination=\"intercom\",reason=\"unauthorized\"}";
    eventually("the pause", LIMIT, async || house.metric(paused).await == 1.0).await;
    let token = house.directory.path().join("token");
    std::fs::write(token.with_extension("new"), "fresh\n").unwrap();
    std::fs::rename(token.with_extension("new"), token).unwrap();
    let names: Vec<String> = house.until_told(4).await.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["One A", "One B", "Two A", "Two B"]);
    eventually("the end of the pause", LIMIT, async || house.metric(paused).await == 0.0).await;
    assert!(!house.log().contains("revoked") && !house.log().contains("fresh"), "{}", house.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_to_a_destination_waits_while_it_is_off_gone_or_the_process_is() {
    let mut house = House::new().await;
    house.send(&[identify("u0")]).await;
    house.until_mapped_by(0).await;
    let before = house.told().len();
    let unavailable = Effect::Status(Status { status: 503, ..Status::default() });
    house.control().fault(Fault { count: 0, ..Fault::new("POST /events", unavailable) });
    house.send(&[track("u0", "One"), track("u0", "Two")]).await;
    eventually("an attempt", LIMIT, async || house.told().len() > before).await;
    save(&house.path("other.yaml"), &house.version(9).replace("mappings:", "enabled: false\nmappings:"), Save::InPlace);
    save(&house.file(), &house.version(1).replace("mappings:", "enabled: false\nmappings:"), Save::InPlace);
    assert_eq!(house.reload().await.0, 200);
    let off = "interline_destination_paused{destination=\"intercom\",reason=\"off\"}";
    eventually("the switching off", LIMIT, async || house.metric(off).await == 1.0).await;
    house.send(&[track("u0", "Not wanted")]).await;
    std::fs::remove_file(house.file()).unwrap();
    assert_eq!(house.reload().await.1["unchanged"], json!(["other"]));
    assert_eq!(house.metric("interline_deliveries_pending{destination=\"intercom\"}").await, 4.0);
    house.restart().await;
    house.control().clear_faults();
    assert_eq!(house.admin("/api/stats").await["store"]["backlog"]["website"], 4);
    let before = house.told().len();
    save(&house.file(), &house.version(2), Save::InPlace);
    assert_eq!(house.reload().await.0, 200);
    house.send(&[track("u0", "Three")]).await;
    let told: Vec<(String, u64)> =
        house.until_told(before + 6).await.drain(before..).map(|(_, name, version)| (name, version)).collect();
    let wanted = [("One A", 0), ("One B", 0), ("Two A", 0), ("Two B", 0), ("Three A", 2), ("Three B", 2)];
    assert_eq!(told, wanted.map(|(name, version)| (name.to_owned(), version)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_leaves_out_a_broken_file_and_says_so_until_it_is_mended() {
    let mut house = House::new().await;
    std::fs::write(house.path("broken.yaml"), "destination: intercm\n").unwrap();
    house.restart().await;
    assert!(house.log().contains("unknown destination `intercm`"), "{}", house.log());
    assert_eq!(house.metric("interline_config_last_reload_successful").await, 0.0);
    let ready = house.admin("/readyz").await;
    assert_eq!(ready["ready"], true, "{ready}");
    assert!(ready["mappings"].as_str().unwrap().contains("broken.yaml"), "{ready}");
    house.send(&[identify("u0")]).await;
    house.until_mapped_by(0).await;
    std::fs::remove_file(house.path("broken.yaml")).unwrap();
    eventually("the mending", LIMIT, async || house.metric("interline_config_last_reload_successful").await == 1.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipes_devices_and_settings_out_of_range_are_refused_and_later_changes_seen() {
    let house = House::new().await;
    house.send(&[identify("u0")]).await;
    let pipe = std::process::Command::new("mkfifo").arg(house.path("pipe.yaml")).status().unwrap();
    assert!(pipe.success());
    symlink("/dev/zero", house.path("zero.yaml")).unwrap();
    let long = "cache: { ttl_secs: 18446744073709551615 }, search_lag_secs: 18446744073709551615, concurrency: 0";
    std::fs::write(house.path("long.yaml"), house.version(5).replace("concurrency: 8", long)).unwrap();
    let (status, report) = house.reload().await;
    assert_eq!((status, report["refused"].as_array().unwrap().len()), (422, 3), "{report:#}");
    let codes: Vec<_> =
        report["problems"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["value_invalid", "value_invalid", "value_invalid", "file_unreadable", "file_unreadable"]);
    save(&house.file(), &house.version(1), Save::RenamedOver);
    house.until_mapped_by(1).await;
    house.service.signal("TERM");
    eventually("the end", LIMIT, async || house.log().contains("Stopping")).await;
}
