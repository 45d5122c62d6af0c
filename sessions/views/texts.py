"""What a review read, and the one of these texts that its page shows, with marks where findings are."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import BigAutoField, Case, F, QuerySet, TextField, UUIDField, Value, When

from sessions.compiled import Compiled, Given
from sessions.models import Session, SessionSource
from sessions.queries import FoundFinding, SeatView, Wording
from sessions.views.artifact_pane import ArtifactPane, Mark, artifact_pane
from sessions.views.choice import Choice


def _sources(**shown: Any) -> Compiled[SessionSource]:
    """What a session read, in order; the one that is `shown` has its words in `text`."""

    def build() -> QuerySet[SessionSource]:
        rows = SessionSource.objects.filter(session=Given("session", BigAutoField()))
        then = F("version__content__text")
        words = Case(When(**shown, then=then), default=Value(None), output_field=TextField())
        return rows.select_related("version__artifact").annotate(text=words)

    return Compiled(build)


_OF_FIRST, _OF_VERSION = _sources(position=0), _sources(version=Given("shown", UUIDField()))


class Texts:
    """The texts of `session`, with the `findings` in them and what is `arriving`; `at` is the finding that is open."""

    def __init__(
        self,
        session: Session,
        choice: Choice,
        findings: Sequence[FoundFinding],
        arriving: Sequence[tuple[SeatView, list[Wording]]],
        at: FoundFinding | None,
    ) -> None:
        self._session = session
        self._choice = choice
        self._findings = findings
        self._arriving = arriving
        self._at = at

    @cached_property
    def sources(self) -> list[Any]:
        """What was read, as SessionSource rows; the one that is shown has its words in `text`. One query."""
        shown = self._wanted
        return _OF_VERSION(session=self._session.pk, shown=shown) if shown else _OF_FIRST(session=self._session.pk)

    @property
    def by_version(self) -> dict[UUID, SessionSource]:
        return {row.version_id: row for row in self.sources}

    @property
    def names(self) -> dict[UUID, str]:
        return {row.version_id: row.version.artifact.name for row in self.sources}

    @property
    def is_one(self) -> bool:
        """Whether a line says where a finding is, without the name of a file."""
        return len(self.sources) == 1 and self.sources[0].version.artifact.kind != "diff"

    @property
    def files(self) -> list[tuple[SessionSource, str, int]]:
        """What was read, each with where to see it and how many findings are in it."""
        counts = Counter(finding.wordings[0].source for finding in self._findings)
        return [
            (row, self._choice.link(f="", start="", file=str(row.version_id)), counts[row.version_id])
            for row in self.sources
        ]

    @cached_property
    def shown(self) -> Any:
        """The row of the text that is shown; None when there is none."""
        return next((row for row in self.sources if row.text is not None), None)

    @cached_property
    def pane(self) -> ArtifactPane | None:
        """None when nothing can be read any more."""
        row = self.shown
        if row is None or row.version.artifact.deleted_at or not row.text:
            return None
        marks = [mark for mark, source in self._marks if source == row.version_id]
        at = next((mark for mark in marks if self._at and mark.label == self._at.label), None)
        artifact = row.version.artifact
        return artifact_pane(
            row.version_id,
            artifact.name,
            artifact.kind,
            row.text,
            marks,
            at,
            self._choice.start,
            self._choice.of_findings,
        )

    @property
    def earlier(self) -> str:
        """The address of the window before the one that is shown; empty when there is none."""
        return self._window(self.pane.earlier) if self.pane and self.pane.earlier else ""

    @property
    def later(self) -> str:
        return self._window(self.pane.later) if self.pane and self.pane.later else ""

    def _window(self, start: int) -> str:
        return self._choice.link(f="", file=str(self.shown.version_id), start=str(start))

    @property
    def _wanted(self) -> UUID | None:
        if self._choice.file:
            try:
                return UUID(self._choice.file)
            except ValueError:
                return None
        return self._at.wordings[0].source if self._at else None

    @property
    def _marks(self) -> list[tuple[Mark, UUID | None]]:
        found = [(one.label, one.severity, one.raised_by, one.wordings[0]) for one in self._findings]
        found += [("", words.severity, (words.letter,), words) for _, came in self._arriving for words in came]
        return [
            (_mark(label, letters, severity, words), words.source)
            for label, severity, letters, words in found
            if words.place.start_line
        ]


def _mark(label: str, letters: tuple[str, ...], severity: str, words: Wording) -> Mark:
    start = words.place.start_line or 1
    end = max(words.place.end_line or start, start)
    return Mark(label, letters, severity, words.title, words.place.path, start, end)
