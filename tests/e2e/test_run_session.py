"""The command line as a person types it: real files, a real Git range, exit codes, documents, progress, bad input."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.material import RANGE, ROOT, make_repository, misplaced
from tests.e2e.stack import CANARY, Console, Provider, environment

pytestmark = pytest.mark.slow

SECONDS = 120
KEY_VARIABLE = "SOMEBODYS_KEY"
SECRET = "Xy9-kk!2" + "hunter"
MODELS = {  # id -> what `add_model` is told, and the model's name at the provider
    "local/alpha": ("--route openai/cli-alpha --base-url {origin}/v1 --input-price 1 --output-price 2", "cli-alpha"),
    "claude/beta": ("--route anthropic/cli-beta --base-url {origin}", "cli-beta"),
}
# The contract of the export document.
DOCUMENT_KEYS = set("code kind status outcome reason findings who_answered summary cost_microcredits simulated".split())
FINDING_KEYS = set("id severity title claim evidence evidence_verified location raised_by status".split())
WHO = ("demo", "providers")
WHAT = ("source", "document", "range")
# what is run -> its arguments after `--json`
REVIEWS = {
    "demo source": "--file writer.py",
    "demo document": "--file docs/plan.md --markdown report.md",
    "demo range": f"--diff {RANGE} --fail-on info",
    "directory": "--file shop --sarif shop.sarif",
    "wrong encoding": "--file latin.py",
    "secrets allowed": "--file shop/settings.py --allow-secrets",
    "providers source": "--file writer.py --model local/alpha",
    "providers document": "--file docs/plan.md --model local/alpha claude/beta",
    "providers range": f"--diff {RANGE} --model local/alpha",
    "fails": "--file writer.py --model demo/void",
    "gate": "--file writer.py --gate standard",
    "gate in CI": f"--diff {RANGE} --gate ci",
    "waits": "--file writer.py --soft-cap 0.000001 --fresh",
}
# what is run beside reviews -> all of its arguments
OTHERS = {
    "deliberation": "deliberation --file docs/plan.md --gate ci",
    "certification": "certification --file docs/plan.md --param standard=design-document --gate standard",
}
# what is wrong -> its arguments, and what the person is told
MISUSES = {
    "empty file": ("--file empty.txt", "empty.txt: "),
    "50 MB file": ("--file large.txt", "large.txt: "),
    "model without key": ("--file writer.py --model claude-opus", "has no key."),
    "unknown template": ("--file writer.py --template nothing", "There is no template 'nothing'. Known: code-change"),
    "unknown policy": ("--file writer.py --gate lenient", "There is no gate policy 'lenient'. Known: standard, ci"),
    "30 instances": (f"--file writer.py --model {'demo/atlas ' * 30}", "At most 12 instances"),
}


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
    """A prepared installation without a server, and a Git repository to stand in."""

    variables: dict[str, str]
    directory: Path
    pool: ThreadPoolExecutor
    started: "dict[str, Future[Ran]]" = field(default_factory=dict)

    def run(self, *arguments: str, stderr: int = subprocess.PIPE, stdin: int = subprocess.DEVNULL) -> Ran:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments], cwd=self.directory, env=self.variables,
            stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, timeout=SECONDS,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout.decode(), (done.stderr or b"").decode())

    def run_at_terminal(self, *arguments: str, answer: str = "") -> Ran:
        """With stderr on a terminal, and stdin too when there is something to answer."""
        ours, theirs = pty.openpty()
        try:
            if answer:
                os.write(ours, f"{answer}\n".encode())
            ran = self.run(*arguments, stderr=theirs, stdin=theirs if answer else subprocess.DEVNULL)
            return replace(ran, err=os.read(ours, 65_536).decode())
        finally:
            os.close(ours)
            os.close(theirs)

    def start(self, *arguments: str) -> "Future[Ran]":
        return self.pool.submit(self.run, *arguments)

    def ran(self, name: str) -> Ran:
        return self.started[name].result(SECONDS)


@pytest.fixture(scope="module")
def shell(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Migrated and nothing else; then a key, models and all the reviews below are under way."""
    home = tmp_path_factory.mktemp("shell")
    variables = environment(home / "data", **{KEY_VARIABLE: CANARY})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        shell = Shell(variables, make_repository(home), pool)
        bad_files(home)
        assert shell.run("migrate", "--verbosity", "0").code == 0
        shell.started["key"] = shell.start("create_api_key", "owner@localhost", "--project", "demo")
        shell.ran("key")
        added = [shell.start("add_model", name, *words(told, provider)) for name, (told, _) in MODELS.items()]
        wait(added)
        assert [one.result().code for one in added] == [0, 0]
        told = REVIEWS | {name: arguments for name, (arguments, _) in MISUSES.items()}
        for name, arguments in told.items():  # all of them at once, a processor each
            shell.started[name] = shell.start("run_session", "review", "--json", *arguments.split())
        for name, arguments in OTHERS.items():
            shell.started[name] = shell.start("run_session", "--json", *arguments.split())
        at_terminal = ("run_session", "review", "--json", "--fresh", "--file", "docs/plan.md")
        shell.started["terminal"] = pool.submit(shell.run_at_terminal, *at_terminal)
        for answer in ("no", "yes"):
            asked = ("run_session", "review", "--json", "--file", "shop/settings.py")
            shell.started[f"says {answer}"] = pool.submit(shell.run_at_terminal, *asked, answer=answer)
        yield shell


def words(told: str, provider: Provider) -> list[str]:
    return [*told.format(origin=provider.origin).split(), "--key-env", KEY_VARIABLE]


def bad_files(home: Path) -> None:
    (home / "empty.txt").write_bytes(b"")
    (home / "latin.py").write_bytes("café = 1\n".encode("latin-1"))
    with (home / "large.txt").open("wb") as large:
        large.truncate(50_000_000)
    shop = {"pay.py": "def pay(amount):\n    return amount * 1.19\n", "node_modules/x.js": "x", "poetry.lock": "x"}
    for name, text in (shop | {"settings.py": f'DB_PASSWORD = "{SECRET}"\n'}).items():
        (home / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "shop" / name).write_text(text)


def test_create_api_key_works_after_migrate_alone_and_prints_the_key_alone_on_its_last_line(shell: Shell) -> None:
    made = shell.ran("key")
    assert made.code == 0
    assert made.out.splitlines()[-1].startswith("cru_")
    assert " " not in made.out.splitlines()[-1]


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("who", WHO)
def test_a_real_artifact_is_reviewed_and_printed_as_pure_json(shell: Shell, who: str, what: str) -> None:
    ran = shell.ran(f"{who} {what}")
    assert ran.document["status"] == "completed", ran.err
    assert ran.document.keys() >= DOCUMENT_KEYS
    assert ran.document["findings"]
    assert all(finding.keys() >= FINDING_KEYS for finding in ran.document["findings"])
    assert all(finding["raised_by"] for finding in ran.document["findings"])
    assert ran.document["answers"]["missing"] == {}
    assert ran.document["summary"]
    assert ran.document["simulated"] is (who == "demo")


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("who", WHO)
def test_verified_quotes_stand_where_the_document_says(shell: Shell, who: str, what: str) -> None:
    texts = {name: (shell.directory / name).read_text() for name in ("writer.py", "docs/plan.md")}
    findings = shell.ran(f"{who} {what}").document["findings"]
    assert any(finding["evidence_verified"] for finding in findings)
    assert misplaced(findings, texts) == []


def test_providers_get_one_request_per_recorded_attempt(shell: Shell, provider: Provider) -> None:
    for what in WHAT:
        shell.ran(f"providers {what}")
    console = Console(shell.variables)
    recorded = {name: console("attempts", model_ids=[model]) for model, (_, name) in MODELS.items()}
    console.close()
    seen = provider.seen("model")
    assert recorded == {name: seen[name] for name in recorded}
    assert min(recorded.values()) > 0


def test_all_invariants_hold_over_what_these_processes_wrote_at_once(shell: Shell) -> None:
    for ran in shell.started.values():
        ran.result(SECONDS)
    verified = shell.run("verify_invariants")
    assert verified.code == 0, verified.out
    assert " invariants hold over " in verified.out


def test_a_review_that_is_done_exits_0_and_leaves_its_markdown(shell: Shell) -> None:
    ran = shell.ran("demo document")
    report = (shell.directory / "report.md").read_text()
    assert ran.code == 0
    assert all(f"### {finding['id']} " in report for finding in ran.document["findings"])
    assert "simulated: no model read this file" in report


def test_a_failed_review_exits_1_and_says_why_and_what_to_do(shell: Shell) -> None:
    ran = shell.ran("fails")
    assert (ran.code, ran.document["status"], ran.document["reason"]) == (1, "failed", "no_answers")
    assert "No instance gave a usable answer. See each instance's reason, then retry." in ran.err


@pytest.mark.parametrize("what", MISUSES)
def test_bad_usage_exits_2_with_one_sentence(shell: Shell, what: str) -> None:
    ran = shell.ran(what)
    assert (ran.code, ran.out) == (2, "")
    assert MISUSES[what][1] in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_a_finding_as_grave_as_fail_on_exits_3_with_the_whole_document(shell: Shell) -> None:
    ran = shell.ran("demo range")
    assert (ran.code, ran.document["status"]) == (3, "completed")


def test_a_review_that_waits_for_a_person_exits_4_and_names_what_for(shell: Shell) -> None:
    ran = shell.ran("waits")
    assert (ran.code, ran.document["status"]) == (4, "waiting")
    assert f"waiting for a person: cap. Open session {ran.document['code']} to go on." in ran.err


def test_a_gate_that_waits_for_a_person_exits_4(shell: Shell) -> None:
    ran = shell.ran("gate")
    assert (ran.code, ran.document["gate"]["state"], ran.document["gate"]["effective"]) == (4, "pending", "")
    assert "Waiting for a decision: " in ran.err


def test_a_gate_in_ci_exits_as_its_outcome_says_and_so_does_asking_again(shell: Shell) -> None:
    ran = shell.ran("gate in CI")
    gate = ran.document["gate"]
    code = {"pass": 0, "fail": 3, "": 4}[gate["effective"]]
    assert ran.code == code
    assert shell.run("gate", ran.document["code"]).code == code


def exit_of(gate: dict[str, Any]) -> int:
    return {"pass": 0, "fail": 3, "": 4}[gate["effective"]] if gate["state"] != "pending" else 4


def test_a_deliberation_is_printed_with_its_rounds_and_its_gate(shell: Shell) -> None:
    ran = shell.ran("deliberation")
    document = ran.document
    assert [one["round"] for one in document["rounds"]] == list(range(1, len(document["rounds"]) + 1))
    shares = [one[name] for one in document["rounds"] for name in ("agreement", "same_set")]
    assert len(shares) >= 4
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert {one["instance"] for one in document["positions"]} == {"A", "B", "C"}
    assert document["decision"]["confidence"] in {"high", "medium", "low", "undetermined"}
    assert (document["divergence"] is None) == (document["outcome"] == "converged")
    assert ran.code == exit_of(document["gate"])


def test_a_certification_is_printed_with_its_gate_and_no_rounds(shell: Shell) -> None:
    ran = shell.ran("certification")
    document = ran.document
    assert (document["rounds"], document["divergence"]) == ([], None)
    assert document["certification"]["standard"]["key"] == "design-document"
    assert ran.code == exit_of(document["gate"])


def test_a_deliberation_that_a_gate_judges_has_its_confirmation_round(shell: Shell) -> None:
    code = shell.ran("deliberation").document["code"]
    told = "import sys; from sessions.models import Session; print(Session.objects.get(code=sys.stdin.read()).params)"
    shown = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "-c", told], input=code, cwd=shell.directory,
        env=shell.variables, capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert "'confirmation_round': True" in shown.stdout


def test_a_review_is_settled_by_the_findings_that_are_named(shell: Shell) -> None:
    review = shell.ran("gate in CI").document
    label = review["findings"][0]["id"]
    ran = shell.run("run_session", "settle", review["code"], "--findings", label, "--gate", "ci", "--json")
    document = ran.document
    assert (document["kind"], document["rounds"][0]["mode"]) == ("deliberation", "blind")
    assert {one["finding"] for one in document["positions"] if one["round"] == 2} == {label}
    assert ran.code == exit_of(document["gate"])
    assert shell.run("gate", document["code"], "--wait", "1").code == ran.code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("settle", "Say which review: settle CODE."),
        ("settle 00000000-0000-4000-8000-000000000000", "There is no session 00000000"),
        ("settle {code} --file writer.py", "settle takes no --file: "),
        ("settle {code} --findings 1", "--findings takes labels such as F-001,F-004, not '1'."),
        ("settle {code} --findings F-987", "This review has no open finding F-987."),
        ("settle {code} --gate lenient", "There is no gate policy 'lenient'."),
        ("review {code} --file writer.py", "review takes no CODE: "),
        ("review --file writer.py --disputed", "review takes no --disputed: "),
    ],
)
def test_settling_what_cannot_be_settled_exits_2_with_one_sentence(shell: Shell, arguments: str, told: str) -> None:
    code = shell.ran("gate in CI").document["code"]
    ran = shell.run("run_session", *arguments.format(code=code).split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"CommandError: {told}")


def test_a_directory_is_read_file_by_file_and_says_what_it_passed_over(shell: Shell) -> None:
    ran = shell.ran("directory")
    assert [row["name"] for row in ran.document["artifacts"]] == ["shop/pay.py", "shop/settings.py"]
    assert "ignored shop/node_modules: " in ran.err
    assert "ignored shop/poetry.lock: " in ran.err


def test_what_was_guessed_in_reading_a_file_is_said(shell: Shell) -> None:
    assert "latin.py: It was read as Windows-1252." in shell.ran("wrong encoding").err


def test_sarif_is_written_beside_the_json(shell: Shell) -> None:
    findings = shell.ran("directory").document["findings"]
    results = json.loads((shell.directory / "shop.sarif").read_text())["runs"][0]["results"]
    assert [result["properties"]["id"] for result in results] == [finding["id"] for finding in findings]


def test_where_nobody_can_be_asked_a_likely_secret_is_a_warning(shell: Shell) -> None:
    ran = shell.ran("directory")
    assert ran.document["likely_secrets"] == [{"path": "shop/settings.py", "line": 1, "kind": "password or key"}]
    assert "warning: shop/settings.py:1 looks like a secret (password or key)" in ran.err
    assert SECRET not in ran.err


def test_on_a_terminal_a_likely_secret_is_asked_about_and_no_sends_nothing(shell: Shell) -> None:
    ran = shell.ran("says no")
    assert (ran.code, ran.out) == (2, "")
    assert "Nothing was sent." in ran.err


def test_on_a_terminal_yes_sends_it(shell: Shell) -> None:
    ran = shell.ran("says yes")
    assert "[y/N]" in ran.err
    assert ran.document["status"] == "completed"


def test_who_allows_secrets_is_not_stopped(shell: Shell) -> None:
    assert shell.ran("secrets allowed").document["status"] == "completed"


def test_progress_goes_to_a_terminal_on_stderr_alone(shell: Shell) -> None:
    ran = shell.ran("terminal")
    assert ran.document["status"] == "completed"
    assert "A reviews" in ran.err
    assert "merged into" in ran.err


def test_without_a_terminal_there_is_no_progress(shell: Shell) -> None:
    told = shell.ran("demo source").err
    assert told.startswith("completed, $")
    assert len(told.splitlines()) == 1


def test_the_last_line_says_that_a_simulated_review_is_not_charged(shell: Shell) -> None:
    assert shell.ran("demo source").err.endswith(", nothing is charged; simulated: no model read this file\n")


def test_the_models_key_is_in_no_word_and_no_file_of_the_installation(shell: Shell) -> None:
    said = [ran.result(SECONDS) for ran in shell.started.values()]
    assert not any(CANARY in ran.out + ran.err for ran in said)
    kept = [path for path in Path(shell.variables["CRUCIBLE_DATA_DIR"]).rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in path.read_bytes() for path in kept)
