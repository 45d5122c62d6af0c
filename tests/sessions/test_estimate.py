"""Known before the click: who receives the texts, what it costs, how long it takes."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import start_session
from sessions.models import Content, Project, Session
from sessions.queries.estimate import Estimate, Host, Sent, about_time, estimate, estimate_of, recent_usages, start_line
from tests import factories

KNOWN = Estimate(
    sent=(Sent("parser.py", 212),),
    hosts=(Host("api.openai.com", False, ("gpt",)), Host("localhost:11434", True, ("qwen",))),
    low=19_000_000,
    typical=41_000_000,
    high=93_000_000,
    models_without_price=(),
    charged=True,
    seconds=58,
    notes=(),
)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    recent_usages.cache_clear()


def lab(project: Project, **fields: Any) -> Estimate:
    factories.real_model(**fields)
    owner = project.memberships.get().user
    return estimate(project, factories.seats("lab/large"), [factories.artifact(owner, project)], {})


def test_the_start_line_says_who_gets_what_for_how_much() -> None:
    assert start_line(KNOWN) == (
        "Sends parser.py (212 lines) to api.openai.com and localhost:11434 · about $0.04 ($0.02-$0.09) · about 1 minute"
    )


def test_several_texts_are_counted() -> None:
    many = replace(KNOWN, sent=(Sent("a.py", 1_000), Sent("b.py", 234)))
    assert start_line(many).startswith("Sends 2 texts (1,234 lines) to ")


def test_a_model_without_a_price_is_named_instead_of_a_cost() -> None:
    unknown = replace(KNOWN, low=None, typical=None, high=None, models_without_price=("lab/large",))
    assert "cost unknown: no price for lab/large" in start_line(unknown)


def test_where_nobody_sends_a_bill_nothing_is_charged() -> None:
    assert "nothing is charged" in start_line(replace(KNOWN, charged=False))


def test_demo_models_receive_nothing() -> None:
    assert "nowhere: demo models are simulated here" in start_line(replace(KNOWN, hosts=()))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 5 seconds"),
        (23, "about 25 seconds"),
        (62, "about 1 minute"),
        (200, "about 3 minutes"),
        (7_000, "about 2 hours"),
    ],
)
def test_time_is_no_more_exact_than_it_is_known(seconds: int, words: str) -> None:
    assert about_time(seconds) == words


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"base_url": "http://127.0.0.1:9/v1"}, Host("127.0.0.1:9", True, ("lab/large",))),
        ({"base_url": "https://models.example/v1"}, Host("models.example", False, ("lab/large",))),
        ({"base_url": "", "route": "anthropic/claude"}, Host("api.anthropic.com", False, ("lab/large",))),
    ],
)
def test_the_hosts_are_those_of_the_models(fields: dict[str, Any], host: Host, project: Project) -> None:
    assert lab(project, **fields).hosts == (host,)


def test_a_priced_model_gives_a_range(project: Project) -> None:
    found = lab(project, base_url="https://models.example/v1", input_price=Decimal(1), output_price=Decimal(2))
    assert found.low is not None
    assert found.typical is not None
    assert found.high is not None
    assert 0 < found.low < found.typical < found.high


def test_somebody_elses_server_without_a_price_has_no_known_cost(project: Project) -> None:
    found = lab(project, base_url="https://models.example/v1")
    assert (found.typical, found.models_without_price) == (None, ("lab/large",))
    assert "No price is known for lab/large." in found.notes


def test_a_server_of_ones_own_is_free_of_charge(project: Project) -> None:
    found = lab(project)
    assert (found.typical, found.charged, found.hosts[0].local) == (0, False, True)


def test_a_server_of_ones_own_charges_the_price_that_was_entered(project: Project) -> None:
    found = lab(project, input_price=Decimal(1), output_price=Decimal(2))
    assert found.charged
    assert found.typical


def test_answers_of_earlier_sessions_are_what_is_expected(owner: User, project: Project, reviewed: Session) -> None:
    version = factories.artifact(owner, project)
    found = estimate(project, factories.seats()[1:2], [version], {})
    assert found.seconds == 13  # B reviewed in two seconds here; a summary, which it never wrote, would take eleven


def test_who_reads_only_a_part_is_said(owner: User, project: Project) -> None:
    factories.real_model(context_window=1_000)
    version = factories.artifact(owner, project, "long.py", "x = 1\n" * 2_000)
    assert any(
        "A reads lines 1-" in note for note in estimate(project, factories.seats("lab/large"), [version], {}).notes
    )


def test_a_roster_that_could_not_be_started_has_no_estimate(owner: User, project: Project) -> None:
    factories.demo_models()
    seats = [factories.seats()[0].model_copy(update={"model_id": "no/such"})]
    with pytest.raises(Refused):
        estimate(project, seats, [factories.artifact(owner, project)], {})


def test_a_session_keeps_what_was_expected_when_it_started(owner: User, project: Project) -> None:
    session = start_session(Actor(owner), factories.draft(owner, project), dispatch=False)
    assert session.estimate is not None
    assert session.estimate["low"] < session.estimate["typical"] < session.estimate["high"]
    assert session.estimate["seconds"] > 0


def test_what_is_kept_holds_none_of_the_sessions_words(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, "secret-plan.py")
    session = start_session(Actor(owner), factories.draft(owner, project, version, brief="hush"), dispatch=False)
    kept = orjson.dumps(session.estimate)
    assert b"secret-plan" not in kept
    assert b"hush" not in kept


def test_a_draft_whose_text_was_erased_has_no_estimate(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    session = factories.draft(owner, project, version)
    Content.objects.filter(pk=version.content_id).update(text="", erased_at="2026-01-01T00:00:00Z")
    assert estimate_of(session) is None


def test_an_estimate_costs_five_queries_at_most(
    owner: User, project: Project, reviewed: Session, django_assert_max_num_queries: Any
) -> None:
    version = factories.artifact(owner, project)
    seats = factories.seats()
    with django_assert_max_num_queries(5):
        estimate(project, seats, [version], {})


def test_the_api_says_the_line_and_its_numbers(owner: User, project: Project) -> None:
    body = {
        "project": project.slug,
        "roster": [seat.model_dump() for seat in factories.seats()],
        "artifacts": [str(factories.artifact(owner, project).artifact.code)],
    }
    reply = factories.client(owner).post("/api/v1/estimates", orjson.dumps(body), content_type="application/json")
    found = reply.json()
    assert reply.status_code == 200
    assert found["start_line"].startswith("Sends pay.py (5 lines) nowhere: demo models are simulated here · nothing is")
    assert (found["hosts"], found["charged"]) == ([], False)


def test_the_api_refuses_parameters_a_session_would_refuse(owner: User, project: Project) -> None:
    body = {
        "project": project.slug,
        "roster": [seat.model_dump() for seat in factories.seats()],
        "artifacts": [str(factories.artifact(owner, project).artifact.code)],
        "params": {"max_findings": 0},
    }
    reply = factories.client(owner).post("/api/v1/estimates", orjson.dumps(body), content_type="application/json")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_params")


def test_the_form_says_the_line_beside_its_button(owner: User, project: Project) -> None:
    factories.seats()
    version = factories.artifact(owner, project)
    client = Client()
    client.force_login(owner)
    page = client.get(f"/projects/{project.slug}/new/?artifact={version.artifact.code}").content.decode()
    assert "Sends pay.py (5 lines) nowhere" in page
