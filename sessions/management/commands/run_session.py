"""`run_session KIND --file PATH...`: one session to rest, in this process, without a server. `run_session settle CODE`
goes on with a finished review as a deliberation.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 `--fail-on` met or the gate fails, 4 waiting for a person, also at a gate,
130 interrupted.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from sessions.access import Actor
from sessions.actions.artifacts import add_artifact
from sessions.actions.errors import Refused
from sessions.actions.gates import judge_session
from sessions.actions.lifecycle import start_session, stop_session
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.settling import candidates, settle
from sessions.engine.errors import explain
from sessions.engine.findings import SEVERITIES
from sessions.kinds import KINDS
from sessions.management.arguments import (
    USAGE,
    cap_given,
    check_policy,
    numbers_given,
    params_given,
    project_named,
    read,
    seats_chosen,
    session_named,
    template_named,
)
from sessions.management.prepared import PreparedCommand
from sessions.models import ArtifactVersion, Project, Session
from sessions.people import User
from sessions.progress import Progress, wait_for_rest
from sessions.queries import seats_of, simulated_notice
from sessions.queries.deliberation import deliberation_of, rejected_in
from sessions.queries.gates import GateView, gate_of
from sessions.queries.suspects import suspects_in
from sessions.reading import Unreadable
from sessions.reading.gitrange import read_range
from sessions.reading.local_files import artifact_names
from sessions.reading.secrets_scan import Suspect
from sessions.reports.export import cost_words, document, markdown
from sessions.reports.gates import gate_exit, sentence
from sessions.reports.sarif import sarif
from sessions.seeding import DEMO_SLUG, OWNER_EMAIL, seed
from sessions.specs import gated
from sessions.vault import forget_provider_keys
from sessions.worker import stop_worker, worker

DONE, FAILED, FAIL_ON_MET, WAITING, INTERRUPTED = 0, 1, 3, 4, 130
SETTLE = "settle"
# What a review that is settled brings along: saying it again would change nothing.
OF_THE_REVIEW = ("file", "diff", "context", "roster", "model", "template", "title", "brief", "cap", "soft_cap")


class Command(PreparedCommand):
    help = "Run one session to rest in this process. Exits 0 done, 1 failed, 2 bad usage, 3 --fail-on met, 4 waiting."

    _suspects: Sequence[Suspect] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=[*sorted(KINDS), SETTLE])
        parser.add_argument("code", nargs="?", type=UUID, metavar="CODE", help="the review that is settled")
        parser.add_argument(
            "--file",
            nargs="+",
            action="extend",
            default=[],
            metavar="PATH",
            help="what is judged: files, directories, .zip",
        )
        parser.add_argument("--diff", default="", metavar="BASE...HEAD", help="a Git range of this repository")
        parser.add_argument(
            "--context", nargs="+", action="extend", default=[], metavar="PATH", help="read, not judged"
        )
        parser.add_argument("--project", default=DEMO_SLUG, metavar="SLUG")
        parser.add_argument("--roster", default="", metavar="NAME", help="a saved roster of the project")
        parser.add_argument("--model", nargs="+", action="extend", default=[], metavar="ID", help="one seat per model")
        parser.add_argument("--template", default="", metavar="KEY", help="a review template, by its key or its name")
        parser.add_argument("--title", default="")
        parser.add_argument("--brief", default="", help="what is asked, in your words")
        parser.add_argument("--param", nargs="+", action="extend", default=[], metavar="K=V")
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--findings", default="", metavar="F-001,F-004", help="settle these")
        chosen.add_argument("--disputed", action="store_true", help="settle those whose severity is disputed")
        parser.add_argument("--cap", default=None, metavar="DOLLARS", help="hard cap on cost: the session ends there")
        parser.add_argument("--soft-cap", default=None, metavar="DOLLARS", help="the session waits there for a person")
        parser.add_argument("--fail-on", choices=sorted(SEVERITIES, key=SEVERITIES.__getitem__), default=None)
        parser.add_argument("--gate", default="", metavar="POLICY", help="judge it; exits 0 pass, 3 fail, 4 neither")
        parser.add_argument("--json", action="store_true", help="print the export document")
        parser.add_argument("--markdown", default="", metavar="F", help="write the Markdown export to F")
        parser.add_argument("--sarif", default="", metavar="F", help="write SARIF 2.1.0, for code scanning, to F")
        parser.add_argument("--allow-secrets", action="store_true", help="send what looks like a secret without asking")
        parser.add_argument("--fresh", action="store_true", help="ask again what is recorded for the same input")

    def handle(self, *args: Any, **options: Any) -> None:
        forget_provider_keys()
        seed()
        actor = Actor(User.objects.get(email=OWNER_EMAIL))
        try:
            session = (self._settling if options["kind"] == SETTLE else self._draft)(actor, options)
            start_session(actor, session, dispatch=False, fresh=options["fresh"])
        except (Refused, Unreadable) as refusal:
            following = getattr(refusal, "next_step", "")
            raise CommandError(f"{refusal.sentence} {following}".strip(), returncode=USAGE) from None
        self._run(actor, session)
        session.refresh_from_db()
        gate = self._gate(actor, session, options["gate"]) if options["gate"] else None
        self._report(session, options)
        sys.exit(_exit_code(session, options["fail_on"]) or (gate_exit(gate) if gate else DONE))

    def _gate(self, actor: Actor, session: Session, policy: str) -> GateView:
        judge_session(actor, session, policy)
        gate = gate_of(session)
        self.stderr.write(sentence(gate))
        return gate

    def _draft(self, actor: Actor, options: dict[str, Any]) -> Session:
        _check_settling(options, settles=False)
        project = project_named(options["project"])
        check_policy(project, options["gate"])
        names = artifact_names([*options["file"], *options["context"]])
        versions = self._material(actor, project, {path: names[path] for path in options["file"]})
        if options["diff"]:
            diff = read_range(Path.cwd(), options["diff"])
            versions.append(add_artifact(actor, project, _diff_name(options["diff"]), diff.encode(), "diff"))
        context = self._material(actor, project, {path: names[path] for path in options["context"]})
        params = template_named(project, options["template"]).params if options["template"] else {}
        self._note([*versions, *context])
        self._warn(suspects_in([*versions, *context]), options["allow_secrets"])
        new = NewSession(
            kind=options["kind"],
            seats=seats_chosen(project, options),
            versions=versions,
            context=context,
            title=options["title"],
            brief=options["brief"],
            params=gated(options["kind"], params | params_given(options["param"]), options["gate"]),
            soft_cap=cap_given("--soft-cap", options["soft_cap"]),
            hard_cap=cap_given("--cap", options["cap"]),
        )
        return create_session(actor, project, new)

    def _settling(self, actor: Actor, options: dict[str, Any]) -> Session:
        """A draft that settles the review CODE: its texts, instances, brief and caps."""
        _check_settling(options, settles=True)
        review = session_named(options["code"])
        check_policy(review.project, options["gate"])
        params = gated("deliberation", params_given(options["param"]), options["gate"])
        session = settle(actor, review, _numbers(review, options), params)
        rows = session.sources.select_related("version__artifact", "version__content")
        self._suspects = suspects_in(row.version for row in rows)
        return session

    def _material(self, actor: Actor, project: Project, names: dict[str, str]) -> list[ArtifactVersion]:
        versions = []
        for path, name in names.items():
            found, passed = read(actor, project, path, name)
            versions += found
            for one in passed:
                if not one.ignored:
                    raise CommandError(f"{one.name}: {one.sentence} {one.next_step}".strip(), returncode=USAGE)
                self.stderr.write(f"ignored {one.name}: {one.sentence}")
        return versions

    def _note(self, versions: Sequence[ArtifactVersion]) -> None:
        """Say what was guessed or left out in reading them."""
        for version in versions:
            for notice in version.notices:
                self.stderr.write(f"{version.artifact.name}: {notice}")

    def _warn(self, suspects: Sequence[Suspect], allowed: bool) -> None:
        """Say where something looks like a secret. On a terminal a person decides; where nobody sits, the warning
        stands in the log and in the JSON document."""
        self._suspects = suspects
        for suspect in suspects:
            self.stderr.write(f"warning: {suspect.path}:{suspect.line} looks like a secret ({suspect.kind})")
        if suspects and not allowed and sys.stdin.isatty() and self.stderr.isatty():
            self.stderr.write("Send it to the models all the same? [y/N] ", ending="")
            if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
                raise CommandError("Nothing was sent. Take the secrets out, or give --allow-secrets.", returncode=USAGE)

    def _run(self, actor: Actor, session: Session) -> None:
        progress = Progress(self.stderr if self.stderr.isatty() else None)
        try:
            driven = worker().submit(session.pk)
            wait_for_rest(session, driven, progress)
        except KeyboardInterrupt:
            stop_session(actor, session)
            self.stderr.write(f"Stopped. What was answered is kept in session {session.code}.")
            sys.exit(INTERRUPTED)
        finally:
            stop_worker()

    def _report(self, session: Session, options: dict[str, Any]) -> None:
        if options["markdown"]:
            Path(options["markdown"]).write_text(markdown(session), "utf-8")
        if options["sarif"]:
            Path(options["sarif"]).write_text(json.dumps(sarif(session), ensure_ascii=False, indent=2), "utf-8")
        if options["json"]:
            whole = document(session) | {"likely_secrets": [suspect._asdict() for suspect in self._suspects]}
            self.stdout.write(json.dumps(whole, ensure_ascii=False, indent=2))
        else:
            self.stdout.write(markdown(session))
        if session.status == "failed":
            self.stderr.write(f"failed: {explain(session.reason)}")
        elif session.status == "waiting":
            self.stderr.write(f"waiting for a person: {session.waiting_for}. Open session {session.code} to go on.")
        seats = seats_of(session)
        notice = simulated_notice(seats)
        self.stderr.write(f"{session.status}, {cost_words(session, seats)}{notice and f'; {notice}'}")


def _diff_name(revisions: str) -> str:
    return f"{revisions.replace('/', '-')}.diff"


def _check_settling(options: dict[str, Any], *, settles: bool) -> None:
    unfit = OF_THE_REVIEW if settles else ("code", "findings", "disputed")
    if given := next((name for name in unfit if options[name]), None):
        named = "CODE" if given == "code" else f"--{given.replace('_', '-')}"
        why = "the review that is settled brings that along" if settles else "it is for settle"
        raise CommandError(f"{options['kind']} takes no {named}: {why}.", returncode=USAGE)


def _numbers(review: Session, options: dict[str, Any]) -> list[int] | None:
    """The findings to settle; None for all that something speaks for."""
    if options["disputed"]:
        return [one.number for one in candidates(review) if "disputed" in one.why]
    return numbers_given(options["findings"]) if options["findings"] else None


def _exit_code(session: Session, fail_on: str | None) -> int:
    if session.status in {"waiting", "needs_attention"}:
        return WAITING
    if session.status != "completed":
        return FAILED
    if fail_on is None:
        return DONE
    agreed_wrong = rejected_in(deliberation_of(session))
    found = session.findings.filter(status="open").exclude(disposition="dismissed").exclude(number__in=agreed_wrong)
    met = any(SEVERITIES[finding.weight] >= SEVERITIES[fail_on] for finding in found)
    return FAIL_ON_MET if met else DONE
