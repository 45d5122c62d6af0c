"""Review a diff or a pull request on a Crucible server, from continuous integration. Needs only Python 3.11.

    python3 ci_review.py --diff changes.diff --fail-on critical
    python3 ci_review.py --pull-request 12 --fail-on critical

Reads CRUCIBLE_SERVER (its address), CRUCIBLE_KEY (an API key that may read and write), CRUCIBLE_PROJECT (its slug) and
CRUCIBLE_ROSTER (the name of a saved roster). Writes out.sarif and summary.md. Exits 0 done, 1 failed, 2 no such roster,
3 --fail-on met, 4 waiting for a person.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SEVERITIES = ["info", "minor", "major", "critical", "blocker"]
PROJECT = os.environ["CRUCIBLE_PROJECT"]


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {os.environ['CRUCIBLE_KEY']}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    address = f"{os.environ['CRUCIBLE_SERVER'].rstrip('/')}/api/v1{path}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, data, headers, method=method), timeout=120
        ) as reply:
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.read().decode()}")


def bring(options: argparse.Namespace) -> dict[str, Any]:
    """What is judged and what is read beside it, as artifact codes."""
    if options.pull_request:
        found = json.loads(ask("POST", "/pull-requests", {"project": PROJECT, "pull_request": options.pull_request}))
        return {"artifacts": [found["artifact"]["code"]], "context": [row["code"] for row in found["context"]]}
    text = Path(options.diff).read_text("utf-8", "replace")
    found = json.loads(
        ask("POST", "/artifacts", {"project": PROJECT, "name": options.diff, "text": text, "kind": "diff"})
    )
    return {"artifacts": [found["code"]], "context": []}


def roster() -> str:
    rows = json.loads(ask("GET", f"/rosters?project={PROJECT}"))["rosters"]
    named = [row["code"] for row in rows if row["name"] == os.environ["CRUCIBLE_ROSTER"]]
    if not named:
        there = ", ".join(row["name"] for row in rows) or "none is saved yet"
        print(f"There is no roster {os.environ['CRUCIBLE_ROSTER']!r}. In this project: {there}.", file=sys.stderr)
        sys.exit(2)
    return str(named[0])


def earlier(title: str) -> dict[str, str]:
    """The last review of the same name: what people dismissed there stays dismissed."""
    rows = json.loads(ask("GET", f"/sessions?project={PROJECT}&limit=100"))["sessions"]
    found = [row["code"] for row in rows if row["title"] == title and row["status"] == "completed"]
    return {"previous": found[0]} if found else {}


def wait(code: str) -> str:
    """The status at rest."""
    status = "queued"
    while status in {"queued", "running"}:
        status = json.loads(ask("GET", f"/sessions/{code}?wait=60"))["status"]
    return str(status)


def main() -> int:
    parser = argparse.ArgumentParser()
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--diff")
    what.add_argument("--pull-request")
    parser.add_argument("--title", default="", help="the same for every review of the same branch")
    parser.add_argument("--fail-on", choices=SEVERITIES)
    options = parser.parse_args()
    title = options.title or f"Changes {options.pull_request or options.diff}"
    wanted = {"project": PROJECT, "kind": "review", "title": title, "start": True, **bring(options), **earlier(title)}
    wanted["roster_id"] = roster()
    code = json.loads(ask("POST", "/sessions", wanted))["code"]
    status = wait(code)
    Path("out.sarif").write_bytes(ask("GET", f"/sessions/{code}/export?format=sarif"))
    Path("summary.md").write_bytes(ask("GET", f"/sessions/{code}/export?format=markdown"))
    print(f"{status}: {os.environ['CRUCIBLE_SERVER'].rstrip('/')}/sessions/{code}/")
    return verdict(status, code, options.fail_on)


def verdict(status: str, code: str, fail_on: str | None) -> int:
    if status != "completed":
        return 4 if status in {"waiting", "needs_attention"} else 1
    findings = json.loads(ask("GET", f"/sessions/{code}/findings"))["findings"]
    open_ones = [SEVERITIES.index(row["severity"]) for row in findings if row["status"] != "dismissed"]
    return 3 if fail_on and max(open_ones, default=-1) >= SEVERITIES.index(fail_on) else 0


if __name__ == "__main__":
    sys.exit(main())
