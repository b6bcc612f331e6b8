"""Segment's SDK for Python: one JSON batch, with explicit nulls for absent ids."""

import sys

from calls import host, send, write_key
from segment.analytics.client import Client


def main():
    errors = []
    client = Client(write_key(), host=host(), on_error=lambda error, _batch: errors.append(error))
    errors += send(client, "segment-python")
    client.shutdown()
    return "\n".join(map(str, errors)) or 0


sys.exit(main())
