"""`run_session KIND --file PATH...`: one session to rest, in this process, without a server.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 `--fail-on` met or the gate fails, 4 waiting for a person, also at a gate,
130 interrupted.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.access import Actor
from sessions.actions.artifacts import add_artifact, add_many
from sessions.actions.errors import Refused
from sessions.actions.gates import judge_session
from sessions.actions.lifecycle import NewSession, create_session, start_session, stop_session
from sessions.actions.rosters import default_seats, seats_of_models, seats_of_roster
from sessions.actions.templates import seats_of_template, templates_of
from sessions.catalog.review_templates import REVIEW_TEMPLATES, ReviewTemplate
from sessions.engine.errors import explain
from sessions.engine.findings import SEVERITIES
from sessions.kinds import KINDS
from sessions.management.prepared import PreparedCommand
from sessions.models import ArtifactVersion, Project, Session
from sessions.people import User
from sessions.progress import Progress, wait_for_rest
from sessions.queries import seats_of, simulated_notice
from sessions.queries.deliberation import deliberation_of, rejected_in
from sessions.queries.gates import GateView, gate_of, policies_of
from sessions.queries.suspects import suspects_in
from sessions.reading import Refusal, Unreadable, check_size
from sessions.reading.gitrange import read_range
from sessions.reading.local_files import artifact_names, read_directory
from sessions.reading.secrets_scan import Suspect
from sessions.reports.export import cost_words, document, markdown
from sessions.reports.gates import gate_exit, sentence
from sessions.reports.sarif import sarif
from sessions.seats import Seat
from sessions.seeding import DEMO_SLUG, OWNER_EMAIL, seed
from sessions.vault import forget_provider_keys
from sessions.worker import stop_worker, worker

DONE, FAILED, USAGE, FAIL_ON_MET, WAITING, INTERRUPTED = 0, 1, 2, 3, 4, 130


class Command(PreparedCommand):
    help = "Run one session to rest in this process. Exits 0 done, 1 failed, 2 bad usage, 3 --fail-on met, 4 waiting."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=sorted(KINDS))
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
            session = self._draft(actor, options)
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
        project = Project.objects.filter(slug=options["project"], deleted_at=None).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.", returncode=USAGE)
        if options["gate"] and options["gate"] not in (known := policies_of(project)):
            unknown = f"There is no gate policy {options['gate']!r}. Known: {', '.join(known)}."
            raise CommandError(unknown, returncode=USAGE)
        names = artifact_names([*options["file"], *options["context"]])
        versions = self._material(actor, project, {path: names[path] for path in options["file"]})
        if options["diff"]:
            diff = read_range(Path.cwd(), options["diff"])
            versions.append(add_artifact(actor, project, _diff_name(options["diff"]), diff.encode(), "diff"))
        context = self._material(actor, project, {path: names[path] for path in options["context"]})
        seats = _seats(project, options)
        params = _template(project, options).params if options["template"] else {}
        self._note([*versions, *context])
        self._warn(suspects_in([*versions, *context]), options["allow_secrets"])
        new = NewSession(
            kind=options["kind"],
            seats=seats,
            versions=versions,
            context=context,
            title=options["title"],
            brief=options["brief"],
            params=params | _params(options["param"]),
            soft_cap=_cap("--soft-cap", options["soft_cap"]),
            hard_cap=_cap("--cap", options["cap"]),
        )
        return create_session(actor, project, new)

    def _material(self, actor: Actor, project: Project, names: dict[str, str]) -> list[ArtifactVersion]:
        versions = []
        for path, name in names.items():
            read, passed = _read(actor, project, path, name)
            versions += read
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


def _read(actor: Actor, project: Project, path: str, name: str) -> tuple[list[ArtifactVersion], list[Refusal]]:
    """A file, or what a directory or an archive holds, and what was passed over in it."""
    try:
        file = Path(path)
        if file.is_dir():
            return add_many(actor, project, read_directory(file, name))
        check_size(file.stat().st_size, path)
        if path.lower().endswith(".zip"):
            return add_many(actor, project, [(file.name, file.read_bytes())])
        return [add_artifact(actor, project, name, file.read_bytes())], []
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", returncode=USAGE) from None
    except (Refused, Unreadable) as refusal:
        raise CommandError(f"{path}: {refusal.sentence}", returncode=USAGE) from None


def _diff_name(revisions: str) -> str:
    return f"{revisions.replace('/', '-')}.diff"


def _seats(project: Project, options: dict[str, Any]) -> list[Seat]:
    if options["roster"] and options["model"]:
        raise CommandError("Give --roster or --model, not both.", returncode=USAGE)
    if options["template"]:
        given = _seats(project, options | {"template": ""}) if options["roster"] or options["model"] else []
        return seats_of_template(_template(project, options), project, [seat.model_id for seat in given])
    if options["roster"]:
        roster = project.rosters.filter(name=options["roster"]).first()
        if roster is None:
            names = ", ".join(project.rosters.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no roster {options['roster']!r}. Known: {names}.", returncode=USAGE)
        return seats_of_roster(roster)
    return seats_of_models(options["model"]) if options["model"] else default_seats()


def _template(project: Project, options: dict[str, Any]) -> ReviewTemplate:
    known = templates_of(project)
    found = next((one for one in known if options["template"] in (one.key, one.label)), None)
    if found is None:
        keys = ", ".join(one.key if one.key in REVIEW_TEMPLATES else one.label for one in known)
        raise CommandError(f"There is no template {options['template']!r}. Known: {keys}.", returncode=USAGE)
    return found


def _params(pairs: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"--param takes name=value, not {pair!r}.", returncode=USAGE)
        params[name] = int(value) if value.isdigit() else value
    return params


def _cap(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not 0 <= value < 1_000_000:
        raise CommandError(f"{option} takes dollars, not {text!r}.", returncode=USAGE)
    return int(value * MICROCREDITS_PER_DOLLAR)


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
