"""Forking: the rounds that are taken stay as they were, and only what differs is paid."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db.models import Sum
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.forking import Changes, fork, forking_estimate
from sessions.actions.lifecycle import run_again, start_session
from sessions.actions.purge import delete_artifact
from sessions.actions.settling import settle
from sessions.actions.standards import create_standard
from sessions.forms import SEAT_FIELDS
from sessions.invariants import violations
from sessions.models import Attempt, Event, Project, Session, Step
from sessions.providers.base import ProviderCall
from sessions.queries.deliberation import deliberation_of
from sessions.queries.evidence import evidence_of
from sessions.queries.lists import sessions_of
from sessions.reports.export import document, markdown
from sessions.seats import Seat
from tests import factories
from tests.doubles import END, ScriptedProvider, Turn, failing, installed
from tests.driving import again, answering, arguing, lab, queued, to_rest, with_role

pytestmark = pytest.mark.django_db(transaction=True)
LINES = [f"    stage_{number} = load({number})" for number in range(400)]


@pytest.fixture
def models() -> list[str]:
    return lab("one", "two", "three", "four")


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=arguing(LINES))) as made:
        yield made


@pytest.fixture
def recorded(owner: User, project: Project, models: list[str], provider: ScriptedProvider) -> Session:
    """Three rounds without agreement, by three instances."""
    version = factories.artifact(owner, project, "pipeline.py", "\n".join(LINES))
    draft = factories.draft(owner, project, version, kind="deliberation", seats=roster(models, 0, 1, 2))
    done = to_rest(start_session(Actor(owner), draft, dispatch=False, fresh=True))
    assert (done.status, done.rounds.count()) == ("completed", 3)
    provider.calls.clear()
    return done


def roster(models: list[str], *numbers: int) -> list[Seat]:
    """Reviewers by number, each always the same."""
    every = with_role("reviewer", *models)
    return [every[number] for number in numbers]


def forked(owner: User, recorded: Session, after: int | None = None, **changes: Any) -> Session:
    draft = fork(Actor(owner), recorded, after, Changes(**changes))
    return to_rest(start_session(Actor(owner), draft, dispatch=False))


def asked(provider: ScriptedProvider) -> Counter[str]:
    """How often each instance was asked for a review or a position."""
    told = [call for call in provider.calls if call.schema and call.schema.name in {"review", "assessment"}]
    return Counter(call.member for call in told)


def in_round(session: Session, number: int) -> list[str]:
    """Who was asked in a later round, and paid for."""
    paid = Attempt.objects.filter(session=session, step__path__startswith=f"assess/round-{number}/", state="delivered")
    return sorted(paid.values_list("letter", flat=True))


def result_of(session: Session, *rounds: int) -> list[tuple[Any, ...]]:
    """What was published of each round, but for what it cost and what it is called by."""
    found = deliberation_of(session)
    assert found is not None
    shown = [one for one in found.rounds if one.number in rounds]
    shares = [(one.number, one.agreement_bp, one.same_set_bp, one.stability_bp) for one in shown]
    return [(*share, one.missing, one.synthesis, one.told.positions) for share, one in zip(shares, shown, strict=True)]


def test_a_fork_in_which_nothing_differs_asks_nobody(
    owner: User, recorded: Session, provider: ScriptedProvider
) -> None:
    for after in (1, 2, 3):
        session = forked(owner, recorded, after)
        assert (session.status, session.outcome, session.reason) == ("completed", recorded.outcome, recorded.reason)
        assert result_of(session, 1, 2, 3) == result_of(recorded, 1, 2, 3)
        assert (session.cost_microcredits, Attempt.objects.filter(session=session).count()) == (0, 0)
    assert provider.calls == []
    assert violations() == []


def test_who_joins_is_asked_from_the_next_round_on(
    owner: User, recorded: Session, models: list[str], provider: ScriptedProvider
) -> None:
    session = forked(owner, recorded, 1, seats=roster(models, 0, 1, 2, 3))
    assert result_of(session, 1) == result_of(recorded, 1)
    assert asked(provider)["D"] == 2, "rounds 2 and 3, and no review"
    assert (in_round(session, 2), in_round(session, 3)) == (["D"], ["A", "B", "C", "D"])
    found = deliberation_of(session)
    assert found is not None
    assert [sorted(one.told.letters) for one in found.rounds] == [["A", "B", "C"], [*"ABCD"], [*"ABCD"]]
    assert [sorted(one.told.answered) for one in found.rounds] == [["A", "B", "C"], [*"ABCD"], [*"ABCD"]]
    assert violations() == []


def test_who_leaves_keeps_its_word_and_does_not_count_any_more(
    owner: User, recorded: Session, models: list[str], provider: ScriptedProvider
) -> None:
    session = forked(owner, recorded, 2, seats=roster(models, 0, 2, 3))
    assert result_of(session, 1, 2) == result_of(recorded, 1, 2)
    assert (in_round(session, 2), in_round(session, 3)) == ([], ["A", "C", "D"])
    found = deliberation_of(session)
    assert found is not None
    assert [member.letter for member in found.members] == ["A", "C", "D"]
    assert {letter for held in found.held_by.values() for letter in held} == {"A", "C", "D"}
    assert found.decided is not None
    assert "B: Seat 2, lab/two, until round 2" in found.decided.text
    assert "D: Seat 4, lab/four, from round 3" in found.decided.text


def test_added_evidence_is_read_by_all_from_the_next_round_on(
    owner: User, recorded: Session, provider: ScriptedProvider
) -> None:
    proof = factories.artifact(owner, recorded.project, "trace.log", "stage 7 was loaded twice")
    session = forked(owner, recorded, 1, added=[proof])
    assert result_of(session, 1) == result_of(recorded, 1)
    assert in_round(session, 2) == ["A", "B", "C"]
    told = [call for call in provider.calls if call.schema and call.schema.name == "assessment"]
    assert all("stage 7 was loaded twice" in call.messages[-1].content for call in told)


def test_a_fork_of_the_last_round_goes_on_when_something_differs(
    owner: User, recorded: Session, models: list[str]
) -> None:
    session = forked(owner, recorded, seats=roster(models, 0, 1, 2, 3))
    assert session.rounds.count() == 4
    assert in_round(session, 4) == ["A", "B", "C", "D"]
    assert [in_round(session, number) for number in (2, 3)] == [[], []]


def test_more_rounds_alone_are_a_reason_to_fork(owner: User, recorded: Session) -> None:
    session = forked(owner, recorded, rounds=4)
    assert [in_round(session, number) for number in (2, 3, 4)] == [[], [], ["A", "B", "C"]]


def test_recorded_answers_cost_nothing_and_new_ones_are_paid(owner: User, recorded: Session, models: list[str]) -> None:
    session = forked(owner, recorded, 2, seats=roster(models, 0, 1, 2, 3))
    costs = dict(session.rounds.values_list("number", "cost_microcredits"))
    assert (costs[1], costs[2]) == (0, 0)
    assert 0 < costs[3] < session.cost_microcredits
    paid = Attempt.objects.filter(session=session).aggregate(sum=Sum("cost_microcredits"))["sum"]
    assert session.cost_microcredits == paid


def test_whoever_was_missing_in_a_taken_round_stays_missing_in_it(
    owner: User, recorded: Session, models: list[str], provider: ScriptedProvider
) -> None:
    play = provider.play
    assert play is not None

    def without_c_in_round_2(call: ProviderCall) -> Turn:
        return failing("refused") if call.member == "C" and "\nRound: 2" in call.messages[-1].content else play(call)

    provider.play = without_c_in_round_2
    again = to_rest(run_again(Actor(owner), recorded, dispatch=False))
    assert result_of(again, 2)[0][4] == {"C": "refused"}
    provider.play = play
    session = forked(owner, again, 2, seats=roster(models, 0, 1, 2, 3))
    assert result_of(session, 2) == result_of(again, 2)
    assert in_round(session, 2) == []


def test_a_fork_can_be_forked(owner: User, recorded: Session, models: list[str], provider: ScriptedProvider) -> None:
    once = forked(owner, recorded, 1, seats=roster(models, 0, 1, 2, 3))
    provider.calls.clear()
    alike = forked(owner, once, 2)
    assert provider.calls == []
    assert result_of(alike, 1, 2, 3) == result_of(once, 1, 2, 3)
    fewer = forked(owner, once, 2, seats=roster(models, 0, 1, 3))
    assert result_of(fewer, 1, 2) == result_of(once, 1, 2)
    assert in_round(fewer, 3) == ["A", "B", "D"]
    rounds = dict(fewer.participants.values_list("letter", "first_round"))
    assert (rounds["B"], rounds["D"], fewer.participants.get(letter="C").last_round) == (1, 2, 2)
    back = forked(owner, fewer, 1, seats=roster(models, 0, 1, 2))
    assert result_of(back, 1, 2, 3) == result_of(recorded, 1, 2, 3)
    assert violations() == []


def test_the_log_says_what_it_was_forked_from(owner: User, recorded: Session, models: list[str]) -> None:
    session = fork(Actor(owner), recorded, 2, Changes(roster(models, 1, 2, 3)))
    said = Event.objects.get(session=session, kind="session.forked").data
    assert said == {"session": str(recorded.code), "rounds": 2, "joining": ["D"], "leaving": ["A"], "added": []}


def test_forks_are_told_apart_by_their_names(owner: User, recorded: Session, provider: ScriptedProvider) -> None:
    one = forked(owner, recorded)
    another = forked(owner, recorded)
    of_it = forked(owner, one)
    assert [one.title, another.title, of_it.title] == ["Fork of Payment", "Fork 2 of Payment", "Fork 3 of Payment"]
    decisions = [session.decision.name for session in (recorded, one, another, of_it) if session.decision]
    assert decisions == [f"Decision on {title}.md" for title in ("Payment", one.title, another.title, of_it.title)]
    assert provider.calls == [], "prompts keep the title of the record"


def test_a_long_title_leaves_room_for_the_mark(owner: User, recorded: Session) -> None:
    recorded.title = "x" * 160
    recorded.save(update_fields=["title"])
    one, another = (fork(Actor(owner), recorded).title for _ in range(2))
    assert one.startswith("Fork of xxx")
    assert another.startswith("Fork 2 of xxx")
    assert max(len(one), len(another)) <= 160


def test_starting_a_fork_again_takes_its_own_name(owner: User, recorded: Session) -> None:
    assert run_again(Actor(owner), forked(owner, recorded), dispatch=False).title == recorded.title


def test_a_report_names_what_it_was_forked_from(owner: User, recorded: Session, models: list[str]) -> None:
    session = fork(Actor(owner), recorded, 2, Changes(roster(models, 1, 2, 3)))
    told = document(session)
    assert (told["forked_from"], told["fork_round"]) == (str(recorded.code), 2)
    assert f"- Forked after round 2 of {recorded.title}, session `{recorded.code}`" in markdown(session)
    assert (document(recorded)["forked_from"], document(recorded)["fork_round"]) == (None, None)


def test_its_estimate_counts_only_what_differs(owner: User, recorded: Session, models: list[str]) -> None:
    whole = recorded.estimate
    assert whole is not None
    alike, joined, replaced = (
        forking_estimate(recorded, 2, Changes(seats))
        for seats in (None, roster(models, 0, 1, 2, 3), roster(models, 1, 2, 3))
    )
    assert (alike.low, alike.typical, alike.high, alike.hosts) == (0, 0, 0, ())
    assert joined.high is not None
    assert replaced.high is not None
    assert 0 < joined.high < replaced.high < whole["high"]
    draft = fork(Actor(owner), recorded, 2, Changes(roster(models, 0, 1, 2, 3)))
    assert draft.estimate is not None
    assert draft.estimate["high"] == joined.high


def test_a_retried_fork_keeps_its_past(owner: User, recorded: Session, models: list[str]) -> None:
    session = forked(owner, recorded, 2, seats=roster(models, 0, 1, 2, 3))
    Session.objects.filter(pk=session.pk).update(status="failed")
    before = Attempt.objects.filter(session=session).count()
    assert again(owner, session).status == "completed"
    assert Attempt.objects.filter(session=session).count() == before
    assert result_of(session, 1, 2) == result_of(recorded, 1, 2)
    assert violations() == []


@pytest.mark.parametrize(
    ("after", "changes", "code"),
    [
        (4, Changes(), "round_unknown"),
        (0, Changes(), "round_unknown"),
        (3, Changes(factories.seats("lab/one", "lab/four"), rounds=3), "too_few_rounds"),
        (2, Changes([]), "roster_empty"),
    ],
)
def test_what_cannot_be_forked_is_refused(
    owner: User, recorded: Session, after: int, changes: Changes, code: str
) -> None:
    with pytest.raises(Refused, match=code):
        fork(Actor(owner), recorded, after, changes)


def test_nothing_new_can_begin_after_the_fifth_round(owner: User, recorded: Session, models: list[str]) -> None:
    session = forked(owner, forked(owner, recorded, rounds=4), rounds=5)
    assert session.rounds.count() == 5
    with pytest.raises(Refused, match="too_many_rounds"):
        fork(Actor(owner), session, 5, Changes(roster(models, 0, 1, 2, 3)))


def test_an_unfinished_session_is_not_forked(owner: User, project: Project) -> None:
    with pytest.raises(Refused, match="not_completed"):
        fork(Actor(owner), queued(owner, project))


def test_a_session_whose_texts_are_erased_is_not_forked(owner: User, recorded: Session) -> None:
    draft = fork(Actor(owner), recorded)
    delete_artifact(Actor(owner), recorded.sources.get().version.artifact)
    with pytest.raises(Refused, match="source_erased"):
        fork(Actor(owner), recorded)
    with pytest.raises(Refused, match="source_erased"):
        start_session(Actor(owner), draft, dispatch=False)


def test_a_review_with_another_roster_asks_only_the_new_one(owner: User, project: Project, models: list[str]) -> None:
    with installed(ScriptedProvider(play=answering)) as provider:
        review = to_rest(queued(owner, project, seats=roster(models, 0, 1, 2)))
        provider.calls.clear()
        session = forked(owner, review, seats=roster(models, 0, 2, 3))
    paths = Step.objects.filter(session=session, kind="call").order_by("path").values_list("path", flat=True)
    assert list(paths) == ["review/d", "summary/a"]
    assert sorted(session.participants.values_list("letter", flat=True)) == ["A", "C", "D"]
    assert session.fork_round == 0
    assert violations() == []


def test_a_review_has_no_second_round_to_fork_from(owner: User, project: Project) -> None:
    with pytest.raises(Refused, match="round_unknown"):
        fork(Actor(owner), factories.reviewed(owner, project), 2)


def test_a_gate_counts_those_who_decide_in_the_end(owner: User, recorded: Session, models: list[str]) -> None:
    evidence = evidence_of(forked(owner, recorded, 2, seats=roster(models, 0, 2, 3)))
    assert evidence is not None
    assert (evidence.seats, evidence.answered, evidence.missing) == (3, ("A", "C", "D"), {})


def certifying(call: ProviderCall) -> Turn:
    words = {"answer": "met", "reason": "Because of the words.", "evidence": "return charge(total)"}
    answers = [{"criterion": one["id"], **words} for one in factories.CRITERIA]
    return [orjson.dumps({"analysis": "Read it.", "answers": answers, "verdict": "certify"}).decode(), END]


def test_a_certification_with_another_roster_asks_only_the_new_one(
    owner: User, project: Project, models: list[str]
) -> None:
    create_standard(Actor(owner), project, "Payment code", factories.CRITERIA)
    params = {"standard": "payment-code"}
    with installed(ScriptedProvider(play=certifying)) as provider:
        certified = to_rest(queued(owner, project, kind="certification", params=params, seats=roster(models, 0, 1, 2)))
        provider.calls.clear()
        session = forked(owner, certified, seats=roster(models, 0, 2, 3))
        assert [call.member for call in provider.calls] == ["D"]
        proof = factories.artifact(owner, project, "trace.log", "it was charged twice")
        provider.calls.clear()
        forked(owner, certified, added=[proof])
        assert sorted(call.member for call in provider.calls) == ["A", "B", "C"], "there is more to read"
    assert session.outcome == "certified"
    assert sorted(session.attestations.values_list("letter", flat=True)) == ["A", "C", "D"]
    assert violations() == []


def test_the_api_forks_once_per_key(owner: User, recorded: Session, models: list[str]) -> None:
    client, key = factories.client(owner), {"Idempotency-Key": "once"}
    address, seats = f"/api/v1/sessions/{recorded.code}/fork", [one.model_dump() for one in roster(models, 0, 1, 3)]
    body = {"round": 2, "seats": seats}
    first, second = (client.post(address, body, content_type="application/json", headers=key) for _ in range(2))
    assert (first.status_code, first.json()["status"]) == (201, "queued")
    assert second.json() == first.json()
    session = Session.objects.get(reuses=recorded)
    assert (str(session.code), session.fork_round) == (first.json()["code"], 2)
    told = client.get(f"/api/v1/sessions/{session.code}").json()
    assert (told["forked_from"], told["fork_round"]) == (str(recorded.code), 2)
    spans = {seat["letter"]: (seat["first_round"], seat["last_round"]) for seat in told["instances"]}
    assert spans == {"A": (1, None), "B": (1, None), "C": (1, 2), "D": (3, None)}
    assert sorted(session.participants.filter(last_round=None).values_list("letter", flat=True)) == ["A", "B", "D"]


def test_the_api_says_why_it_does_not_fork(owner: User, recorded: Session) -> None:
    address = f"/api/v1/sessions/{recorded.code}/fork"
    answer = factories.client(owner).post(address, {"round": 9}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "round_unknown")
    assert not Session.objects.filter(reuses=recorded).exists()


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def typed(seats: list[Seat], **more: Any) -> dict[str, Any]:
    """The form with these seats, as a browser sends it."""
    columns = {f"seat_{name}": [getattr(seat, name) or "" for seat in seats] for name in SEAT_FIELDS}
    return {**columns, "token": "t", **more}


def test_the_page_says_what_the_fork_costs_before_it_starts(
    browser: Client, owner: User, recorded: Session, models: list[str]
) -> None:
    address = f"/sessions/{recorded.code}/fork/"
    shown = browser.get(address).content.decode()
    assert "Asks nobody and costs nothing" in shown
    assert shown.count('name="round"') == 3
    looked = browser.post(address, typed(roster(models, 0, 2, 3), round="2", go="look")).content.decode()
    assert "<strong>Seat 2</strong> leaves after round 2" in looked
    assert "<strong>Seat 4</strong> joins in round 3" in looked
    assert "about $" in looked
    assert not Session.objects.filter(reuses=recorded).exists()


def test_the_page_starts_one_fork_however_often_it_is_sent(
    browser: Client, owner: User, recorded: Session, models: list[str]
) -> None:
    proof = factories.artifact(owner, recorded.project, "trace.log", "stage 7 was loaded twice")
    body = typed(roster(models, 0, 1, 3), round="1", context=[str(proof.artifact.code)], go="start")
    sent = [browser.post(f"/sessions/{recorded.code}/fork/", body) for _ in range(2)]
    session = Session.objects.get(reuses=recorded)
    assert [answer.headers["Location"] for answer in sent] == [f"/sessions/{session.code}/"] * 2
    assert session.fork_round == 1
    assert list(session.sources.filter(context=True).values_list("version", flat=True)) == [proof.pk]
    head = browser.get(f"/sessions/{session.code}/").content.decode()
    assert f'Forked from <a href="/sessions/{recorded.code}/" dir="auto">{recorded.title}</a> after round 1' in head


def test_the_page_keeps_what_was_typed_when_it_refuses(browser: Client, recorded: Session, models: list[str]) -> None:
    body = typed(roster(models, 0, 3), round="3", max_rounds="3", go="start")
    answer = browser.post(f"/sessions/{recorded.code}/fork/", body)
    assert answer.status_code == 400
    assert "at least 4 rounds" in answer.content.decode()
    assert 'value="Seat 4"' in answer.content.decode()


def test_the_page_asks_before_a_new_instance_reads_likely_secrets(
    browser: Client, owner: User, recorded: Session, models: list[str]
) -> None:
    key = "AKIA" + "Q7XJ4WZ2M5RT9PLB"
    proof = factories.artifact(owner, recorded.project, "trace.log", f"aws_access_key_id = {key}")
    body = typed(roster(models, 0, 1, 2), round="2", context=[str(proof.artifact.code)], go="start")
    address = f"/sessions/{recorded.code}/fork/"
    asked_first = browser.post(address, body)
    assert asked_first.status_code == 422
    agreed = re.search(r'name="agreed" value="([0-9a-f]+)"', asked_first.content.decode())
    assert agreed is not None
    assert browser.post(address, body | {"agreed": agreed[1]}).status_code == 302


def test_a_page_of_a_fork_shows_who_took_part_when(
    browser: Client, owner: User, recorded: Session, models: list[str]
) -> None:
    session = forked(owner, recorded, 2, seats=roster(models, 0, 2, 3))
    shown = browser.get(f"/sessions/{session.code}/").content.decode()
    assert "until round 2" in shown
    assert "from round 3 on" in shown
    assert "missed" not in shown


def test_who_left_takes_no_side_on_the_page_and_keeps_its_row_of_figures(
    browser: Client, owner: User, recorded: Session, models: list[str]
) -> None:
    session = forked(owner, recorded, 2, seats=roster(models, 0, 2, 3))
    shown = browser.get(f"/sessions/{session.code}/").content.decode()
    sides = "".join(re.findall(r'<ul class="sides">.*?</ul>', shown, re.S))
    assert set(re.findall(r"Instance (\w)", sides)) == {"A", "C", "D"}
    (listed,) = [one for one in sessions_of(session.project) if one.session == session]
    assert [seat.letter for seat in listed.instances] == ["A", "C", "D"]
    figures = browser.get(f"/sessions/{session.code}/analytics/")
    assert figures.status_code == 200
    assert "Seat 2" in figures.content.decode()


def test_the_page_names_no_agreement_before_anybody_judged(browser: Client, recorded: Session) -> None:
    cards = browser.get(f"/sessions/{recorded.code}/fork/").content.decode()
    assert re.findall(r'<strong>Round \d</strong><span class="fine">([^<\d]+)', cards) == [
        "nobody has judged yet", "agreement ", "agreement ",
    ]  # fmt: skip


def test_a_settled_review_can_be_forked(
    owner: User, project: Project, models: list[str], provider: ScriptedProvider
) -> None:
    version = factories.artifact(owner, project, "pipeline.py", "\n".join(LINES))
    draft = factories.draft(owner, project, version, seats=roster(models, 0, 1, 2))
    review = to_rest(start_session(Actor(owner), draft, dispatch=False, fresh=True))
    settled = to_rest(start_session(Actor(owner), settle(Actor(owner), review, [1, 2, 3]), dispatch=False))
    provider.calls.clear()
    session = forked(owner, settled, 1, seats=roster(models, 0, 1, 2, 3))
    assert result_of(session, 1) == result_of(settled, 1)
    assert in_round(session, 2) == ["D"]
    told = Event.objects.filter(session=session, kind="round.opened", data__round=2).get().data
    assert [one["number"] for one in told["findings"]] == [1, 2, 3]
    assert violations() == []
