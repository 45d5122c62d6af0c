"""docs/ci.md as it stands there: the steps of its workflows are taken out of the page and run, in a repository with an
origin, on demo models."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.code_host import FIRST, REPOSITORY, TOKEN, CodeHostServer
from tests.e2e.client import eventually
from tests.e2e.material import ROOT, commit, git
from tests.e2e.stack import CANARY, Stack, environment

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "ci.md").read_text()
SECONDS = 180
DEMO = "demo/atlas demo/birch demo/cedar"
DEFECT = ROOT / "sessions" / "demo" / "artifacts" / "payment_webhooks.py"


def workflow(heading: str) -> dict[str, str]:
    """The shell of each named step of the workflow under a heading."""
    block = re.search(rf"^## {heading}$.*?^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    steps = yaml.safe_load(block[1])["jobs"]["review"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


@dataclass
class Job:
    """A checkout whose branch changes a file, and what a runner gives its steps."""

    directory: Path
    variables: dict[str, str]

    def run(self, step: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-e", "-c", step], cwd=self.directory, env=self.variables | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def read(self, name: str) -> str:
        return (self.directory / name).read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    origin, here = tmp_path / "origin", tmp_path / "checkout"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    commit(origin, {"README.md": "# Shop\n"})
    git(tmp_path, "clone", "--quiet", str(origin), str(here))
    git(here, "checkout", "--quiet", "-b", "change")
    commit(here, {"payment_webhooks.py": DEFECT.read_text()})
    variables = environment(tmp_path / "data", GITHUB_STEP_SUMMARY=str(tmp_path / "summary"), BASE="main")
    return Job(here, variables)


@pytest.fixture
def installed(job: Job, tmp_path: Path) -> Job:
    """This tree where the workflow checks it out, with the interpreter that runs the tests in place of an installed
    environment: the step that installs needs a package registry."""
    product = tmp_path / "crucible"
    (product / ".venv" / "bin").mkdir(parents=True)
    (product / "manage.py").symlink_to(ROOT / "manage.py")
    python = product / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    job.variables |= {"CRUCIBLE": str(product), "MODELS": DEMO}
    return job


def test_without_a_server_a_critical_finding_fails_the_job(installed: Job) -> None:
    steps = workflow("Without a server")
    prepared = installed.run(steps["Prepare"], ANTHROPIC_API_KEY=CANARY)
    assert prepared.returncode == 0, prepared.stderr
    done = installed.run(steps["Review"])
    assert done.returncode == 3, done.stderr
    assert "| critical |" in Path(installed.variables["GITHUB_STEP_SUMMARY"]).read_text().lower()
    results = json.loads(installed.read("out.sarif"))["runs"][0]["results"]
    assert {"payment_webhooks.py"} == {_path(result) for result in results}
    assert "error" in {result["level"] for result in results}
    assert json.loads(installed.read("review.json"))["likely_secrets"] == []


def test_without_a_server_a_harmless_change_passes(installed: Job) -> None:
    git(installed.directory, "reset", "--quiet", "--hard", "origin/main")
    commit(installed.directory, {"notes.md": "# Notes\n\nWe meet on Monday.\n"})
    steps = workflow("Without a server")
    installed.run(steps["Prepare"], ANTHROPIC_API_KEY=CANARY)
    done = installed.run(steps["Review"])
    assert done.returncode == 0, done.stderr


def test_without_a_server_a_likely_secret_is_said_and_not_repeated(installed: Job) -> None:
    secret = "Xy9-kk!2" + "hunter"
    commit(installed.directory, {"settings.py": f'DB_PASSWORD = "{secret}"\n'})
    steps = workflow("Without a server")
    installed.run(steps["Prepare"], ANTHROPIC_API_KEY=CANARY)
    done = installed.run(steps["Review"])
    (suspect,) = json.loads(installed.read("review.json"))["likely_secrets"]
    assert suspect["kind"] == "password or key"
    assert "looks like a secret" in done.stderr
    assert secret not in done.stderr


def script(section: str) -> str:
    """The first shell script of a section of the page."""
    block = re.search(rf"^#+ {section}$.*?^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def test_what_the_gate_stops_is_settled_before_it_fails_the_job(installed: Job) -> None:
    installed.run(workflow("Without a server")["Prepare"], ANTHROPIC_API_KEY=CANARY)
    done = installed.run(script("Review, settle, gate"))
    review, settled = (json.loads(installed.read(name)) for name in ("review.json", "settled.json"))
    assert (review["gate"]["effective"], settled["gate"]["effective"]) == ("fail", "fail")
    assert (settled["kind"], settled["rounds"][0]["round"], len(settled["rounds"]) > 1) == ("deliberation", 1, True)
    assert all(one["agreement"] is None or 0 <= one["agreement"] <= 1 for one in settled["rounds"])
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("In effect: fail. ")
    assert "Blocking finding: " in done.stdout


def test_a_change_that_passes_is_not_settled(installed: Job) -> None:
    git(installed.directory, "reset", "--quiet", "--hard", "origin/main")
    commit(installed.directory, {"notes.md": "# Notes\n\nWe meet on Monday.\n"})
    installed.run(workflow("Without a server")["Prepare"], ANTHROPIC_API_KEY=CANARY)
    done = installed.run(script("Review, settle, gate"))
    assert done.returncode == 0, done.stderr
    assert not (installed.directory / "settled.json").exists()


def test_against_a_server_a_critical_finding_fails_the_job(job: Job, embedded: Stack) -> None:
    done = job.run(against_server(job), **server(embedded))
    assert done.returncode == 3, done.stderr
    assert "| critical |" in job.read("summary.md").lower()
    assert json.loads(job.read("out.sarif"))["version"] == "2.1.0"


def test_against_a_server_the_next_run_continues_the_last(job: Job, embedded: Stack) -> None:
    step = against_server(job)
    first, second = (job.run(step, **server(embedded)).stdout.strip() for _ in "12")
    code = second.rstrip("/").rpartition("/")[2]
    assert first != second
    kinds = [event["kind"] for event in embedded.client.ask("GET", f"/api/v1/sessions/{code}/events").json["events"]]
    assert "findings.compared" in kinds


def test_against_a_server_a_wrong_key_fails_with_a_sentence(job: Job, embedded: Stack) -> None:
    done = job.run(against_server(job), **server(embedded) | {"CRUCIBLE_KEY": "cru_wrong"})
    assert (done.returncode, "error" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


@pytest.fixture
def code_host() -> Iterator[CodeHostServer]:
    state = CodeHostServer(diff=_as_new_file(DEFECT.read_text()), files={})
    listening = state.start()
    yield state
    listening.shutdown()
    listening.server_close()


def test_against_a_server_a_pull_request_is_told(job: Job, embedded: Stack, code_host: CodeHostServer) -> None:
    embedded.console("repository", name=REPOSITORY, api_url=code_host.url, token=TOKEN)
    against_server(job)
    done = job.run(script("Pull requests"), NUMBER="12", **server(embedded))
    assert done.returncode == 3, done.stderr
    eventually(lambda: code_host.statuses and code_host.comments)
    ((sha, status),) = code_host.statuses
    assert (sha, status["state"]) == (FIRST, "failure")
    assert code_host.tokens == {f"Bearer {TOKEN}"}


def against_server(job: Job) -> str:
    """The step, with the script where the page says to copy it."""
    (job.directory / ".github").mkdir(exist_ok=True)
    shutil.copy(ROOT / "docs" / "ci_review.py", job.directory / ".github" / "ci_review.py")
    return workflow("Against a server")["Review"]


def server(stack: Stack) -> dict[str, str]:
    address = f"http://127.0.0.1:{stack.port}"
    seats = [{"name": name, "role": "reviewer", "model_id": name} for name in DEMO.split()]
    saved = stack.client.ask("POST", "/api/v1/rosters", {"project": "demo", "name": "CI", "seats": seats})
    assert saved.status == 201, saved.text
    named = {"CRUCIBLE_SERVER": address, "CRUCIBLE_KEY": stack.client.key, "CRUCIBLE_PROJECT": "demo"}
    return named | {
        "CRUCIBLE_ROSTER": "CI",
        "BRANCH": "change",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _as_new_file(text: str) -> str:
    lines = text.split("\n")[:-1]
    body = "".join(f"+{line}\n" for line in lines)
    head = "diff --git a/pay.py b/pay.py\nnew file mode 100644\n--- /dev/null\n+++ b/pay.py\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}"


def _path(result: Any) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
