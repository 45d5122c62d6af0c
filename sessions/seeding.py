"""What every installation starts with, made once and again harmlessly: the registry, the local owner, and a demo
project with artifacts, a roster and a finished review. What an operator changed is left as it is."""

import json
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from sessions.access import Actor
from sessions.actions.artifacts import add_artifact
from sessions.actions.catalog import NewModel, add_model, set_price
from sessions.actions.rosters import default_seats, save_roster
from sessions.demo.personas import DEMO_MODELS
from sessions.models import ArtifactVersion, LanguageModel, Membership, Project, Provider, Role
from sessions.people import User

OWNER_EMAIL = "owner@localhost"
DEMO_SLUG = "demo"
ROSTER_NAME = "Three demo models"
CATALOG = Path(__file__).parent / "catalog.json"
DEMO_FILES = Path(__file__).parent / "demo" / "artifacts"


def seed() -> Project:
    """Bring the database to its starting point. Returns the demo project."""
    with transaction.atomic():
        seed_registry()
        return _demo_project(_owner())


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


def _demo_project(owner: User) -> Project:
    project, created = Project.objects.get_or_create(slug=DEMO_SLUG, defaults={"name": "Demo", "is_demo": True})
    if created:
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
        demo_versions(Actor(owner), project)
        save_roster(project, ROSTER_NAME, default_seats())
    return project


def demo_versions(actor: Actor, project: Project) -> list[ArtifactVersion]:
    """The demo artifacts, kept by content hash: calling it again makes nothing new."""
    files = sorted(path for path in DEMO_FILES.iterdir() if path.is_file() and not path.name.startswith((".", "_")))
    return [add_artifact(actor, project, path.name, path.read_bytes()) for path in files]
