"""Archives: kept as they come and unpacked by a worker, so that no request waits for a stranger's ZIP. What is done
twice, because a worker died, changes nothing: the same text is the same version."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from sessions.access import Actor
from sessions.actions.artifacts import add_many
from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.db import db
from sessions.engine.names import clean_name
from sessions.models import ArtifactVersion, Project, Unpacking
from sessions.reading import Refusal, Unreadable
from sessions.reading.formats import is_archive
from sessions.reading.readable import check_size
from sessions.reading.several import MAX_TOTAL_BYTES, refusal_of
from sessions.reading.unreadable import megabytes

MAX_WAITING = 20  # archives of one project
LEASE = timedelta(seconds=30)  # renewed while the worker lives: an archive of fifty PDFs takes minutes
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of several files. `unpackings` are archives that a worker has still to look into."""

    versions: list[ArtifactVersion] = field(default_factory=list)
    unread: list[Refusal] = field(default_factory=list)
    unpackings: list[Unpacking] = field(default_factory=list)

    @property
    def refused(self) -> list[Refusal]:
        """What somebody meant and that could not be read."""
        return [one for one in self.unread if not one.ignored]

    @property
    def ignored(self) -> list[Refusal]:
        """What came along in a folder or an archive and was passed over."""
        return [one for one in self.unread if one.ignored]


def bring_many(actor: Actor, project: Project, files: Sequence[tuple[str, bytes]]) -> Brought:
    """As `artifacts.add_many`, but archives are kept for a worker."""
    plain: list[tuple[str, bytes]] = []
    refusals: list[Refusal] = []
    unpackings: list[Unpacking] = []
    room = MAX_TOTAL_BYTES
    for name, data in files:
        path = clean_name(name)
        if not is_archive(path, data):
            plain.append((name, data))
            continue
        try:
            unpackings.append(_keep_archive(actor, project, path, data, room))
            room -= len(data)
        except Unreadable as error:
            refusals.append(refusal_of(path, error))
    versions, unread = add_many(actor, project, plain)
    return Brought(versions, [*refusals, *unread], unpackings)


def _keep_archive(actor: Actor, project: Project, name: str, data: bytes, room: int) -> Unpacking:
    """Raises Unreadable."""
    check_size(len(data), f"{name}.zip")
    if len(data) > room:
        raise Unreadable("total_too_large", limit=megabytes(MAX_TOTAL_BYTES))
    with transaction.atomic():
        keep_open(project)
        if project.unpackings.filter(state=Unpacking.State.WAITING).count() >= MAX_WAITING:
            raise Unreadable("busy")
        return Unpacking.objects.create(project=project, asked_by=actor.user, name=name, data=data)


def find_unpacking(project: Project, code: UUID | str) -> Unpacking | None:
    """Without its bytes; None when there is none, or the code is no code."""
    try:
        return project.unpackings.defer("data").filter(code=code).first()
    except ValidationError:
        return None


def brought_of(row: Unpacking) -> Brought:
    """What was in it, as far as it is still there."""
    if row.state == Unpacking.State.WAITING:
        return Brought(unpackings=[row])
    newest: dict[str, ArtifactVersion] = {}
    rows = ArtifactVersion.objects.filter(artifact__code__in=row.artifacts, artifact__deleted_at=None)
    for version in rows.select_related("artifact__project", "content").order_by("number"):
        newest[str(version.artifact.code)] = version
    return Brought([newest[code] for code in row.artifacts if code in newest], [Refusal(**one) for one in row.unread])


async def unpack_due() -> None:
    """Unpack what waits, one archive after the other, on a thread of its own."""
    while taken := await db(_claim):
        held = asyncio.ensure_future(_hold(*taken))
        try:
            await asyncio.to_thread(_unpack, *taken)
        finally:
            held.cancel()


async def _hold(pk: int, tries: int) -> None:
    while True:
        await asyncio.sleep(LEASE.total_seconds() / 3)
        await db(_renew, pk, tries)


def _renew(pk: int, tries: int) -> None:
    mine = Unpacking.objects.filter(pk=pk, tries=tries, state=Unpacking.State.WAITING)
    mine.update(lease_until=Now() + LEASE)


def _claim() -> tuple[int, int] | None:
    """(id, which try this is), or None when there is nothing to do."""
    free = Unpacking.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), state=Unpacking.State.WAITING)
    found = free.order_by("created_at").values_list("pk", "name", "tries").first()
    if found is None:
        return None
    pk, name, tries = found
    mine = free.filter(pk=pk, tries=tries)
    if tries == MOST_TRIES:
        mine.update(**_ended([], [refusal_of(name, Unreadable("unpacking_broke", tries=MOST_TRIES))]))
        return None
    return (pk, tries + 1) if mine.update(tries=tries + 1, lease_until=Now() + LEASE) else None


def _unpack(pk: int, tries: int) -> None:
    """An archive that was claimed again meanwhile belongs to somebody else."""
    mine = Unpacking.objects.filter(pk=pk, tries=tries, state=Unpacking.State.WAITING)
    try:
        row = mine.select_related("project", "asked_by").first()
        if row is not None:
            mine.update(**_ended(*add_many(Actor(row.asked_by), row.project, [(row.name, bytes(row.data))])))
    except Refused:
        mine.delete()  # its project is gone
    finally:
        connection.close()  # this thread's own, which nobody else would close


def _ended(versions: Sequence[ArtifactVersion], unread: Sequence[Refusal]) -> dict[str, object]:
    return {
        "state": Unpacking.State.DONE if versions else Unpacking.State.FAILED,
        "artifacts": [str(version.artifact.code) for version in versions],
        "unread": [asdict(one) for one in unread],
        "data": b"",
        "ended_at": timezone.now(),
    }
