"""Querysets compiled once: the same objects as the ORM's own, for every value that is given."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import BigAutoField, DateTimeField, F, UUIDField
from django.forms import model_to_dict

from crucible_site.models import User
from sessions.compiled import Compiled, CompiledRows, Given, GivenMany
from sessions.models import Participant, Project, Session
from tests import factories

BY_CODE = Compiled(
    lambda: Session.objects.filter(code=Given("code", UUIDField())).select_related("project", "brief", "summary")
)
SEATS = Compiled(
    lambda: (
        Participant.objects.filter(session=Given("session", BigAutoField()), simulated=True)
        .select_related("language_model__provider")
        .annotate(provider_name=F("language_model__provider__name"))
        .order_by("-letter")
    )
)


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    return factories.draft(owner, project, brief="Mind the tax.", params={"max_findings": 3})


def test_every_column_is_what_the_orm_reads(session: Session) -> None:
    found, plain = BY_CODE(code=session.code)[0], Session.objects.get(pk=session.pk)
    assert model_to_dict(found) == model_to_dict(plain)
    assert (found.code, found.created_at, found.params) == (plain.code, plain.created_at, plain.params)
    assert not found._state.adding


def test_what_is_selected_along_costs_no_query(session: Session, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        found = BY_CODE(code=session.code)[0]
        assert (found.project, found.brief, found.summary) == (session.project, session.brief, None)


def test_annotations_order_and_plain_values_hold(session: Session) -> None:
    assert [(row.letter, vars(row)["provider_name"], row.language_model_id) for row in SEATS(session=session.pk)] == [
        (letter, "demo", pk) for letter, pk in zip("CBA", reversed(factories.DEMO_IDS), strict=True)
    ]


def test_each_run_takes_its_own_values(owner: User, project: Project, session: Session) -> None:
    other = factories.draft(owner, project)
    assert [BY_CODE(code=each.code)[0].pk for each in (session, other)] == [session.pk, other.pk]
    assert BY_CODE(code=str(other.code))[0].pk == other.pk
    assert BY_CODE(code=uuid4()) == []


def test_a_value_that_its_field_cannot_hold_is_refused(session: Session) -> None:
    with pytest.raises(ValidationError):
        BY_CODE(code="no code")


def test_rows_are_made_of_columns_and_annotations(session: Session) -> None:
    rows = CompiledRows(
        lambda letter, provider, focus: f"{letter} {provider}{focus}",
        lambda: (
            Participant.objects.filter(session__in=GivenMany("sessions", BigAutoField()))
            .annotate(provider=F("language_model__provider__name"))
            .order_by("-letter")
            .values_list("letter", "provider", "focus")
        ),
    )
    assert rows(sessions=[session.pk]) == ["C demo", "B demo", "A demo"]
    assert rows(sessions=[]) == []


def test_many_ids_of_any_kind_are_given_at_once(session: Session) -> None:
    rows = CompiledRows(
        lambda pk, params: (pk, params),
        lambda: Session.objects.filter(code__in=GivenMany("codes", UUIDField())).values_list("pk", "params"),
    )
    assert rows(codes=[session.code, uuid4()]) == [(session.pk, session.params)]


def test_times_go_in_and_come_out_with_their_zone(session: Session) -> None:
    since = Compiled(lambda: Session.objects.filter(created_at__gte=Given("since", DateTimeField())))
    now = datetime.now(UTC)
    assert [row.created_at.tzinfo is not None for row in since(since=now - timedelta(hours=1))] == [True]
    assert since(since=now + timedelta(hours=1)) == []


@pytest.mark.django_db(transaction=True)
def test_threads_share_what_one_of_them_compiled(session: Session) -> None:
    found: list[Session] = BY_CODE(code=session.code)

    def elsewhere() -> None:
        found.extend(BY_CODE(code=session.code))
        connection.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert [row.pk for row in found] == [session.pk] * 2
