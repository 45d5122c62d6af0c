"""`manage.py run_session` and its neighbours as a person types them: exit codes, documents, progress, bad input."""

import json
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.material import ROOT

SECONDS = 90
PROVIDERS = {  # model id -> the rest of `add_model`
    "local/alpha": ["--route", "openai/cli-alpha", "--base-url", "{origin}/v1"],
    "local/beta": ["--route", "cli-beta", "--base-url", "{origin}/v1", "--input-price", "1", "--output-price", "2"],
    "claude/gamma": ["--route", "anthropic/cli-gamma", "--base-url", "{origin}"],
}
KEYS = {"document", "range", "source"}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A prepared installation without a server. `start` runs a command beside others."""

    variables: dict[str, str]
    home: Path
    repository: Path
    pool: ThreadPoolExecutor

    def run(self, *arguments: str, stderr: int = subprocess.PIPE) -> Ran:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments], cwd=self.repository, env=self.variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, timeout=SECONDS,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout.decode(), (done.stderr or b"").decode())

    def start(self, *arguments: str) -> "Future[Ran]":
        return self.pool.submit(self.run, *arguments)

    def review(self, *arguments: str) -> "Future[Ran]":
        return self.start("run_session", "review", *arguments)
