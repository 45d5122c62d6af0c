"""What of a project is told where: one's own mail, the project's webhook, and how the last messages fared."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import MANAGE, Actor
from sessions.actions import notifications as actions
from sessions.actions.errors import Refused
from sessions.models import Delivery, Membership, Notify, Project, Webhook
from sessions.views.base import page, show

LISTED = 30
MAIL_ABOUT = ((Notify.MINE, "sessions I started"), (Notify.ALL, "all sessions"), (Notify.NONE, "none"))


@page("GET", "POST")
def notifications(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """POST chooses of which sessions the actor gets mail."""
    found = access.find_project(actor, slug)
    if request.method == "POST":
        actions.choose_mail(actor, found, request.POST.get("notify", ""))
        messages.success(request, "Your choice was kept.")
        return redirect("sessions:notifications", slug)
    return _page(request, actor, found)


@page("POST")
def webhook(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """`go` is set, remove or test."""
    found = access.find_project(actor, slug, MANAGE)
    try:
        messages.success(request, _change(request, actor, found))
    except Refused as refused:
        return _page(request, actor, found, refused)
    return redirect("sessions:notifications", slug)


def _change(request: HttpRequest, actor: Actor, found: Project) -> str:
    """What was done, in words."""
    match request.POST.get("go"):
        case "remove":
            actions.remove_webhook(found)
            return "The webhook was removed."
        case "test":
            actions.send_test(found)
            return "A test message is on its way. Reload in a moment: its result stands below."
        case _:
            actions.set_webhook(actor, found, request.POST.get("url", ""), request.POST.get("shape", ""))
            return "The webhook was kept. Send a test message to see whether it works."


def _page(request: HttpRequest, actor: Actor, found: Project, refusal: Refused | None = None) -> HttpResponseBase:
    manages = MANAGE in access.grants_in(actor, found)
    rows = Delivery.objects.filter(project=found).select_related("session", "user", "invitation")
    context = {
        "webhook": Webhook.objects.filter(project=found).select_related("changed_by").first(),
        "shapes": Webhook.Shape.choices,
        "choices": MAIL_ABOUT,
        "chosen": Membership.objects.values_list("notify", flat=True).get(project=found, user=actor.user),
        "deliveries": rows[:LISTED] if manages else rows.filter(user=actor.user)[:LISTED],
        "can_mail": settings.CRUCIBLE_MAIL,
        "refusal": refusal,
        "typed": request.POST,
        "tab": "settings",
    }
    return show(request, actor, found, "sessions/notifications.html", context, refusal.status if refusal else 200)
