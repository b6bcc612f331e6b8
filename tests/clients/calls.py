"""The five calls of a Python client, read from calls.json, and where to send them."""

import json
import os
from datetime import datetime
from pathlib import Path


def host():
    """The base URL of the running service."""
    return os.environ["INTERLINE_URL"]


def write_key():
    """The key of the source that stands for this client."""
    return os.environ["INTERLINE_WRITE_KEY"]


def send(client, name):
    """Makes the five calls, with this client's name in them, and returns what did not fit its queue."""
    calls = named(name)
    user = calls["userId"]
    queued = {
        "identify": client.identify(user, calls["traits"]),
        "group": client.group(user, calls["groupId"], calls["groupTraits"]),
        "track": client.track(user, calls["event"], calls["properties"]),
        "page": client.page(user, name=calls["page"], properties=calls["pageProperties"]),
        "alias": client.alias(calls["anonymousId"], user),
    }
    return [f"the {call} call did not fit the queue" for call, (accepted, _) in queued.items() if not accepted]


def named(name):
    """The calls with this client's name in them, dates as the datetimes that Python code would have."""
    text = Path(__file__).with_name("calls.json").read_text(encoding="utf-8").replace("NAME", name)
    calls = json.loads(text)
    created_at = calls["groupTraits"]["createdAt"]
    calls["groupTraits"]["createdAt"] = datetime.fromisoformat(created_at.replace("Z", "+00:00"))
    return calls
