"""Who is told what when a review ends, and what a mail server or a chat can do to us while we tell it: nothing."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import pytest
from django.core import mail
from django.db.models import F
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions import deliveries, outbox
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.invitations import invite
from sessions.actions.keys import reseal_keys
from sessions.actions.lifecycle import start_session
from sessions.actions.notifications import announce, choose_mail, send_test, set_webhook
from sessions.actions.purge import delete_project, delete_session
from sessions.deliveries import WAITS, deliver_due
from sessions.keys import digest_of_key
from sessions.models import Delivery, Invitation, Membership, Outbox, Project, Session, Webhook
from sessions.reports.letters import of_session
from sessions.worker import worker
from tests import factories
from tests.driving import until

pytestmark = pytest.mark.django_db(transaction=True)


class Chat:
    """A chat's address for incoming messages: it answers `status` after `pause` seconds."""

    def __init__(self) -> None:
        self.status, self.pause, self.location = 200, 0.0, ""
        self.heard: list[Any] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                chat.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                time.sleep(chat.pause)
                self.send_response(chat.status)
                if chat.location:
                    self.send_header("Location", chat.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/canary-secret"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    yield chat
    chat.close()


@pytest.fixture(autouse=True)
def _mail_is_set(settings: Any) -> None:
    settings.CRUCIBLE_MAIL = True
    settings.CRUCIBLE_URL = "https://crucible.example"


@pytest.fixture
def hooked(owner: User, project: Project, chat: Chat) -> Webhook:
    return set_webhook(Actor(owner), project, chat.url, "text")


def ended(session: Session, what: str = "finished") -> dict[str, Any]:
    return {"session": session.pk, "what": what, "cause": str(uuid.uuid4())}


def deliver() -> None:
    async def all_of_it() -> None:
        await deliver_due()
        from sessions.providers.egress import close_sessions

        await close_sessions()

    asyncio.run(all_of_it())


def fare(**by: Any) -> list[tuple[str, str, int]]:
    """(state, code, tries) of the deliveries."""
    return list(Delivery.objects.filter(**by).order_by("recipient").values_list("state", "code", "tries"))


def hurry() -> None:
    Delivery.objects.update(due_at=F("due_at") - timedelta(days=1))


# --- whom


def told(project: Project) -> set[str]:
    rows = Delivery.objects.filter(project=project)
    return {row.user.name if row.user else row.recipient for row in rows.select_related("user")}


def test_by_default_whoever_started_it_gets_mail(reviewed: Session, project: Project, member: User) -> None:
    announce([ended(reviewed)])
    assert told(project) == {"Owner"}


def test_whoever_wants_all_gets_all_and_whoever_wants_none_none(
    reviewed: Session, project: Project, owner: User, member: User
) -> None:
    choose_mail(Actor(member), project, "all")
    choose_mail(Actor(owner), project, "none")
    announce([ended(reviewed)])
    assert told(project) == {"Member"}


def test_nobody_gets_mail_while_the_server_can_send_none(reviewed: Session, hooked: Webhook, settings: Any) -> None:
    settings.CRUCIBLE_MAIL = False
    announce([ended(reviewed)])
    assert told(reviewed.project) == {"webhook"}


def test_a_switched_off_person_gets_nothing(reviewed: Session, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    announce([ended(reviewed)])
    assert told(reviewed.project) == set()


def test_what_is_announced_twice_is_told_once(reviewed: Session, hooked: Webhook) -> None:
    payload = ended(reviewed)
    announce([payload])
    announce([payload])
    assert Delivery.objects.count() == 2


def test_a_review_that_a_worker_ends_is_announced(owner: User, project: Project, hooked: Webhook, chat: Chat) -> None:
    session = start_session(Actor(owner), factories.draft(owner, project), dispatch=False)
    worker().submit(session.pk).result(60)
    assert Outbox.objects.get(kind="announce").payload["what"] == "finished"
    Outbox.objects.update(created_at=F("created_at") - outbox.RESEND_AFTER * 2)
    until(lambda: bool(chat.heard))
    assert "Payment" in chat.heard[0]["text"]


# --- what


def test_the_words_of_a_finished_review(reviewed: Session) -> None:
    letter = of_session(reviewed, "finished")
    assert letter.subject == "Review finished: Payment"
    assert letter.text.startswith("Review “Payment” in Paper mill finished. 2 findings: 1 critical, 1 minor. Cost ")
    assert letter.link == f"https://crucible.example/sessions/{reviewed.code}/"


def test_a_title_is_no_markup_in_a_chat(reviewed: Session) -> None:
    reviewed.title = "<!channel> [click](https://evil.example) *now* <https://evil.example|here> @all"
    text = of_session(reviewed, "finished").payload("text")["text"]
    assert not set("<>[]*|@") & set(text)
    card = of_session(reviewed, "finished").payload("card")["attachments"][0]["content"]
    assert card["body"][0]["type"] == "RichTextBlock"


def test_a_title_adds_no_mail_header(reviewed: Session) -> None:
    reviewed.title = "Pay\r\nBcc: all@example.org"
    assert "\n" not in of_session(reviewed, "finished").subject


def test_a_failed_review_says_why(reviewed: Session) -> None:
    reviewed.reason = "cap_reached"
    assert " failed. " in of_session(reviewed, "failed").text


def test_mail_arrives_with_the_way_to_fewer_mails(reviewed: Session) -> None:
    announce([ended(reviewed)])
    deliver()
    assert [message.to for message in mail.outbox] == [["owner@example.org"]]
    assert "/projects/paper-mill/notifications/" in str(mail.outbox[0].body)
    assert fare() == [("sent", "sent", 1)]


# --- how it fares


def test_a_webhook_gets_one_text_that_slack_and_teams_read(reviewed: Session, hooked: Webhook, chat: Chat) -> None:
    announce([ended(reviewed)])
    deliver()
    assert list(chat.heard[0]) == ["text"]
    assert fare(recipient="webhook") == [("sent", "200", 1)]


def test_a_teams_workflow_gets_a_card(owner: User, reviewed: Session, hooked: Webhook, chat: Chat) -> None:
    set_webhook(Actor(owner), reviewed.project, "", "card")
    announce([ended(reviewed)])
    deliver()
    card = chat.heard[0]["attachments"][0]["content"]
    assert card["actions"][0]["url"] == f"https://crucible.example/sessions/{reviewed.code}/"


def test_a_chat_that_is_down_is_tried_again_later_and_then_given_up(
    project: Project, hooked: Webhook, chat: Chat
) -> None:
    chat.status = 503
    send_test(project)
    for tries in range(1, len(WAITS) + 1):
        deliver()
        assert fare() == [("waiting", "503", tries)]
        deliver()
        assert len(chat.heard) == tries  # not before its time
        hurry()
    deliver()
    assert fare() == [("given_up", "503", len(WAITS) + 1)]


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_what_would_fail_again_is_not_tried_again(status: int, project: Project, hooked: Webhook, chat: Chat) -> None:
    chat.status = status
    send_test(project)
    deliver()
    assert fare() == [("given_up", str(status), 1)]


@pytest.mark.parametrize("status", [408, 429])
def test_a_busy_chat_is_asked_again(status: int, project: Project, hooked: Webhook, chat: Chat) -> None:
    chat.status = status
    send_test(project)
    deliver()
    assert fare() == [("waiting", str(status), 1)]


def test_a_redirect_is_not_followed(project: Project, hooked: Webhook, chat: Chat) -> None:
    chat.status, chat.location = 307, chat.url
    send_test(project)
    deliver()
    assert len(chat.heard) == 1


def test_a_slow_chat_holds_nothing_up(
    reviewed: Session, hooked: Webhook, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    chat.pause = 1.5
    announce([ended(reviewed)])
    begun = time.monotonic()
    deliver()
    assert time.monotonic() - begun < 1.2
    assert fare() == [("sent", "sent", 1), ("waiting", "timeout_wall", 1)]


def test_a_delivery_that_two_workers_see_is_sent_once(project: Project, hooked: Webhook, chat: Chat) -> None:
    send_test(project)
    chat.pause = 0.3

    async def two() -> None:
        from sessions.providers.egress import close_sessions

        await asyncio.gather(deliver_due(), deliver_due())
        await close_sessions()

    asyncio.run(two())
    assert len(chat.heard) == 1


def test_a_mail_server_that_is_away_is_tried_again(reviewed: Session, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    announce([ended(reviewed)])
    deliver()
    assert fare() == [("waiting", "mail_failed", 1)]


def test_nothing_is_told_of_a_review_that_was_deleted_meanwhile(
    owner: User, reviewed: Session, hooked: Webhook, chat: Chat
) -> None:
    announce([ended(reviewed)])
    delete_session(Actor(owner), reviewed)
    deliver()
    assert {code for _, code, _ in fare()} == {"gone"}
    assert (chat.heard, mail.outbox) == ([], [])


def test_nothing_is_told_to_somebody_who_left(reviewed: Session, member: User) -> None:
    choose_mail(Actor(member), reviewed.project, "all")
    announce([ended(reviewed)])
    Membership.objects.filter(user=member).delete()
    deliver()
    assert [message.to for message in mail.outbox] == [["owner@example.org"]]


# --- where a webhook may lead


def test_an_address_is_sealed_and_never_shown(owner: User, project: Project, hooked: Webhook, client: Client) -> None:
    client.force_login(owner)
    page = client.get(f"/projects/{project.slug}/notifications/").content.decode()
    assert "127.0.0.1" in page
    assert "canary-secret" not in page
    assert b"canary-secret" not in bytes(Webhook.objects.get().sealed_url)


def test_an_address_copied_to_another_project_does_not_open(owner: User, project: Project, hooked: Webhook) -> None:
    other = factories.project(owner, "Other")
    Webhook.objects.create(project=other, sealed_url=hooked.sealed_url, host="x", changed_by=owner)
    send_test(other)
    deliver()
    assert fare() == [("given_up", "unsealable", 1)]


def test_an_address_outlives_a_rotation_of_the_keyring(
    project: Project, hooked: Webhook, chat: Chat, settings: Any
) -> None:
    settings.CRUCIBLE_KEYRING = f"newer,{settings.CRUCIBLE_KEYRING}"
    assert reseal_keys().again == 1
    settings.CRUCIBLE_KEYRING = "newer"
    send_test(project)
    deliver()
    assert len(chat.heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.crucible.example/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://2130706433/x",
        "https://10.0.0.8/x",
        "https://169.254.169.254/latest/",
        "https://[::1]/x",
        "https://user:pw@crucible.example/x",
        "https://crucible.example:22/x",
        "ftp://crucible.example/x",
        "",
    ],
)
def test_a_team_server_takes_no_address_inside(url: str, owner: User, project: Project, settings: Any) -> None:
    settings.CRUCIBLE_TEAM = True
    with pytest.raises(Refused):
        set_webhook(Actor(owner), project, url, "text")
    assert not Webhook.objects.exists()


def test_a_name_that_leads_inside_is_stopped_when_it_is_used(
    owner: User, project: Project, chat: Chat, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRUCIBLE_TEAM = True
    import socket

    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)
    set_webhook(Actor(owner), project, "https://hooks.crucible.example/x", "text")
    send_test(project)
    deliver()
    assert fare() == [("given_up", "address_blocked", 1)]


def test_an_operator_may_list_a_host_inside(owner: User, project: Project, chat: Chat, settings: Any) -> None:
    settings.CRUCIBLE_TEAM = True
    settings.CRUCIBLE_LOCAL_PROVIDERS = ["127.0.0.1"]
    set_webhook(Actor(owner), project, chat.url, "text")
    send_test(project)
    deliver()
    assert fare() == [("sent", "200", 1)]


# --- invitations by mail


def test_a_mailed_link_works_beside_the_shown_one_and_is_not_stored(owner: User, project: Project) -> None:
    row, token = invite(Actor(owner), project, "member", "mira@example.org")
    deliver()
    body = str(mail.outbox[0].body)
    mailed = body.partition("https://crucible.example/join/")[2].partition("/")[0]
    row.refresh_from_db()
    assert row.mailed_digest == digest_of_key(mailed)
    assert mailed != token
    assert mailed not in str(list(Delivery.objects.values())) + str(list(Invitation.objects.values()))


def test_a_revoked_invitation_is_not_mailed(owner: User, project: Project) -> None:
    row, _ = invite(Actor(owner), project, "member", "mira@example.org")
    Invitation.objects.filter(pk=row.pk).update(revoked_at=F("created_at"))
    deliver()
    assert mail.outbox == []


# --- the page


def test_the_page_keeps_a_choice_and_lists_how_messages_fared(
    member: User, reviewed: Session, hooked: Webhook, chat: Chat, owner: User, client: Client
) -> None:
    address = reverse("sessions:notifications", args=[reviewed.project.slug])
    client.force_login(owner)
    client.post(address, {"notify": "none"})
    assert Membership.objects.get(user=owner).notify == "none"
    chat.status = 404
    client.post(reverse("sessions:webhook", args=[reviewed.project.slug]), {"go": "test"})
    deliver()
    page = client.get(address).content.decode()
    assert "<code>404</code>" in page
    assert "given up" in page


def test_a_member_changes_no_webhook(member: User, project: Project, hooked: Webhook, client: Client) -> None:
    client.force_login(member)
    assert client.post(reverse("sessions:webhook", args=[project.slug]), {"go": "remove"}).status_code == 403
    assert "Address" not in client.get(reverse("sessions:notifications", args=[project.slug])).content.decode()


def test_a_webhook_goes_with_its_project(owner: User, project: Project, hooked: Webhook) -> None:
    send_test(project)
    delete_project(Actor(owner), project)
    assert (Webhook.objects.count(), Delivery.objects.count()) == (0, 0)
