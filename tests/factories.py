"""Rows for tests, made by the product's own actions and events; nothing here writes what an action would refuse."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Any

import orjson
from django.db import transaction
from django.test import Client
from django.utils import timezone

from crucible_site.models import User
from sessions.access import SCOPES, Actor, grants_in
from sessions.actions import projects
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.catalog import NewModel, add_model, set_price
from sessions.actions.lifecycle import start_session
from sessions.actions.log import append
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.standards import create_standard
from sessions.actions.texts import add_text
from sessions.background import Background, read_background
from sessions.engine.patterns.certification import certification
from sessions.engine.patterns.deliberation import deliberation
from sessions.events import text_ref
from sessions.models import (
    Artifact,
    ArtifactVersion,
    Attempt,
    LanguageModel,
    Membership,
    Project,
    Provider,
    Role,
    Session,
    SessionSource,
    Step,
)
from sessions.seats import Seat
from sessions.specs import read_sources, thaw, thaw_certification, thaw_deliberation
from sessions.writer import Draft
from tests.fakes import MemoryJournal, ScriptedLLM, run_with

CODE = 'def pay(amount):\n    total = amount * 1.19\n    return charge(total)\n\nprint(pay("10"))\n'
DEMO_IDS = ("demo/atlas", "demo/birch", "demo/cedar")
ROLES = ("lead", "reviewer", "synthesizer")


def user(name: str, **fields: Any) -> User:
    return User.objects.create_user(f"{name}@example.org", "a long enough password", name=name.title(), **fields)


def project(owner: User, name: str = "Paper mill") -> Project:
    return projects.create_project(owner, name)


def join(member: User, project: Project, role: str = Role.MEMBER) -> Membership:
    return Membership.objects.create(project=project, user=member, role=role)


def api_key(user: User, project: Project, *scopes: str) -> str:
    """The text of a new key; without scopes as wide as the user's role."""
    actor = Actor(user)
    wide = [scope for scope in SCOPES if scope in grants_in(actor, project)]
    return projects.create_api_key(actor, project, "test", list(scopes) or wide)[1]


def client(user: User, *scopes: str) -> Client:
    """An API client with a key of `user` for the project they joined first."""
    first = user.memberships.select_related("project").earliest("pk").project
    return Client(headers={"Authorization": f"Bearer {api_key(user, first, *scopes)}"})


def demo_models() -> list[LanguageModel]:
    provider, _ = Provider.objects.get_or_create(name="demo", defaults={"adapter": "demo", "label": "Demo models"})
    models = [
        LanguageModel.objects.get_or_create(pk=pk, defaults={"provider": provider, "route": pk, "family": pk[-5:]})[0]
        for pk in DEMO_IDS
    ]
    for model in models:
        set_price(model, Decimal("1.00"), Decimal("4.00"))
    return models


def real_model(pk: str = "lab/large", **fields: Any) -> LanguageModel:
    """A model behind an HTTP endpoint that nobody serves; with a key and, unless given, no price."""
    new = NewModel(pk, route="large", base_url="http://127.0.0.1:9/v1", key="sk-not-a-real-key-0000")
    return add_model(replace(new, **fields))


def seats(*model_ids: str) -> list[Seat]:
    """One seat per model, the three demo models unless given; the first leads, the third sums up."""
    if not model_ids:
        demo_models()
    rows = zip_longest(model_ids or DEMO_IDS, ROLES, fillvalue="reviewer")
    return [
        Seat.model_validate({"name": f"Seat {number}", "role": role, "model_id": model_id})
        for number, (model_id, role) in enumerate(islice(rows, len(model_ids or DEMO_IDS)), 1)
    ]


def artifact(user: User, project: Project, name: str = "pay.py", text: str = CODE) -> ArtifactVersion:
    return add_text_artifact(Actor(user), project, name, text)


def draft(user: User, project: Project, *versions: ArtifactVersion, **fields: Any) -> Session:
    """A review, unless a `kind` is given, that nobody started. `fields` are those of NewSession."""
    fields = {"kind": "review", "seats": fields.pop("seats", None) or seats(), "title": "Payment", **fields}
    read = list(versions) or [artifact(user, project)]
    return create_session(Actor(user), project, NewSession(versions=read, **fields))


def running(user: User, project: Project, *versions: ArtifactVersion, **fields: Any) -> Session:
    """A started review as its worker sees it, without a worker."""
    session = start_session(Actor(user), draft(user, project, *versions, **fields), dispatch=False, fresh=True)
    return _set(session, status="running")


def reviewed(user: User, project: Project, *versions: ArtifactVersion, **fields: Any) -> Session:
    """A completed review: A and B saw F-001, B alone F-002, C timed out, A wrote the summary."""
    session = running(user, project, *versions, **fields)
    ask(session, "A", "brief/a")
    ask(session, "A", "review/a")
    ask(session, "B", "review/b", failures=("rate_limited",))
    submit(session, "A", report(title="Float money", severity="critical"))
    rounding = report(title="Rounding", claim="Rounds wrongly.", evidence="amount * 1.19", severity="major")
    submit(session, "B", rounding, report(title="Prints", evidence='print(pay("10"))', severity="minor", start_line=5))
    lose(session, "C", "timeout_first_byte")
    merge(session, ("critical", ["A-1", "B-1"]), ("minor", ["B-2"]))
    ask(session, "A", "summary/a")
    summarise(session, "A", "Fix F-001 first.")
    return finish(session, reason="2_of_3_answered")


CRITERIA = [
    {"id": "A-1", "text": "It charges an amount.", "mandatory": True, "critical": True},
    {"id": "A-2", "text": "It rounds as it should.", "mandatory": True, "critical": False},
]


def certified(user: User, project: Project, *said: str, rule: str = "supermajority") -> Session:
    """A completed certification of three models that are not simulated: `said` is what they say of the second
    criterion, that it is met, is met and is not met unless given."""
    if not project.standards.filter(key="payment-code").exists():
        create_standard(Actor(user), project, "Payment code", CRITERIA)
    seated = [Seat(name=pk, model_id=real_model(pk).pk) for pk in ("lab/x", "lab/y", "lab/z")]
    params = {"standard": "payment-code", "rule": rule}
    new = NewSession("certification", seated, [artifact(user, project)], title="Payment", params=params)
    session = start_session(Actor(user), create_session(Actor(user), project, new), dispatch=False, fresh=True)
    _set(session, status="running")
    sources = read_sources([session.pk])[session.pk]
    assert session.spec is not None
    assert sources is not None
    spec = thaw_certification(session, thaw(session.spec), sources, read_background(session))
    answers = [_certifying(word) for word in said or ("met", "met", "not_met")]
    script = dict(zip(("certify/a", "certify/b", "certify/c"), answers, strict=True))
    journal = MemoryJournal()
    result = asyncio.run(certification(run_with(ScriptedLLM(script), journal), spec))
    for kind, data, texts in journal.notes.values():
        tell(session, kind, **data, **{name: _words(session, name, text) for name, text in texts.items()})
    return finish(session, result.outcome, result.reason)


def _certifying(said: str) -> str:
    words = {"reason": "Because of the words.", "evidence": "return charge(total)"}
    answers = [{"criterion": "A-1", "answer": "met", **words}, {"criterion": "A-2", "answer": said, **words}]
    verdict = "refuse" if said == "not_met" else "certify"
    return orjson.dumps({"analysis": "Read it.", "answers": answers, "verdict": verdict}).decode()


def deliberated(user: User, project: Project, *rounds: str, **params: Any) -> Session:
    """A completed deliberation of three demo models about one finding that A raised. `rounds` are the stances of A, B
    and C in each later round (a, d, ? or m for a cut-down claim); unless given they agree in round 3."""
    session = draft(user, project, kind="deliberation", params=params)
    session = _set(start_session(Actor(user), session, dispatch=False, fresh=True), status="running")
    sources = read_sources([session.pk])[session.pk]
    assert session.spec is not None
    assert sources is not None
    spec = thaw_deliberation(session, thaw(session.spec), sources, Background())
    journal = MemoryJournal()
    result = asyncio.run(deliberation(run_with(ScriptedLLM(_deliberating(rounds or ("ada", "aaa"))), journal), spec))
    for kind, data, texts in journal.notes.values():
        tell(session, kind, **data, **{name: _words(session, name, text) for name, text in texts.items()})
    Artifact.objects.filter(versions__content__session=session).update(deleted_at=None)
    return finish(session, result.outcome, result.reason)


_STANCES = {"a": "agree", "d": "disagree", "?": "abstain", "m": "amend"}


def _deliberating(rounds: Sequence[str]) -> dict[str, str]:
    """What the three answer; everybody has a reason of their own."""
    raised = {**_WORDS, "location": _PLACE}
    script = {
        f"review/{letter}": orjson.dumps({"findings": [raised] if letter == "a" else []}).decode() for letter in "abc"
    }
    script["brief/a"] = '{"scope": "All of it.", "checks": []}'
    script["decision/c"] = '{"summary": "F-001 first.", "settle": [{"finding": "F-001", "question": "Run it."}]}'
    script["synthesis/round-1/c"] = "F-001 is new."
    for number, stances in enumerate(rounds, 2):
        script[f"synthesis/round-{number}/c"] = f"F-001 after round {number}."
        for letter, stance in zip("abc", stances, strict=True):
            said = {
                "finding": "F-001", "stance": _STANCES[stance], "rationale": f"{letter} says {stance} in {number}.",
                "amend_field": "scope", "amend_value": "Only for large amounts.", "changed_because": "none",
            }  # fmt: skip
            script[f"assess/round-{number}/{letter}"] = orjson.dumps({"positions": [said], "findings": []}).decode()
    return script


def report(**words: Any) -> dict[str, Any]:
    """One defect as an instance words it."""
    place = {name: words.pop(name, default) for name, default in _PLACE.items()}
    return {**_WORDS, **words, "location": place}


def submit(
    session: Session,
    letter: str,
    *reports: dict[str, Any],
    partial: bool = False,
    in_part: bool = False,
    read_lines: int | None = None,
    examined: str = "",
) -> None:
    """`read_lines`: how many of 1,000 lines of the first source fitted. `examined`: what the instance says of that."""
    source = SessionSource.objects.filter(session=session).values_list("version_id", flat=True).first()
    text = orjson.dumps(
        [{"id": f"{letter}-{number}", "raised_by": letter, **words} for number, words in enumerate(reports, 1)]
    ).decode()
    data = {
        "letter": letter,
        "reports": [_report_data(number, words, source) for number, words in enumerate(reports, 1)],
        "partial": partial or in_part,
        "read_in_part": in_part,
        "cut": [] if read_lines is None else [{"source": source, "lines": read_lines, "total": 1_000}],
        "words": _words(session, "words", text),
        "examined": _words(session, "examined", examined) if examined else None,
    }
    tell(session, "reports.submitted", **data)


def lose(session: Session, letter: str, code: str) -> None:
    tell(session, "instance.missing", letter=letter, code=code)


def merge(session: Session, *groups: tuple[str, list[str]]) -> None:
    """Findings in rank order: (severity, report labels), the first label being the canonical one."""
    rows = [
        {
            "number": number,
            "severity": severity,
            "disputed": False,
            "verified": True,
            "canonical": labels[0],
            "reports": labels,
            "raised_by": sorted({label[0] for label in labels}),
        }
        for number, (severity, labels) in enumerate(groups, 1)
    ]
    tell(session, "findings.ranked", findings=rows)


def summarise(session: Session, letter: str, text: str) -> None:
    tell(session, "summary.written", letter=letter, summary=_words(session, "summary", text))


def finish(session: Session, outcome: str = "", reason: str = "", status: str = "completed") -> Session:
    session.refresh_from_db()
    cost = session.cost_microcredits
    with transaction.atomic():
        if status == "completed":
            tell(session, "session.completed", outcome=outcome, reason=reason, cost_microcredits=cost)
        else:
            tell(session, "session.failed", code=reason, cost_microcredits=cost)
        return _set(session, status=status, outcome=outcome, reason=reason, finished_at=timezone.now())


def ask(
    session: Session, letter: str, path: str, *, failures: tuple[str, ...] = (), cost: int | None = 250, **usage: int
) -> None:
    """A call that was answered after `failures`, with its attempts; each took a second, the answer two."""
    begun, seat = timezone.now(), session.participants.get(letter=letter)
    step = Step(
        session=session, path=path, letter=letter, fingerprint="f" * 64, code_version="test", state="done",
        created_at=begun,
    )  # fmt: skip
    counts = {"prompt_tokens": 1_000, "output_tokens": 200, "cached_tokens": 100, "first_token_ms": 300, **usage}
    ended: list[tuple[str, str, int, dict[str, Any]]] = [
        ("failed", code, 1, {"cost_microcredits": 0}) for code in failures
    ]
    ended.append(("delivered", "", 2, {**counts, "cost_microcredits": cost}))
    step.save()
    for ordinal, (state, code, seconds, measured) in enumerate(ended, 1):
        Attempt.objects.create(
            step=step, session=session, ordinal=ordinal, fence=session.fence, letter=letter, state=state,
            model_id=seat.language_model_id, request_hash="0" * 64, error_code=code, started_at=begun,
            finished_at=begun + timedelta(seconds=seconds), **measured,
        )  # fmt: skip
        begun += timedelta(seconds=seconds)
    session.refresh_from_db()
    unknown = cost is None or session.price_unknown
    _set(session, cost_microcredits=session.cost_microcredits + (cost or 0), price_unknown=unknown)


def tell(session: Session, kind: str, **data: Any) -> None:
    """Append one event, with what follows from it."""
    with transaction.atomic():
        append(session, [Draft(kind, data)])


_PLACE = {"path": "pay.py", "start_line": 2, "end_line": 2, "anchor": "pay"}
_WORDS = {
    "title": "A defect", "claim": "This is wrong.", "evidence": "total = amount * 1.19", "suggestion": "Use Decimal.",
    "category": "money", "family": "correctness", "severity": "major", "confidence": 0.8, "evidence_verified": True,
}  # fmt: skip


def _report_data(ordinal: int, words: dict[str, Any], source: Any) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "severity": words["severity"],
        "family": words["family"],
        "confidence": round(words["confidence"] * 100),
        "verified": words["evidence_verified"],
        "flags": words.get("flags", []),
        "source": source,
        "start_line": words["location"]["start_line"],
        "end_line": words["location"]["end_line"],
    }


def _words(session: Session, kind: str, text: str) -> dict[str, str]:
    content = add_text(session.project, session, kind, text)
    return text_ref(content.pk, content.digest)


def _set(session: Session, **fields: Any) -> Session:
    Session.objects.filter(pk=session.pk).update(**fields)
    session.refresh_from_db()
    return session
