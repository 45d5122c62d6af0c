"""Certifications that really run, their certificates, and what becomes of those: kept, fetched, checked, superseded."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import retry_session, start_session
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.purge import delete_artifact
from sessions.actions.standards import create_standard
from sessions.append_only import purge
from sessions.certificates.checking import EXIT_CODES, check
from sessions.certificates.fetching import is_intact, newest_certificate, signed_certificate
from sessions.certificates.signing import BadKey, key_set, read_keys, sign
from sessions.demo.plants import ARTIFACTS
from sessions.invariants import violations
from sessions.models import Attestation, Certificate, Content, Event, Project, Session
from sessions.queries.certification import certification_of, worth_of
from sessions.queries.gates import gate_of
from sessions.reports.export import document, markdown
from sessions.seats import Seat
from tests import factories
from tests.doubles import END, ScriptedProvider, Turn, failing, installed
from tests.driving import lab, to_rest

pytestmark = pytest.mark.django_db(transaction=True)

QUOTE = "return charge(total)"


def answering(**said: str) -> ScriptedProvider:
    """By letter what the instance says of the second criterion, `fail` for an error; the first is always met."""

    def play(call: Any) -> Turn:
        word = said.get(call.member, "met")
        if word == "fail":
            return failing("provider_error")
        answers = [
            {"criterion": "A-1", "reason": "It does.", "evidence": QUOTE, "answer": "met"},
            {"criterion": "A-2", "reason": "Because of the words.", "evidence": QUOTE, "answer": word},
        ]
        verdict = "refuse" if word == "not_met" else "certify"
        return [orjson.dumps({"analysis": "Read it.", "answers": answers, "verdict": verdict}).decode(), END]

    return ScriptedProvider(play=play)


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(answering(C="not_met")) as scripted:
        yield scripted


def drafted(owner: User, project: Project, *model_ids: str, **params: Any) -> Session:
    if not project.standards.filter(key="payment-code").exists():
        create_standard(Actor(owner), project, "Payment code", factories.CRITERIA)
    seats = [Seat(name=f"Seat {number}", model_id=pk) for number, pk in enumerate(model_ids, 1)]
    params = {"standard": "payment-code", "rule": "supermajority", **params}
    version = factories.artifact(owner, project)
    return create_session(Actor(owner), project, NewSession("certification", seats, [version], params=params))


def certified(owner: User, project: Project, **params: Any) -> Session:
    """A and B certify, C refuses; two thirds are enough."""
    session = drafted(owner, project, *lab("one", "two", "three"), **params)
    return to_rest(start_session(Actor(owner), session, dispatch=False, fresh=True))


@pytest.fixture
def session(owner: User, project: Project, provider: ScriptedProvider) -> Session:
    return certified(owner, project)


def fetched(session: Session) -> bytes:
    return orjson.dumps(signed_certificate(newest_certificate(session)))


def code_of(text: bytes, **more: Any) -> str:
    return check(text, read_keys(key_set()), **more).code


# --- a session


def test_a_certification_ends_certified_with_dissent(session: Session) -> None:
    assert (session.status, session.outcome, session.reason) == ("completed", "certified", "with_dissent")
    assert session.phase == "certification"
    assert session.params["version"] == 1
    assert violations() == []


def test_every_instance_attests_to_every_criterion(session: Session) -> None:
    found = certification_of(session)
    assert found is not None
    assert [(one.letter, one.verdict) for one in found.attestations] == [
        ("A", "certify"),
        ("B", "certify"),
        ("C", "refuse"),
    ]
    assert [(answer.letter, answer.said, answer.verified) for answer in found.rows[1].answers] == [
        ("A", "met", True), ("B", "met", True), ("C", "not_met", True),
    ]  # fmt: skip
    assert found.rows[0].answers[0].start_line == 3


def test_the_export_holds_the_verdict_the_answers_and_the_certificate(session: Session) -> None:
    found = document(session)["certification"]
    assert found["standard"] == {"key": "payment-code", "name": "Payment code", "version": 1}
    assert found["verdict"]["refuse"] == ["C"]
    assert found["criteria"][1]["answers"][2]["reason"] == "Because of the words."
    assert found["certificate"]["state"] == "valid"
    assert json.loads(json.dumps(document(session))) == document(session)


def test_the_export_for_people_has_the_matrix_and_no_findings(session: Session) -> None:
    text = markdown(session)
    assert "A-2: It rounds as it should. | Mandatory | Met | Met | Not met |" in text
    assert "Certified (with dissent). Certifies: A, B; Refuses: C; Abstains: nobody." in text
    assert "## Findings" not in text


def test_a_review_has_no_certification(reviewed: Session) -> None:
    assert document(reviewed)["certification"] is None


def test_its_gate_is_judged_by_outcome_and_confidence(session: Session) -> None:
    gate = gate_of(session)
    assert (gate.outcome, gate.reasons) == ("fail", ("low_confidence",))  # two of three are no three quarters


def test_a_proven_veto_is_a_reason_of_the_gate(owner: User, project: Project, provider: ScriptedProvider) -> None:
    first, second = factories.CRITERIA
    create_standard(Actor(owner), project, "Payment code", [first, second | {"critical": True}])
    session = certified(owner, project)
    assert (session.outcome, session.reason) == ("not_certified", "veto")
    assert "veto" in gate_of(session).reasons
    assert not Certificate.objects.exists()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"standard": "nope"}, "standard_unknown"),
        ({"version": 9}, "standard_unknown"),
        ({"rule": "most"}, "bad_params"),
        ({"quorum": 1}, "bad_params"),
    ],
)
def test_parameters_that_name_nothing_are_refused(
    owner: User, project: Project, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        drafted(owner, project, *lab("one"), **params)
    assert refusal.value.code == code


def test_demo_models_give_no_certificate_outside_of_the_demo_project(owner: User, project: Project) -> None:
    factories.demo_models()
    session = drafted(owner, project, *factories.DEMO_IDS, standard="policy-text")
    session = to_rest(start_session(Actor(owner), session, dispatch=False))
    verdict = document(session)["certification"]["verdict"]
    assert not Certificate.objects.exists()
    assert verdict["withheld"] == ("simulated" if session.outcome == "certified" else "")


# --- fetching and checking


def test_a_fetched_certificate_is_valid_and_says_for_which_text(session: Session) -> None:
    digest = session.sources.get().version.digest
    assert code_of(fetched(session)) == "valid"
    assert code_of(fetched(session), artifacts=[digest]) == "valid"
    assert code_of(fetched(session), artifacts=["0" * 64]) == "other_artifact"


def changed(text: bytes, change: Any) -> bytes:
    found = orjson.loads(text)
    change(found)
    return orjson.dumps(found)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["certificate"]["artifacts"][0].update(digest="0" * 64),
        lambda found: found["certificate"]["verdict"].update(refuse=[]),
        lambda found: found["certificate"].update(simulated=True),
        lambda found: found["certificate"].update(note="x"),
        lambda found: found["status"].update(at="2099-01-01T00:00:00Z"),
        lambda found: found["status"].update(state="superseded"),
        lambda found: found.update(issued_at="2020-01-01T00:00:00Z"),
        lambda found: found.update(id="another"),
        lambda found: found["signature"].update(value="A" * 86),
        lambda found: found["signature"].update(value=7),
        lambda found: found["signature"].pop("value"),
    ],
)
def test_a_certificate_that_was_changed_anywhere_is_found_out(session: Session, change: Any) -> None:
    assert code_of(changed(fetched(session), change)) == "forged"


def test_what_the_right_key_signed_but_does_not_add_up_is_found_out(session: Session) -> None:
    """Whoever has the key still cannot certify what was refused."""
    found = orjson.loads(fetched(session))
    found["certificate"]["verdict"]["refuse"] = []
    del found["signature"]
    assert code_of(orjson.dumps(found | {"signature": sign(found)})) == "forged"


def test_a_certificate_of_somebody_else_is_not_trusted(session: Session, settings: Any) -> None:
    text = fetched(session)
    settings.CRUCIBLE_SIGNING_KEY = "the secret of another installation"
    assert code_of(text) == "unknown_key"


def test_an_older_key_still_counts_while_it_is_kept(session: Session, settings: Any) -> None:
    text, before = fetched(session), settings.CRUCIBLE_SIGNING_KEY
    settings.CRUCIBLE_SIGNING_KEY = f"a newer secret, {before}"
    assert code_of(text) == "valid"
    assert code_of(fetched(session)) == "valid"
    settings.CRUCIBLE_SIGNING_KEY = "a newer secret"
    assert code_of(text) == "unknown_key"
    assert code_of(fetched(session)) == "valid"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{", b'{"certificate": 1.5}', b"[" * 100_000,
        b'{"certificate": {}, "id": "", "session": "", "issued_at": "", "status": {}}',
        b'{"certificate": {}, "id": "", "session": "", "issued_at": "", "status": {}, "signature": 7}',
        b'{"certificate": {}, "id": "", "session": "", "issued_at": "", "status": {}, "signature": {}, "more": 1}',
        b'{"certificate": {}, "certificate": {}}',
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_unreadable(text: bytes) -> None:
    assert code_of(text) == "unreadable"


@pytest.mark.parametrize("key", ["", "nonsense", "AAAA", {}, {"keys": []}, {"keys": [{"kty": "RSA"}]}, [], {"keys": 7}])
def test_what_is_no_key_is_said_to_be_none(key: Any) -> None:
    with pytest.raises(BadKey):
        read_keys(key)


def test_keys_are_read_as_a_set_one_by_one_and_bare() -> None:
    row = key_set()["keys"][0]
    assert list(read_keys(key_set())) == list(read_keys(row)) == list(read_keys(row["x"])) == [row["kid"]]


# --- superseded


def test_a_new_version_of_the_artifact_supersedes_it(session: Session, owner: User, project: Project) -> None:
    before = fetched(session)
    factories.artifact(owner, project, text=factories.CODE + "# newer\n")
    assert code_of(fetched(session)) == "superseded"
    assert worth_of(newest_certificate(session)).because == "new_version"
    assert code_of(before) == "valid"  # it says of when that is true
    assert "still current on" in check(before, read_keys(key_set())).sentence


def test_the_same_text_again_supersedes_nothing(session: Session, owner: User, project: Project) -> None:
    factories.artifact(owner, project)
    assert code_of(fetched(session)) == "valid"


def again(owner: User, session: Session, **said: str) -> Session:
    with installed(answering(**said)):
        retry_session(Actor(owner), session, dispatch=False)
        return to_rest(session)


def test_another_verdict_of_the_same_session_supersedes_it(owner: User, project: Project) -> None:
    with installed(answering(C="fail")):
        session = certified(owner, project, rule="unanimous")
    assert (session.outcome, session.reason) == ("certified", "")
    session = again(owner, session, C="not_met")
    assert (session.outcome, session.reason) == ("not_certified", "rule_missed")
    assert worth_of(Certificate.objects.get()).because == "judged_again"
    assert code_of(fetched(session)) == "superseded"
    assert violations() == []


def test_a_retry_that_changes_nothing_keeps_the_certificate(owner: User, project: Project) -> None:
    with installed(answering(C="fail")):
        session = certified(owner, project)
    session = again(owner, session, C="fail")
    assert worth_of(Certificate.objects.get()).state == "valid"
    assert violations() == []


# --- kept


def test_nobody_changes_a_certificate(session: Session) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Certificate.objects.update(digest="0" * 64)


def test_a_document_that_was_changed_in_the_database_is_not_signed(session: Session) -> None:
    certificate = newest_certificate(session)
    text = certificate.content.text.replace('"seated":3', '"seated":4')
    Content.objects.filter(pk=certificate.content_id).update(text=text)
    with pytest.raises(Refused) as refusal:
        fetched(session)
    assert refusal.value.code == "certificate_damaged"


def test_a_log_that_was_changed_is_found_out(session: Session) -> None:
    with purge():
        Event.objects.filter(session=session, seq=2).delete()
    assert not is_intact(newest_certificate(session))


def test_deleting_the_artifact_erases_the_words_and_keeps_the_row(session: Session, owner: User) -> None:
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    certificate = newest_certificate(session)
    assert certificate.content.text == ""
    assert is_intact(certificate)
    with pytest.raises(Refused, match="erased"):
        fetched(session)
    assert document(Session.objects.get(pk=session.pk))["certification"]["criteria"][0]["answers"][0]["reason"] == ""
    assert not Attestation.objects.exclude(content__text="").exists()


# --- pages and the API


def test_members_download_it_and_strangers_find_nothing(session: Session, owner: User, stranger: User) -> None:
    address = reverse("sessions:certificate", args=[session.code])
    client = Client()
    client.force_login(owner)
    response = client.get(address)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="certificate-')
    assert code_of(response.content) == "valid"
    client.force_login(stranger)
    assert client.get(address).status_code == 404
    assert factories.client(stranger).get(f"/api/v1/sessions/{session.code}/certificate").status_code == 404


def test_the_api_gives_it_and_says_when_there_is_none(session: Session, reviewed: Session, owner: User) -> None:
    client = factories.client(owner)
    assert code_of(client.get(f"/api/v1/sessions/{session.code}/certificate").content) == "valid"
    none = client.get(f"/api/v1/sessions/{reviewed.code}/certificate")
    assert (none.status_code, none.json()["error"]["code"]) == (404, "no_certificate")


def test_anybody_with_the_code_sees_what_it_is_worth_and_no_words(
    session: Session, owner: User, project: Project
) -> None:
    address = reverse("verify", args=[newest_certificate(session).pk])
    page = Client().get(address).content.decode()
    assert "Valid." in page
    assert session.sources.get().version.digest in page
    for secret in ("pay.py", "Payment code", project.name, owner.email, "lab/one", "Because of the words"):
        assert secret not in page
    factories.artifact(owner, project, text="newer = True\n")
    assert "Superseded." in Client().get(address).content.decode()


def test_a_damaged_certificate_says_so_on_its_page(session: Session) -> None:
    certificate = newest_certificate(session)
    Content.objects.filter(pk=certificate.content_id).update(text=certificate.content.text.replace("true", "false"))
    page = Client().get(reverse("verify", args=[certificate.pk])).content.decode()
    assert "Do not rely on it" in page
    assert "Valid." not in page


def test_a_code_that_nobody_issued_is_not_found(db: Any) -> None:
    assert Client().get("/certificates/00000000-0000-0000-0000-000000000000/").status_code == 404
    assert Client().post("/.well-known/crucible-keys.json").status_code == 405


def test_the_public_keys_stand_where_they_are_looked_for(session: Session) -> None:
    found = Client().get("/.well-known/crucible-keys.json").json()
    assert found == key_set()
    assert "d" not in found["keys"][0]  # the private half of a JWK
    assert check(fetched(session), read_keys(found)).code == "valid"


# --- the command


@pytest.fixture
def files(session: Session, tmp_path: Path) -> Path:
    (tmp_path / "good.json").write_bytes(fetched(session))
    (tmp_path / "keys.json").write_text(json.dumps(key_set()))
    (tmp_path / "pay.py").write_text(factories.CODE)
    (tmp_path / "other.py").write_text("x = 1\n")
    return tmp_path


def verify(*arguments: str) -> tuple[int, str]:
    """Exit code and everything that was written, without a database."""
    out = StringIO()
    with connection.execute_wrapper(_no_database), pytest.raises(SystemExit) as ended:
        call_command("verify_certificate", *arguments, stdout=out, stderr=out)
    return int(ended.value.code or 0), out.getvalue()


def _no_database(*_: Any) -> None:
    raise AssertionError("the command asked the database")


def test_the_command_checks_offline(files: Path) -> None:
    code, said = verify(f"{files}/good.json", "--key", f"{files}/keys.json", "--artifact", f"{files}/pay.py")
    assert code == EXIT_CODES["valid"]
    assert "Certified with dissent against 'Payment code', version 1" in said


@pytest.mark.parametrize(
    ("change", "result", "sentence"),
    [
        (lambda found: found["certificate"].update(rule="majority"), "forged", "changed or forged"),
        (lambda found: found["signature"].update(key="nobody"), "unknown_key", "somebody else"),
        (lambda found: found.pop("status"), "unreadable", "no 'status'"),
    ],
)
def test_the_command_says_what_is_wrong_and_exits_with_its_code(
    files: Path, change: Any, result: str, sentence: str
) -> None:
    (files / "bad.json").write_bytes(changed((files / "good.json").read_bytes(), change))
    code, said = verify(f"{files}/bad.json", "--key", f"{files}/keys.json")
    assert (code, sentence in said) == (EXIT_CODES[result], True)


def test_the_command_tells_another_text_apart(files: Path) -> None:
    code, _ = verify(f"{files}/good.json", "--key", f"{files}/keys.json", "--artifact", f"{files}/other.py")
    assert code == EXIT_CODES["other_artifact"]


def test_run_session_certifies_and_prints_the_document(tmp_path: Path) -> None:
    (tmp_path / "reading_time.py").write_bytes((ARTIFACTS / "reading_time.py").read_bytes())
    arguments = ["--file", f"{tmp_path}/reading_time.py", "--param", "standard=policy-text", "rule=majority"]
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("run_session", "certification", *arguments, "--json", stdout=out, stderr=StringIO())
    found = json.loads(out.getvalue())
    assert (ended.value.code, found["kind"], found["outcome"]) == (0, "certification", "certified")
    assert found["certification"]["certificate"]["state"] == "valid"
    assert len(found["certification"]["criteria"]) == 9


@pytest.mark.parametrize(("standard", "status"), [("policy-text", 201), ("nope", 404)])
def test_the_api_makes_a_certification_against_a_standard_that_there_is(
    owner: User, project: Project, standard: str, status: int
) -> None:
    body = {
        "project": project.slug,
        "kind": "certification",
        "roster": [seat.model_dump(mode="json") for seat in factories.seats()],
        "artifacts": [str(factories.artifact(owner, project).artifact.code)],
        "params": {"standard": standard},
        "start": False,
    }
    client = factories.client(owner)
    assert client.post("/api/v1/sessions", body, "application/json").status_code == status
    del body["start"]
    estimated = client.post("/api/v1/estimates", body, "application/json")
    assert estimated.status_code == (200 if status == 201 else 404)


def test_a_new_version_of_what_was_certified_is_said_in_the_log_and_on_the_gate_page(
    owner: User, project: Project
) -> None:
    session = factories.certified(owner, project, "met", "met", "met")
    browser = Client()
    browser.force_login(owner)
    after = Session.objects.values_list("next_seq", flat=True).get(pk=session.pk) - 1
    name = session.sources.get().version.artifact.name
    assert "Superseded" not in browser.get(f"/sessions/{session.code}/gate/").content.decode()
    factories.artifact(owner, project, name, "def pay(amount):\n    return amount or 0\n")
    assert session.events.order_by("seq").values_list("kind", flat=True).last() == "certificate.superseded"
    live = browser.get(f"/sessions/{session.code}/gate/live/", {"after": after})
    assert (live.status_code, "Superseded" in live.content.decode()) == (200, True)
    assert violations() == []


def test_a_version_that_is_only_read_or_not_new_supersedes_nothing(owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "met", "met", "met")
    before, version = session.events.count(), session.sources.get().version
    factories.artifact(owner, project, version.artifact.name, version.content.text)
    factories.artifact(owner, project, "other.py", "x = 1\n")
    assert session.events.count() == before
