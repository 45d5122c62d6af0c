"""Row g: how long the server takes for a page, how many queries it asks, and what a browser downloads first.

Pages are asked over HTTP, signed in, from Crucible in scaled mode on PostgreSQL; queries are counted by the same code
in a process of its own, at two sizes, because a number that grows with the data is the defect. The large deliberation
has five rounds, seven instances and sixty findings, and a gate; it ran through the API.
"""

import asyncio
import gzip
import http.client
import json
import re
import statistics
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bench.stack import ROOT, Client, Stack, crucible, mock_provider

SMALL, LARGE = 20, 200  # findings of a session; sessions of a project are a tenth and a half of it
LISTED = {SMALL: 5, LARGE: 100}
REPEATS, WARM_UP = 200, 20
MOST_QUERIES, MOST_KILOBYTES = 12, 140
# Two instances raise thirty findings each, the others none; one changes sides in every round, so that nobody stalls.
RAISED = 30
APART = 8  # steps between findings: what is close together may be one defect
STANCES = ("", "", "", "-wavers", "-wavers", "-against", "-against")
STARTS = [1, 1 + RAISED * APART, *[0] * (len(STANCES) - 2)]
ROUTES = [
    f"review-5-of-{start}-to-{start + RAISED * APART if start else 0}-by-{APART}{stance}"
    for start, stance in zip(STARTS, STANCES, strict=True)
]
LONG = {"max_rounds": 5, "max_findings": 50}
CERTIFIERS, STANDARD = 7, "secure-code-change"
SEED = f"""
import django; django.setup()
from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.projects import create_project
from tests import factories
owner = User.objects.get(email="owner@localhost")
for findings, sessions in {LISTED!r}.items():
    project = create_project(owner, f"Bench {{findings}}")
    for number in range(sessions):
        session = factories.running(owner, project, title=f"Review {{number}}")
        count = findings if number == sessions - 1 else 3
        for letter in "ABC":
            factories.ask(session, letter, f"review/{{letter.lower()}}")
            factories.submit(session, letter, *(factories.report(title=f"Defect {{n}}") for n in range(count)))
        groups = [("major", [f"{{letter}}-{{n}}" for letter in "ABC"]) for n in range(1, count + 1)]
        factories.merge(session, *groups)
        factories.finish(session)
    print(findings, f"/projects/{{project.slug}}/", f"/sessions/{{session.code}}/")
"""
COUNT = """
import sys
import django; django.setup()
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
settings.ALLOWED_HOSTS = ["*"]
name, _, value = sys.argv[1].partition("=")
client = Client()
client.cookies[name] = value
for path in sys.argv[2:]:
    with CaptureQueriesContext(connection) as asked:
        status = client.get(path).status_code
    assert status == 200, (path, status)
    print(len(asked))
"""


def run() -> list[dict[str, Any]]:
    with mock_provider() as provider, crucible(ROUTES, provider, scaled=True) as stack:
        made = [line.split() for line in _python(stack, SEED).splitlines()[-len(LISTED) :]]
        lists = {int(findings): path for findings, path, _ in made}
        details = {int(findings): path for findings, _, path in made}
        debates, certified = asyncio.run(_decided(stack))
        gates = {size: f"{path}gate/" for size, path in debates.items()}
        rows = [
            _timed(stack, f"list of {LISTED[LARGE]} reviews", lists[LARGE], 30.0),
            _timed(stack, f"review with {LARGE} findings", details[LARGE], 50.0),
            _timed(stack, "deliberation of 5 rounds x 7 x 60 findings", debates[LARGE], 50.0),
            _timed(stack, "gate of it", gates[LARGE], 50.0),
            _timed(stack, f"certification by {CERTIFIERS}", certified, 50.0),
        ]
        rows += [
            _counted(stack, "list", lists),
            _counted(stack, "review", details),
            _counted(stack, "analytics", {size: f"{path}analytics/" for size, path in details.items()}),
            _counted(stack, "deliberation", debates, 18),
            _counted(stack, "gate of a deliberation", gates, 24),
        ]
        rows += [_first_load(stack, "list", lists[LARGE]), _first_load(stack, "review", details[SMALL])]
    return rows


async def _decided(stack: Stack) -> tuple[dict[int, str], str]:
    """Pages of deliberations by size, each with a gate, and of a certification."""
    async with aiohttp.ClientSession() as http:
        client = Client(stack, http)
        artifact = await client.artifact(2 * RAISED * APART + 1)
        debates = {}
        for size, seats, params in ((SMALL, 4, LONG | {"max_findings": 3}), (LARGE, len(ROUTES), LONG)):
            code = await _finished(client, await client.draft(seats, artifact, "deliberation", params))
            await client.post(f"/api/v1/sessions/{code}/gate", {"policy": "standard"})
            debates[size] = f"/sessions/{code}/"
        roster = [
            {"name": f"Seat {number}", "role": "reviewer", "model_id": "demo/atlas"} for number in range(CERTIFIERS)
        ]
        body: dict[str, Any] = {"project": "demo", "kind": "certification", "roster": roster, "artifacts": [artifact]}
        body["params"] = {"standard": STANDARD}
        certified = await _finished(client, (await client.post("/api/v1/sessions", body))["code"])
        return debates, f"/sessions/{certified}/"


async def _finished(client: Client, code: str) -> str:
    await client.post(f"/api/v1/sessions/{code}/start?fresh=true")
    state = (await client.get(f"/api/v1/sessions/{code}?wait=60"))["status"]
    assert state == "completed", state
    return code


def _timed(stack: Stack, what: str, path: str, must: float) -> dict[str, Any]:
    """Milliseconds over one connection kept open, one request after the other: the server's own time. `cpu_ms` is what
    all our processes computed per request, which a busy machine does not change."""
    connection = http.client.HTTPConnection(urlsplit(stack.base).netloc)
    times: list[float] = []
    computed = 0.0
    for number in range(WARM_UP + REPEATS):
        if number == WARM_UP:
            computed = stack.cpu_ms()
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": stack.cookie})
        reply = connection.getresponse()
        reply.read()
        times.append((time.perf_counter() - begun) * 1000)
        assert reply.status == 200, (path, reply.status)
    cuts = statistics.quantiles(times[WARM_UP:], n=100)
    return {
        "row": "g", "what": what, "figure": round(cuts[94], 1), "must": must, "unit": "ms, p95",
        "p50": round(cuts[49], 1), "cpu_ms": round((stack.cpu_ms() - computed) / REPEATS, 1),
    }  # fmt: skip


def _counted(stack: Stack, what: str, paths: dict[int, str], must: int = MOST_QUERIES) -> dict[str, Any]:
    small, large = map(int, _python(stack, COUNT, stack.cookie, paths[SMALL], paths[LARGE]).split())
    return {
        "row": "g",
        "what": f"queries of {what}",
        "figure": large,
        "must": must,
        "unit": "queries",
        "at_a_tenth": small,
    }


def _first_load(stack: Stack, what: str, path: str) -> dict[str, Any]:
    """Kilobytes of a page, gzip, with every style sheet, script, font and picture it names."""
    page = _get(stack, path)
    assets = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.decode()))
    sheets = {name: _get(stack, name) for name in assets if name.endswith(".css")}
    for name, sheet in sheets.items():
        named = re.findall(r"""url\(["']?([^"')#]+)""", sheet.decode())
        assets |= {_joined(name.rpartition("/")[0], found) for found in named if not found.startswith("data:")}
    sizes = {name: _weight(name, _get(stack, name)) for name in assets}
    total = len(gzip.compress(page)) + sum(sizes.values())
    heaviest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    told = " ".join(f"{name.rpartition('/')[2].partition('.')[0]}:{sizes[name] // 1000}" for name in heaviest)
    return {
        "row": "g", "what": f"first load of {what}", "figure": round(total / 1000, 1), "must": MOST_KILOBYTES,
        "unit": "kB, gzip", "heaviest": told,
    }  # fmt: skip


def _weight(name: str, body: bytes) -> int:
    return len(body) if name.endswith((".woff2", ".png")) else len(gzip.compress(body))


def _joined(base: str, found: str) -> str:
    parts = [*base.split("/"), *found.split("/")] if not found.startswith("/") else found.split("/")
    kept: list[str] = []
    for part in parts:
        kept = kept[:-1] if part == ".." else [*kept, part] if part != "." else kept
    return "/".join(kept)


def _get(stack: Stack, path: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(stack.base).netloc)
    connection.request("GET", path, headers={"Cookie": stack.cookie})
    reply = connection.getresponse()
    body = reply.read()
    assert reply.status == 200, (path, reply.status)
    return body


def _python(stack: Stack, code: str, *arguments: str) -> str:
    """What `code` prints in a process that shares the stack's database."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
