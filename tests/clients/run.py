#!/usr/bin/env python3
"""Drives unmodified SDKs against a running interline and asserts by what its sandbox Intercom then holds.

Starts `interline sandbox` and `interline serve` on free ports of loopback with settings of its own, runs every client,
waits until all deliveries are settled, and compares. The last line reads "N passed, N failed". `tests/run` calls it.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Name of the client, which is also the name of its source, and the script that is the client.
CLIENTS = {
    "segment-node": "segment_node.cjs",
    "segment-browser": "segment_browser.cjs",
    "segment-python": "segment_python.py",
    "rudder-node": "rudder_node.cjs",
    "rudder-python": "rudder_python.py",
    "customerio-node": "customerio_node.cjs",
}
CALLS = ("identify", "group", "track", "page", "alias")
DELIVERIES_PER_CLIENT = 3  # identify, group and track; no mapping wants page and alias
METADATA_KEYS = 10  # the most that Intercom keeps; the calls have more than that
PRICE = {"amount": 1999, "currency": "USD"}

READY_SECS = 60
CLIENT_SECS = 300  # most of it is for the browser, which may be slow to start
SETTLED_SECS = 60
STOP_SECS = 20
POLL_SECS = 0.05
LOG_LINES = 40


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = read_arguments()
    names = arguments.only or list(CLIENTS)
    if arguments.list:
        print("\n".join(names))
        return 0
    work = Path(tempfile.mkdtemp(prefix="interline-clients-"))
    try:
        results = drive(arguments, names, work)
    finally:
        if arguments.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    failed = sum(1 for problems in results.values() if problems)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/debug/interline", help="the interline to drive")
    parser.add_argument("--modules", default="target/clients/node/node_modules", help="where the npm packages are")
    parser.add_argument("--python", default="target/clients/venv/bin/python", help="the Python that has the packages")
    parser.add_argument("--chromium", default="chromium", help="the browser")
    parser.add_argument("--journal", default="target/clients/journal.jsonl", help="file for the sandbox's requests")
    parser.add_argument("--only", action="append", choices=CLIENTS, metavar="NAME", help="this client; repeatable")
    parser.add_argument("--list", action="store_true", help="print the names of the clients")
    parser.add_argument("--keep", action="store_true", help="keep settings, data and logs")
    return parser.parse_args()


def replies_of(journal):
    """The file beside the journal of requests that takes the replies."""
    return journal.with_name(f"{journal.stem}-replies.jsonl")


def drive(arguments, names, work):
    """Runs everything once. Returns the problems of each test; the last one is the service itself."""
    journal = Path(arguments.journal).resolve()
    journal.parent.mkdir(parents=True, exist_ok=True)
    for file in (journal, replies_of(journal)):
        file.unlink(missing_ok=True)
    house = House(Path(arguments.binary).resolve(), work, names, journal)
    results = {}
    try:
        house.start()
        for name in names:
            results[name] = run_client(name, arguments, house)
        well = [name for name in names if not results[name]]
        unsettled = house.settle(DELIVERIES_PER_CLIENT * len(well))
        state, metrics = house.state(), house.metrics()
        for name in well:
            results[name] = compare(name, state, metrics)
        results["service"] = unsettled + house_problems(metrics) + house.stop()
    except Trouble as trouble:
        for name in names:
            results.setdefault(name, []).append("not compared, see service")
        results["service"] = [str(trouble)]
    finally:
        house.stop()
    report(results, house)
    return results


class Trouble(Exception):
    """The services cannot be driven at all; says why."""


class House:
    """A sandbox Intercom and an interline that delivers to it."""

    def __init__(self, binary, work, names, journal):
        self.work, self.binary, self.running = work, binary, {}
        sandbox, ingest, admin = free_ports(3)
        self.sandbox_url = f"http://127.0.0.1:{sandbox}"
        self.ingest_url = f"http://127.0.0.1:{ingest}"
        self.admin_url = f"http://127.0.0.1:{admin}"
        self.sandbox_flags = ["--listen", f"127.0.0.1:{sandbox}", "--journal", str(journal),
                              "--journal-replies", str(replies_of(journal)), "--search-lag", "5"]
        self.settings = write_settings(work, names, ingest, admin, self.sandbox_url)

    def start(self):
        self._spawn("sandbox", *self.sandbox_flags)
        self._await("sandbox", self.sandbox_url + "/_sandbox/state")
        self._spawn("serve", "--config", str(self.settings))
        self._await("serve", self.admin_url + "/readyz")

    def settle(self, deliveries):
        """Waits until this many deliveries have ended and none is pending. Returns what is wrong if they have not."""
        deadline = time.monotonic() + SETTLED_SECS
        while True:
            self._alive()
            metrics = self.metrics()
            ended = total(metrics, "interline_deliveries_total")
            pending = total(metrics, "interline_deliveries_pending")
            if ended >= deliveries and pending == 0:
                return []
            if time.monotonic() > deadline:
                return [f"expected {deliveries} deliveries to end within {SETTLED_SECS} s; "
                        f"{ended:.0f} have ended, {pending:.0f} are pending"]
            time.sleep(POLL_SECS)

    def state(self):
        return json.loads(get(self.sandbox_url + "/_sandbox/state"))

    def metrics(self):
        return read_metrics(get(self.admin_url + "/metrics"))

    def stop(self):
        """Stops both, serve first. Returns what was wrong with how they stopped; nothing when they are not running."""
        problems = []
        for name in ("serve", "sandbox"):
            process = self.running.pop(name, None)
            if process is not None:
                problems += stop(name, process)
        return problems

    def log(self, name):
        path = self.work / f"{name}.log"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return lines[-LOG_LINES:]

    def _spawn(self, name, *flags):
        with open(self.work / f"{name}.log", "wb") as log:
            try:
                self.running[name] = subprocess.Popen(
                    [self.binary, name, *flags], cwd=self.work, env=clean_environment(),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            except OSError as error:
                raise Trouble(f"cannot start {self.binary}: {error}") from error

    def _await(self, name, url):
        deadline = time.monotonic() + READY_SECS
        while time.monotonic() < deadline:
            self._alive()
            try:
                get(url)
                return
            except OSError:
                time.sleep(POLL_SECS)
        raise Trouble(f"{name} did not answer {url} with 200 within {READY_SECS} s")

    def _alive(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                raise Trouble(f"`interline {name}` ended by itself with status {process.returncode}")


def write_settings(work, names, ingest, admin, sandbox_url):
    """Writes what an operator would, and returns the path of interline.yaml."""
    sources = "\n".join(f"  {name}: {{ write_key: {write_key(name)} }}" for name in names)
    settings = work / "interline.yaml"
    settings.write_text(f"""\
data_dir: {work}/data
mappings_dir: {work}/mappings
sources:
{sources}
ingest: {{ listen: 127.0.0.1:{ingest} }}
admin: {{ listen: 127.0.0.1:{admin} }}
""", encoding="utf-8")
    (work / "mappings").mkdir()
    (work / "mappings" / "intercom.yaml").write_text(f"""\
destination: intercom
settings:
  base_url: {sandbox_url}
  access_token: token-of-the-clients-test
mappings:
  - name: Identify contact
    action: identify_contact
  - name: Identify company
    action: identify_company
  - name: Track event
    action: track_event
""", encoding="utf-8")
    return settings


def write_key(name):
    return f"{name}-write-key"


def run_client(name, arguments, house):
    """Runs one client to its end. Returns its problem, if it has one."""
    script = HERE / CLIENTS[name]
    # Not resolved: the link is what makes it the Python of its packages.
    runner = "node" if script.suffix == ".cjs" else Path(arguments.python).absolute()
    environment = clean_environment() | {
        "INTERLINE_URL": house.ingest_url,
        "INTERLINE_WRITE_KEY": write_key(name),
        "NODE_PATH": str(Path(arguments.modules).resolve()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CHROMIUM": shutil.which(arguments.chromium) or arguments.chromium,
        "TMPDIR": str(house.work),
    }
    began = time.monotonic()
    with open(house.work / f"{name}.log", "wb") as log:
        try:
            process = subprocess.Popen([runner, script], cwd=house.work, env=environment, start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            return [f"cannot start {runner}: {error}"]
        try:
            status = process.wait(timeout=CLIENT_SECS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_group(process)
    print(f"  ran {name} in {time.monotonic() - began:.1f} s", flush=True)
    if status == 0:
        return []
    how = f"had not ended after {CLIENT_SECS} s" if status is None else f"ended with status {status}"
    return [f"the client {how}; it said:" + "".join(f"\n    {line}" for line in house.log(name) or ["(nothing)"])]


def compare(name, state, metrics):
    """What the sandbox and the metrics say of one client's calls, against what they must."""
    calls = json.loads((HERE / "calls.json").read_text(encoding="utf-8").replace("NAME", name))
    problems = []
    for call in CALLS:
        accepted = total(metrics, "interline_events_accepted_total", source=name, type=call)
        expect(problems, f"accepted {call} calls", 1, accepted)
    contacts = [row for row in state["contacts"] if row.get("external_id") == calls["userId"]]
    companies = [row for row in state["companies"] if row.get("company_id") == calls["groupId"]]
    expect(problems, f"contacts with external_id {calls['userId']}", 1, len(contacts), contacts)
    expect(problems, f"companies with company_id {calls['groupId']}", 1, len(companies), companies)
    if len(contacts) == 1:
        compare_contact(problems, contacts[0], calls)
        compare_event(problems, state, contacts[0], calls)
    if len(companies) == 1:
        compare_company(problems, companies[0], calls)
    return problems


def compare_contact(problems, contact, calls):
    for field in ("email", "name"):
        expect(problems, f"{field} of the contact", calls["traits"][field], contact.get(field), contact)
    expect(problems, "companies of the contact", [calls["groupId"]], contact.get("company_ids"), contact)


def compare_company(problems, company, calls):
    traits = calls["groupTraits"]
    expect(problems, "name of the company", traits["name"], company.get("name"), company)
    expect(problems, "size of the company", traits["employees"], company.get("size"), company)
    expect(problems, "remote_created_at of the company", 1709251200, company.get("remote_created_at"), company)


def compare_event(problems, state, contact, calls):
    events = [event for event in state["events"] if event["contact_id"] == contact["id"]]
    named = [event for event in events if event["event_name"] == calls["event"]]
    expect(problems, f"events {calls['event']!r} of the contact", 1, len(named), events)
    if len(named) != 1:
        return
    event, metadata = named[0], named[0]["metadata"]
    keys = event["metadata_keys"]  # in the order they were sent, which `metadata` need not show
    expect(problems, "first key of the event's metadata", "price", keys[0] if keys else None, event)
    expect(problems, "price in the event's metadata", PRICE, metadata.get("price"), event)
    order_id = calls["properties"]["order_id"]
    expect(problems, "order_id in the event's metadata", order_id, metadata.get("order_id"), event)
    expect(problems, "keys of metadata", METADATA_KEYS, len(keys), event)
    expect(problems, "keys that were sent beyond the most", [], event["metadata_dropped"], event)
    nested = [key for key in keys if key != "price" and isinstance(metadata[key], (dict, list))]
    expect(problems, "nested values in the event's metadata", [], nested, event)
    expect(problems, "times the event was sent again", 0, event["repeats"], event)


def house_problems(metrics):
    """What must not have happened, whoever sent it."""
    problems = []
    rejected = {str(labels): value for name, labels, value in metrics
                if name == "interline_events_rejected_total" and value}
    expect(problems, "rejected events", {}, rejected)
    badly = {str(labels): value for name, labels, value in metrics
             if name == "interline_deliveries_total" and value and labels.get("status") != "delivered"}
    expect(problems, "deliveries that ended otherwise than delivered", {}, badly)
    expect(problems, "dead letters", 0, total(metrics, "interline_dead_letters"))
    return problems


def expect(problems, what, expected, found, beside=None):
    if expected != found:
        text = f"{what}: expected {shown(expected)}, found {shown(found)}"
        problems.append(text if beside is None else f"{text}\n    the sandbox holds {shown(beside)}")


def shown(value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def report(results, house):
    """Prints each test's verdict, and the ends of both logs if there is a failure to explain."""
    for name, problems in results.items():
        print(f"  {'FAILED' if problems else 'ok    '} {name}")
        for problem in problems:
            print(f"    {problem}")
    if not any(results.values()):
        return
    for name in ("serve", "sandbox"):
        print(f"  --- the end of `interline {name}`'s log")
        for line in house.log(name):
            print(f"    {line}")


# ---- metrics ----

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})?\s+(\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read_metrics(text):
    """The samples of Prometheus' text format, as (name, labels, value)."""
    samples = (SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
    return [(found[1], dict(LABEL.findall(found[2] or "")), float(found[3])) for found in samples if found]


def total(metrics, name, **labels):
    return sum(value for sample, found, value in metrics if sample == name and labels.items() <= found.items())


# ---- processes and ports ----

def free_ports(count):
    """Ports of loopback that nobody listens on; all are held until the last is known, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def clean_environment():
    """This environment without what would change a service's settings or send a client's requests to a proxy."""
    ours = {"NO_COLOR": "1", "NO_PROXY": "127.0.0.1"}
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("INTERLINE_") and not name.lower().endswith("_proxy")}
    return kept | ours


def get(url):
    # Never through a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as reply:
        return reply.read().decode("utf-8")


def stop(name, process):
    """Ends a service as an operator would. Returns what was wrong with how it ended."""
    process.terminate()
    try:
        status = process.wait(timeout=STOP_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return [f"`interline {name}` had not stopped {STOP_SECS} s after SIGTERM"]
    return [] if status == 0 else [f"`interline {name}` was asked to stop and ended with status {status}"]


def end_group(process):
    """Ends a client and whatever it started; a browser is given the time to go with it."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        try:
            process.wait(timeout=STOP_SECS)
        except subprocess.TimeoutExpired:
            pass
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    sys.exit(main())
