"""What is typed after `run_session`, read and checked: each wrong one ends in a sentence and exit code 2."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.access import Actor
from sessions.actions.artifacts import add_artifact, add_many
from sessions.actions.errors import Refused
from sessions.actions.rosters import default_seats, seats_of_models, seats_of_roster
from sessions.actions.templates import seats_of_template, templates_of
from sessions.catalog.review_templates import REVIEW_TEMPLATES, ReviewTemplate
from sessions.models import ArtifactVersion, Project, Session
from sessions.queries.gates import policies_of
from sessions.reading import Refusal, Unreadable, check_size
from sessions.reading.local_files import read_directory
from sessions.seats import Seat

USAGE = 2
LABEL = re.compile(r"[Ff]-([0-9]{1,9})")


def project_named(slug: str) -> Project:
    project = Project.objects.filter(slug=slug, deleted_at=None).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}.", returncode=USAGE)
    return project


def session_named(code: UUID | None) -> Session:
    if code is None:
        raise CommandError("Say which review: settle CODE.", returncode=USAGE)
    session = Session.objects.select_related("project", "summary").filter(code=code, deleted_at=None).first()
    if session is None:
        raise CommandError(f"There is no session {code}.", returncode=USAGE)
    return session


def check_policy(project: Project, policy: str) -> None:
    """Before anything is paid. Without a policy nobody is asked for a gate."""
    if policy and policy not in (known := policies_of(project)):
        raise CommandError(f"There is no gate policy {policy!r}. Known: {', '.join(known)}.", returncode=USAGE)


def read(actor: Actor, project: Project, path: str, name: str) -> tuple[list[ArtifactVersion], list[Refusal]]:
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


def seats_chosen(project: Project, options: dict[str, Any]) -> list[Seat]:
    if options["roster"] and options["model"]:
        raise CommandError("Give --roster or --model, not both.", returncode=USAGE)
    if options["template"]:
        given = seats_chosen(project, options | {"template": ""}) if options["roster"] or options["model"] else []
        template = template_named(project, options["template"])
        return seats_of_template(template, project, [seat.model_id for seat in given])
    if options["roster"]:
        roster = project.rosters.filter(name=options["roster"]).first()
        if roster is None:
            names = ", ".join(project.rosters.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no roster {options['roster']!r}. Known: {names}.", returncode=USAGE)
        return seats_of_roster(roster)
    return seats_of_models(options["model"]) if options["model"] else default_seats()


def template_named(project: Project, name: str) -> ReviewTemplate:
    known = templates_of(project)
    found = next((one for one in known if name in (one.key, one.label)), None)
    if found is None:
        keys = ", ".join(one.key if one.key in REVIEW_TEMPLATES else one.label for one in known)
        raise CommandError(f"There is no template {name!r}. Known: {keys}.", returncode=USAGE)
    return found


def params_given(pairs: Sequence[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"--param takes name=value, not {pair!r}.", returncode=USAGE)
        params[name] = int(value) if value.isdigit() else value
    return params


def cap_given(option: str, text: str | None) -> int | None:
    """Micro-credits."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not 0 <= value < 1_000_000:
        raise CommandError(f"{option} takes dollars, not {text!r}.", returncode=USAGE)
    return int(value * MICROCREDITS_PER_DOLLAR)


def numbers_given(labels: str) -> list[int]:
    """`F-001,F-004` as numbers."""
    found = [LABEL.fullmatch(label.strip()) for label in labels.split(",")]
    if not all(found):
        raise CommandError(f"--findings takes labels such as F-001,F-004, not {labels!r}.", returncode=USAGE)
    return [int(match[1]) for match in found if match]
