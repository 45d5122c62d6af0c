"""POSTs that have one effect per Idempotency-Key and answer with what they changed, as it is now."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from sessions.access import Actor
from sessions.actions.idempotency import Answer, Post, once


def once_only(request: HttpRequest, response: HttpResponse, actor: Actor, act: Callable[[], int]) -> int:
    """The number that `act` returned, now or when this very POST was answered before: then nothing is done again, and
    a header says so. Raises Refused."""
    post = Post(actor.user_id, request.path, request.headers.get("Idempotency-Key", ""), request.body)
    answer = once(post, lambda: Answer(200, {"number": act()}))
    if answer.replayed:
        response["Idempotency-Replayed"] = "true"
    return int(answer.reply["number"])
