"""The gate policies of a project: what makes a gate pass or fail, version by version."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import MANAGE, Actor
from sessions.actions import gate_policies
from sessions.actions.errors import Refused
from sessions.engine.policy import SHIPPED, Policy
from sessions.glossary import label
from sessions.models import GatePolicy, Project
from sessions.policy_form import PolicyForm, policy_values
from sessions.queries.gates import DEFAULT_POLICY, policies_of, policy_labels
from sessions.reports.policies import rules_of
from sessions.views.base import number_in, page, show


@page("GET")
def listing(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    project = access.find_project(actor, slug)
    names = policy_labels(project)
    rows = [(policy, names[key]) for key, policy in policies_of(project).items()]
    context = {
        "own": [row for row in rows if row[0].key not in SHIPPED],
        "shipped": [row for row in rows if row[0].key in SHIPPED],
        "tab": "settings",
    }
    return show(request, actor, project, "policies/listing.html", context)


@page("GET")
def policy(request: HttpRequest, actor: Actor, slug: str, key: str) -> HttpResponse:
    """`?version=` shows an older one."""
    project = access.find_project(actor, slug)
    versions = _versions(project, key)
    asked = request.GET.get("version", str(versions[0][0].version))
    shown = next((row for row in versions if str(row[0].version) == asked), None)
    if shown is None:
        raise Http404
    context = {
        "policy": shown[0],
        "name": shown[1],
        "rules": rules_of(shown[0]),
        "versions": versions,
        "newest": versions[0][0],
        "shipped": key in SHIPPED,
        "tab": "settings",
    }
    return show(request, actor, project, "policies/policy.html", context)


@page("GET", "POST")
def new(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """`?like=` names the policy to begin with."""
    project = access.find_project(actor, slug, MANAGE)
    known = policies_of(project)
    like = known.get(request.GET.get("like", ""), known[DEFAULT_POLICY])
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=policy_values(like))
    return _edit(request, actor, project, form)


@page("GET", "POST")
def edit(request: HttpRequest, actor: Actor, slug: str, key: str) -> HttpResponseBase:
    """Saving makes the next version; gates keep the one that judged them."""
    project = access.find_project(actor, slug, MANAGE)
    newest, name, _ = _versions(project, key)[0]
    if key in SHIPPED:
        raise Refused("policy_shipped", "A policy of Crucible does not change. Begin a new one like it.", 409)
    begun = policy_values(newest) | {"label": name}
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=begun)
    return _edit(request, actor, project, form, newest)


def _edit(
    request: HttpRequest, actor: Actor, project: Project, form: PolicyForm, newest: Policy | None = None
) -> HttpResponseBase:
    refusal = None
    if form.is_valid():
        try:
            saved = _save(actor, project, form, newest, request.POST.get("seen", ""))
            messages.success(request, f"{saved.label}, version {saved.version}, was saved.")
            return redirect("sessions:gate_policy", project.slug, saved.key)
        except Refused as refused:
            refusal = refused
    status = refusal.status if refusal else 422 if form.errors else 200
    context: dict[str, Any] = {"form": form, "newest": newest, "refusal": refusal, "tab": "settings"}
    return show(request, actor, project, "policies/edit.html", context, status)


def _save(actor: Actor, project: Project, form: PolicyForm, newest: Policy | None, seen: str) -> GatePolicy:
    name, rules = form.cleaned_data["label"], form.rules()
    if newest is None:
        return gate_policies.create_policy(actor, project, name, rules)
    return gate_policies.save_policy(actor, project, newest.key, name, rules, number_in(seen))


def _versions(project: Project, key: str) -> Sequence[tuple[Policy, str, GatePolicy | None]]:
    """(policy, its name, the row that says who made it and when), newest first; one that comes along has no row. Raises
    Http404."""
    if key in SHIPPED:
        return [(SHIPPED[key], label("gate_policy", key), None)]
    rows = GatePolicy.objects.filter(project=project, key=key).select_related("created_by").order_by("-version")
    found = [(Policy(row.key, row.version, **row.rules), row.label, row) for row in rows]
    if not found:
        raise Http404
    return found
