"""What every installation starts with, made once and again harmlessly: the registry, the local owner, and a demo
project with artifacts, a roster, finished sessions of every kind and a gate that waits. What an operator changed is
left as it is."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone

from sessions.access import Actor
from sessions.actions.artifacts import keep
from sessions.actions.catalog import NewModel, add_model, set_price
from sessions.actions.gates import judge_session
from sessions.actions.rosters import default_seats, save_roster
from sessions.actions.standard_versions import seed_standards
from sessions.demo.personas import DEMO_MODELS
from sessions.demo.recorded import RECORDINGS, load
from sessions.models import LanguageModel, Membership, Project, Provider, Role, SeparateApprover
from sessions.people import User
from sessions.reading import read_bytes

OWNER_EMAIL, APPROVER_EMAIL = "owner@localhost", "approver@localhost"
DEMO_SLUG = "demo"
ROSTER_NAME = "Three demo models"
CATALOG = Path(__file__).parent / "catalog" / "catalog.json"
DEMO_FILES = sorted((Path(__file__).parent / "demo" / "artifacts").glob("[a-z]*.*"))
# Recorded sessions name the versions they read, so those have the same id in every installation.
DEMO_IDS = UUID("5e1f0d6a-0000-4000-8000-6372756369c1")
AGO = timedelta(minutes=2)
GATED = "review"  # whose gate waits: the policy proposes a fail, which only somebody else than its starter may override


def seed(*, alone: bool = False) -> Project | None:
    """Bring the database to its starting point. Returns the demo project, if it is still there. `alone`: this server is
    for one person at this machine, who gets a second account for what takes two."""
    with transaction.atomic():
        seed_registry()
        for project in Project.objects.filter(deleted_at=None, standards=None):  # made before there were standards
            seed_standards(project)
        demo = _demo_project(_owner())
        if alone and demo:
            _add_approver(demo)
        return demo


def seed_registry() -> None:
    demo, _ = Provider.objects.get_or_create(name="demo", defaults={"adapter": "demo", "label": "Demo models"})
    for row in DEMO_MODELS:
        model, created = LanguageModel.objects.get_or_create(
            pk=row.id,
            defaults={
                "provider": demo,
                "route": row.id,
                "label": row.label,
                "family": row.family,
                "weight": row.weight,
                "context_window": row.context_window,
            },
        )
        if created:
            set_price(model, row.input_price, row.output_price)
    known = set(LanguageModel.objects.values_list("pk", flat=True))
    for entry in json.loads(CATALOG.read_text("utf-8")):
        if entry["id"] not in known:
            entry |= {name: Decimal(entry[name]) for name in ("input_price", "output_price")}
            add_model(NewModel(**entry))


def _owner() -> User:
    owner = User.objects.filter(email=OWNER_EMAIL).first()
    if owner is None:
        owner = User.objects.create_superuser(OWNER_EMAIL, None, name="Owner")
    return owner


def _demo_project(owner: User) -> Project | None:
    """The demo project, made once; None when somebody deleted it, which stands."""
    demo = Project.objects.filter(is_demo=True).first()
    if demo is not None:
        return None if demo.deleted_at else demo
    rule = SeparateApprover.OVERRIDE
    demo = Project.objects.create(slug=DEMO_SLUG, name="Demo", is_demo=True, separate_approver=rule)
    Membership.objects.create(project=demo, user=owner, role=Role.OWNER)
    for path in DEMO_FILES:
        readable = read_bytes(path.name, path.read_bytes())
        keep(Actor(owner), demo, readable, version_id=uuid5(DEMO_IDS, readable.digest))
    save_roster(demo, ROSTER_NAME, default_seats())
    seed_standards(demo)
    for recording in sorted(RECORDINGS.glob("*.json")):
        session = load(demo, owner, recording.read_bytes(), ended=timezone.now() - AGO)
        if recording.stem == GATED:
            judge_session(Actor(owner), session, "standard")
    return demo


def _add_approver(demo: Project) -> None:
    """Made once: taken out of the project, it does not come back."""
    if not User.objects.filter(email=APPROVER_EMAIL).exists():
        approver = User.objects.create_user(APPROVER_EMAIL, None, name="Approver")
        Membership.objects.create(project=demo, user=approver, role=Role.APPROVER)
