#!/usr/bin/env python3
"""Checks journals of the stand-in Intercom against the published description of the API.

usage: check.py CHECKER DESCRIPTION JOURNAL...

CHECKER is the program that knows how to read DESCRIPTION; each JOURNAL holds requests or replies as JSON lines in its batch
form. What a line expects of the checker must be what the checker says. Members that the description does not declare are
faults too, except where it contradicts its own examples or prose: those places are named below.

The last line is "N passed, M failed".
"""
import json
import subprocess
import sys

# Operation, and the start of what the checker says of it.
KNOWN = [
    # The prose pages contacts; no parameter says so.
    ("GET /contacts", "query.per_page"),
    ("GET /contacts", "query.starting_after"),
    ("GET /companies/{company_id}/contacts", "query.page"),
    ("GET /companies/{company_id}/contacts", "query.per_page"),
    ("GET /contacts/{contact_id}/companies", "query.page"),
    ("GET /contacts/{contact_id}/companies", "query.per_page"),
    ("GET /contacts/{contact_id}", "query.include_merge_history"),
    ("POST /contacts/merge", "query.include_merge_history"),
    # The schemas say `companies` and `ticket_type_attributes`, the examples `data`, and so does the service.
    ("GET /contacts/{contact_id}/companies -> 200", "body.data"),
    ("GET /ticket_types -> 200", "body.data["),
    ("POST /ticket_types -> 200", "body.ticket_type_attributes.data"),
    ("GET /ticket_types/{ticket_type_id} -> 200", "body.ticket_type_attributes.data"),
    ("POST /tickets -> 200", "body.ticket_type.ticket_type_attributes.data"),
    ("GET /tickets/{ticket_id} -> 200", "body.ticket_type.ticket_type_attributes.data"),
]


def is_known(operation, undeclared):
    return any(operation == place and undeclared.startswith(start) for place, start in KNOWN)


def judge(checker, description, journal):
    command = [sys.executable, checker, description, "--batch", journal, "--lint-errors", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{journal}: the checker could not run: {done.stderr.strip()}")
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    with open(journal, encoding="utf-8") as handle:
        cases = [json.loads(line) for line in handle if line.strip()]
    if len(verdicts) != len(cases):
        sys.exit(f"{journal}: {len(cases)} lines and {len(verdicts)} verdicts: {done.stderr.strip()}")
    return zip(cases, verdicts)


def faults(case, verdict):
    wanted = case.get("expect", "valid")
    if verdict["verdict"] != wanted:
        yield f"expected {wanted}, is {verdict['verdict']}: {'; '.join(verdict['errors'])}"
    if wanted == "valid":
        for undeclared in verdict["undeclared"]:
            if not is_known(verdict["operation"], undeclared):
                yield f"undeclared {undeclared}"


def main(checker, description, *journals):
    passed = failed = 0
    for journal in journals:
        for case, verdict in judge(checker, description, journal):
            found = list(faults(case, verdict))
            passed, failed = passed + (not found), failed + bool(found)
            for fault in found:
                print(f"{journal}: {case['method']} {case['path']}{' reply' if case.get('response') else ''}: {fault}")
    if passed == 0:
        print("no line was checked")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
