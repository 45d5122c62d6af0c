"""Moving sessions: what is refused and why, and who wins when two press at once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.catalog import set_price
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import continue_session, retry_session, start_session, stop_session
from sessions.actions.new_session import MAX_SOURCES, NewSession, create_session, find_versions
from sessions.actions.purge import delete_artifact
from sessions.caps import uncounted_models
from sessions.invariants import violations
from sessions.models import Artifact, ArtifactVersion, Content, LanguageModel, Outbox, Project, Session
from sessions.seats import MAX_SEATS, Seat
from sessions.states import STATUSES, after
from tests import factories
from tests.driving import kinds, status_of

Act = Callable[[Actor, Session], Session]
ACTIONS: dict[str, Act] = {
    "start": lambda actor, session: start_session(actor, session, dispatch=False),
    "answer": lambda actor, session: continue_session(actor, session, dispatch=False),
    "retry": lambda actor, session: retry_session(actor, session, dispatch=False),
    "stop": stop_session,
}


def new(project: Project, owner: User, **fields: Any) -> NewSession:
    made = NewSession("review", factories.seats(), [factories.artifact(owner, project)], title="Payment")
    return replace(made, **fields)


def in_state(session: Session, status: str) -> Session:
    Session.objects.filter(pk=session.pk).update(status=status, waiting_for="cap" if status == "waiting" else "")
    session.refresh_from_db()
    return session


def refusal(act: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


# --- the table


@pytest.mark.django_db
@pytest.mark.parametrize("trigger", ACTIONS)
@pytest.mark.parametrize("status", STATUSES)
def test_an_action_does_what_the_table_says(owner: User, project: Project, status: str, trigger: str) -> None:
    session = in_state(factories.draft(owner, project), status)
    to, before = after(status, trigger), kinds(session)
    if to:
        assert ACTIONS[trigger](Actor(owner), session).status == to
        assert len(kinds(session)) == len(before) + 1
    else:
        refused = refusal(lambda: ACTIONS[trigger](Actor(owner), session))
        assert (refused.code, refused.status) == ("wrong_state", 409)
        assert status in refused.sentence
        assert (status_of(session), kinds(session)) == (status, before)


@pytest.mark.django_db
@pytest.mark.parametrize("trigger", ACTIONS)
def test_a_page_that_is_out_of_date_moves_nothing(owner: User, project: Project, trigger: str) -> None:
    """The object in hand says that the action is allowed; the database knows better."""
    allowed = next(status for status in STATUSES if after(status, trigger))
    stale = in_state(factories.draft(owner, project), allowed)
    in_state(Session.objects.get(pk=stale.pk), next(status for status in STATUSES if not after(status, trigger)))
    assert refusal(lambda: ACTIONS[trigger](Actor(owner), stale)).status == 409


@pytest.mark.django_db
@pytest.mark.parametrize("trigger", ACTIONS)
def test_a_deleted_session_does_not_move(owner: User, project: Project, trigger: str) -> None:
    session = factories.draft(owner, project)
    allowed = next(status for status in STATUSES if after(status, trigger))
    Session.objects.filter(pk=session.pk).update(status=allowed, deleted_at=session.created_at)
    assert refusal(lambda: ACTIONS[trigger](Actor(owner), session)).status == 409


@pytest.mark.django_db
def test_stopping_leaves_no_reason_to_wait_behind(owner: User, project: Project) -> None:
    session = in_state(factories.draft(owner, project), "waiting")
    assert stop_session(Actor(owner), session).waiting_for == ""


@pytest.mark.django_db
def test_starting_freezes_what_is_asked(owner: User, project: Project) -> None:
    session = start_session(Actor(owner), factories.draft(owner, project, brief="Mind the tax."), dispatch=False)
    assert session.spec is not None
    assert "Mind the tax." in session.spec.text
    assert session.events.get(kind="session.started").data["spec"]["digest"] == session.spec.digest


@pytest.mark.django_db
def test_starting_without_a_doorbell_rings_none(owner: User, project: Project) -> None:
    start_session(Actor(owner), factories.draft(owner, project), dispatch=False)
    assert not Outbox.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "trigger"), [("draft", "start"), ("waiting", "answer"), ("failed", "retry")])
def test_when_it_is_due_does_not_depend_on_the_clock_of_the_web_host(
    owner: User, project: Project, status: str, trigger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16: the sweeper compares with the database's clock, so the database must have said when."""
    session = in_state(factories.draft(owner, project), status)
    ahead = timezone.now() + timedelta(minutes=10)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)
    due = ACTIONS[trigger](Actor(owner), session).started_at
    assert due is not None
    assert due < ahead - timedelta(minutes=9)


# --- caps


def seated(owner: User, project: Project, *model_ids: str, **fields: Any) -> Session:
    return factories.draft(owner, project, seats=factories.seats(*model_ids), **fields)


def priceless(pk: str, base_url: str = "https://api.example.org/v1") -> str:
    return factories.real_model(pk, base_url=base_url).pk


@pytest.mark.django_db
@pytest.mark.parametrize("cap", ["soft_cap", "hard_cap"])
def test_a_cap_that_could_not_be_kept_starts_nothing_and_names_the_model(
    owner: User, project: Project, cap: str
) -> None:
    session = seated(owner, project, priceless("cloud/large"), priceless("cloud/small"), **{cap: 1_000})
    refused = refusal(lambda: start_session(Actor(owner), session))
    assert refused.code == "cap_needs_price"
    assert "cloud/large, cloud/small" in refused.sentence
    assert (status_of(session), kinds(session)) == ("draft", ["session.created"])


@pytest.mark.django_db
def test_a_price_makes_the_cap_count_and_a_price_of_nothing_does_too(owner: User, project: Project) -> None:
    session = seated(owner, project, priceless("cloud/large"), hard_cap=1_000)
    set_price(LanguageModel.objects.get(pk="cloud/large"), Decimal(0), Decimal(0))
    assert start_session(Actor(owner), session, dispatch=False).status == "queued"


@pytest.mark.django_db
def test_a_price_of_tomorrow_is_none(owner: User, project: Project) -> None:
    session = seated(owner, project, priceless("cloud/large"), hard_cap=1_000)
    price = set_price(LanguageModel.objects.get(pk="cloud/large"), Decimal(1), Decimal(1))
    assert price is not None
    price.since += timedelta(days=1)
    price.save()
    assert refusal(lambda: start_session(Actor(owner), session)).code == "cap_needs_price"


@pytest.mark.django_db
def test_without_a_cap_no_price_is_needed(owner: User, project: Project) -> None:
    session = seated(owner, project, priceless("cloud/large"))
    assert start_session(Actor(owner), session, dispatch=False).status == "queued"
    assert uncounted_models(session) == []


@pytest.mark.django_db
def test_a_server_of_ones_own_sends_no_bill_and_is_named_as_not_counted(owner: User, project: Project) -> None:
    factories.demo_models()
    session = seated(owner, project, priceless("own/model", "http://127.0.0.1:9/v1"), "demo/atlas", hard_cap=1_000)
    assert start_session(Actor(owner), session, dispatch=False).status == "queued"
    assert uncounted_models(session) == ["own/model"]


@pytest.mark.django_db
def test_a_retry_needs_prices_for_its_cap_too(owner: User, project: Project) -> None:
    session = in_state(seated(owner, project, priceless("cloud/large"), hard_cap=1_000), "failed")
    assert refusal(lambda: retry_session(Actor(owner), session)).code == "cap_needs_price"


# --- two at once


def at_once(session: Session, owner: User, *triggers: str) -> list[str]:
    """Press the buttons in the same moment; what each was told."""
    together = threading.Barrier(len(triggers))

    def press(trigger: str) -> str:
        try:
            mine = Session.objects.get(pk=session.pk)
            together.wait(10)
            ACTIONS[trigger](Actor(owner), mine)
        except Refused as refused:
            return f"{trigger} {refused.status}"
        finally:
            connections.close_all()
        return f"{trigger} done"

    with ThreadPoolExecutor(len(triggers)) as pool:
        return list(pool.map(press, triggers))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "trigger", "kind"),
    [
        ("draft", "start", "session.started"),
        ("waiting", "answer", "session.answered"),
        ("failed", "retry", "session.retried"),
        ("running", "stop", "session.cancelled"),
    ],
)
def test_of_many_who_press_at_once_one_wins(
    owner: User, project: Project, status: str, trigger: str, kind: str
) -> None:
    session = in_state(factories.draft(owner, project), status)
    told = Counter(at_once(session, owner, *[trigger] * 6))
    assert told == {f"{trigger} done": 1, f"{trigger} 409": 5}
    assert kinds(session).count(kind) == 1
    assert Content.objects.filter(kind="spec").count() == (trigger == "start")


@pytest.mark.django_db(transaction=True)
def test_start_against_stop_ends_in_one_of_two_whole_stories(owner: User, project: Project) -> None:
    for _ in range(5):
        session = factories.draft(owner, project)
        told = at_once(session, owner, "start", "stop")
        story = [kind for kind in kinds(session) if kind != "session.created"]
        assert (story, told, status_of(session)) in [
            (["session.started"], ["start done", "stop 409"], "queued"),
            (["session.started", "session.cancelled"], ["start done", "stop done"], "cancelled"),
        ]
    assert violations() == []


# --- what makes no session


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "seance"}, "unknown_kind"),
        ({"seats": []}, "roster_empty"),
        ({"versions": []}, "no_artifact"),
        ({"soft_cap": -1}, "bad_cap"),
        ({"hard_cap": -1}, "bad_cap"),
        ({"params": {"max_findings": 0}}, "bad_params"),
        ({"params": {"max_findings": 51}}, "bad_params"),
        ({"params": {"severity_floor": "awful"}}, "bad_params"),
        ({"params": {"focus": "x" * 2_001}}, "bad_params"),
        ({"params": {"unheard_of": 1}}, "bad_params"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    owner: User, project: Project, fields: dict[str, Any], code: str
) -> None:
    wanted = new(project, owner, **fields)
    assert refusal(lambda: create_session(Actor(owner), project, wanted)).code == code
    assert not Session.objects.exists()


def seats_of(*names: str, model_id: str = "demo/atlas") -> list[Seat]:
    return [Seat(name=name, model_id=model_id) for name in names]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seats", "code"),
    [
        (seats_of(*(f"n{number}" for number in range(MAX_SEATS + 1))), "roster_too_large"),
        (seats_of("Anna", "ANNA"), "duplicate_name"),
        (seats_of("Straße", "STRASSE"), "duplicate_name"),
        (seats_of("Anna", model_id="nobody/knows"), "model_unknown"),
        (seats_of("Anna", model_id="demo/birch"), "model_disabled"),
        (seats_of("Anna", model_id="lab/large"), "no_key"),
    ],
)
def test_seats_that_cannot_be_taken_are_refused(owner: User, project: Project, seats: list[Seat], code: str) -> None:
    factories.demo_models()
    LanguageModel.objects.filter(pk="demo/birch").update(enabled=False)
    factories.real_model(base_url="https://api.example.org/v1", key="")
    wanted = replace(new(project, owner, seats=[]), seats=seats)
    LanguageModel.objects.filter(pk="demo/birch").update(enabled=False)
    assert refusal(lambda: create_session(Actor(owner), project, wanted)).code == code


@pytest.mark.django_db
def test_a_model_switched_off_after_the_draft_keeps_it_from_starting_unnoticed(owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    LanguageModel.objects.filter(pk="demo/birch").update(enabled=False)
    with pytest.raises(Refused, match="seat_without_model"):
        start_session(Actor(owner), session, dispatch=False)


@pytest.mark.django_db
def test_sources_are_counted_and_are_the_projects_own(owner: User, project: Project) -> None:
    mine = factories.artifact(owner, project)
    many = [factories.artifact(owner, project, f"{number}.py", f"x = {number}\n") for number in range(MAX_SOURCES + 1)]
    foreign = factories.artifact(owner, factories.project(owner, "Elsewhere"))
    gone = factories.artifact(owner, project, "gone.py", "gone = 1\n")
    delete_artifact(Actor(owner), gone.artifact)
    for versions, code in [
        ([mine, mine], "artifact_twice"),
        (many, "too_many_artifacts"),
        ([foreign], "artifact_unknown"),
        ([ArtifactVersion.objects.get(pk=gone.pk)], "artifact_unknown"),
    ]:
        wanted = new(project, owner, versions=versions)
        assert refusal(lambda wanted=wanted: create_session(Actor(owner), project, wanted)).code == code  # type: ignore[misc]
    wanted = new(project, owner, context=[foreign])
    assert refusal(lambda: create_session(Actor(owner), project, wanted)).code == "artifact_unknown"


@pytest.mark.django_db
def test_artifacts_together_have_a_size(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    Content.objects.filter(pk=version.content_id).update(size=10_000_001)
    wanted = new(project, owner, versions=[ArtifactVersion.objects.get(pk=version.pk)])
    assert refusal(lambda: create_session(Actor(owner), project, wanted)).code == "artifacts_too_large"


@pytest.mark.django_db
def test_the_newest_version_is_found_in_the_order_asked(owner: User, project: Project) -> None:
    factories.artifact(owner, project, "a.py", "old = 1\n")
    newest = factories.artifact(owner, project, "a.py", "new = 1\n")
    other = factories.artifact(owner, project, "b.py", "b = 1\n")
    codes = [other.artifact.code, newest.artifact.code]
    assert find_versions(project, codes) == [other, newest]
    elsewhere = factories.project(owner, "Elsewhere")
    assert refusal(lambda: find_versions(elsewhere, codes)).status == 404


@pytest.mark.django_db
def test_without_a_title_a_session_is_named_after_its_artifacts(owner: User, project: Project) -> None:
    versions = [factories.artifact(owner, project, f"src/{name}.py", f"{name} = 1\n") for name in "ab"]
    session = create_session(Actor(owner), project, new(project, owner, title="", versions=versions))
    assert session.title == "Review of a.py and 1 more"
    assert Artifact.objects.count() >= 2


@pytest.mark.django_db
def test_characters_that_no_database_takes_are_left_out(owner: User, project: Project) -> None:
    seats = [Seat(name="An\0na", model_id="demo/atlas", focus="the\0 tax")]
    wanted = new(project, owner, title="A\0 title\ud800", brief="A\0 brief\ud800", seats=seats)
    session = create_session(Actor(owner), project, wanted)
    session.refresh_from_db()
    seat = session.participants.get()
    assert session.brief is not None
    assert [session.title, session.brief.text, seat.name, seat.focus] == ["A title", "A brief", "Anna", "the tax"]
