"""RudderStack's SDK for Python: a gzip batch, an identify's traits in its context alone."""

import sys

from calls import host, send, write_key
from rudderstack.analytics.client import Client


def main():
    errors = []
    client = Client(write_key(), host=host(), on_error=lambda error, _batch: errors.append(error))
    errors += send(client, "rudder-python")
    client.shutdown()
    return "\n".join(map(str, errors)) or 0


sys.exit(main())
