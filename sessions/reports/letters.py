"""The words of notifications. They say what happened and link to the page; no link decides anything.

Titles are people's words. In mail they stay text; in chats they are stripped of what a chat would turn into a link, a
mention or markup.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from billing.pricing import dollars
from sessions.engine.errors import explain
from sessions.engine.findings import SEVERITIES
from sessions.engine.text import single_line
from sessions.glossary import label
from sessions.kinds import KINDS
from sessions.models import Finding, Invitation, Project, Session, Webhook
from sessions.queries.gates import gate_of
from sessions.reports.gates import sentence

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKUP = str.maketrans(dict.fromkeys("*_`~|[]@#\\", " "))


@dataclass(frozen=True, slots=True)
class Letter:
    """`subject` is one line, `text` some lines, `link` where it leads and `button` what that is called."""

    subject: str
    text: str
    link: str
    button: str

    def body(self, footer: str = "") -> str:
        """As plain mail."""
        return "\n\n".join(part for part in (self.text, self.link, footer) if part) + "\n"

    def payload(self, shape: str) -> dict[str, Any]:
        """As a chat takes it: `text` for Slack and everything that copied it, `card` for a Teams workflow."""
        if shape == Webhook.Shape.CARD:
            return {"type": "message", "attachments": [{"contentType": _CARD, "content": self._card()}]}
        return {"text": f"{self.text.translate(_SLACK)}\n{self.link}"}

    def _card(self) -> dict[str, Any]:
        # A RichTextBlock, because a TextBlock reads Markdown.
        words = [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": self.text}]}]
        open_it = [{"type": "Action.OpenUrl", "title": self.button, "url": self.link}]
        return {"type": "AdaptiveCard", "version": "1.4", "body": words, "actions": open_it}


_CARD = "application/vnd.microsoft.card.adaptive"


def absolute(path: str) -> str:
    """The address by which people reach a page of this installation."""
    return f"{settings.CRUCIBLE_URL.rstrip('/')}{path}"


def of_session(session: Session, what: str) -> Letter:
    """`what` is finished or failed."""
    kind = KINDS[session.kind].label
    said = f"failed. {explain(session.reason)}" if what == "failed" else f"finished. {_result(session)}"
    subject = f"{kind} {what}: {single_line(session.title, 120)}"
    text = f"{kind} “{plain(session.title)}” in {plain(session.project.name)} {said}"
    return Letter(subject, text, absolute(reverse("sessions:detail", args=[session.code])), "Open")


def of_gate(session: Session) -> Letter:
    """Somebody is waited for. The link opens the page, on which one decides."""
    subject = f"Waiting for your decision: {single_line(session.title, 120)}"
    text = f"The gate of “{plain(session.title)}” in {plain(session.project.name)} waits. {sentence(gate_of(session))}"
    return Letter(subject, text, absolute(reverse("sessions:gate", args=[session.code])), "Look at it")


def of_test(project: Project) -> Letter:
    link = absolute(reverse("sessions:notifications", args=[project.slug]))
    return Letter("Crucible", f"This is a test: notifications of {plain(project.name)} arrive here.", link, "Settings")


def of_invitation(invitation: Invitation, token: str) -> Letter:
    project = single_line(invitation.project.name, 120)
    text = (
        f"{single_line(str(invitation.invited_by), 120)} invites you to the project {project} on Crucible,"
        f" as {invitation.role}.\n\nThe link works once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC."
        " Opening it changes nothing: you decide on the page."
    )
    return Letter(f"Invitation to {project}", text, absolute(reverse("join", args=[token])), "Open")


def plain(text: str) -> str:
    """One line without what chats read as markup."""
    return " ".join(single_line(text, 160).translate(_MARKUP).split())


def _result(session: Session) -> str:
    """How it came out, what it found, what it cost."""
    parts = [label("outcome", session.outcome), _findings(session) if KINDS[session.kind].finds else ""]
    return "".join(f"{part}. " for part in parts if part) + f"Cost {dollars(session.cost_microcredits)}."


def _findings(session: Session) -> str:
    found = Counter(Finding.objects.filter(session=session, status="open").values_list("severity", flat=True))
    by_severity = ", ".join(f"{found[name]} {name}" for name in sorted(found, key=lambda name: -SEVERITIES[name]))
    count = f"{found.total()} finding{'' if found.total() == 1 else 's'}"
    return f"{count}{f': {by_severity}' if by_severity else ''}"
