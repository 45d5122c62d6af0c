"""Gates: what a policy makes of a session, and what people decide. Reading decides nothing; every decision is a POST
that names what its maker was shown."""

from typing import Annotated, Any, Literal
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field, StringConstraints

from sessions import access
from sessions.access import APPROVE, MANAGE, WRITE, Actor
from sessions.actions import gates as actions
from sessions.actions.errors import Refused
from sessions.actions.gate_policies import Rules, save_policy
from sessions.actions.gate_refusals import MOST_CHARACTERS, MOST_HOURS
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, replies
from sessions.api.lifecycle import IdempotencyKey
from sessions.api.once import once_only
from sessions.engine.policy import Policy
from sessions.models import Gate, Project, Session
from sessions.queries.gates import gate_of, policies_of, policy_labels, proposal_of
from sessions.reports.gates import gate_data, policy_data

router = Router()

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class ReasonOut(Schema):
    code: str
    findings: list[str]
    letters: list[str]


class DecisionOut(Schema):
    """`act` is approve, reject or override; `part` whether somebody decided alone or as the first or second of two.
    `by` is the person's name, or what stands before the @ of their address. `was` is the outcome it was about, `to`
    the one decided on; `scope` the reasons that an override overrides, `hours` how long it holds, null for ever.
    `self_approved`: by whoever started the session."""

    act: str
    part: str
    was: str
    to: str
    by: str
    at: str
    version: int
    self_approved: bool
    scope: list[ReasonOut]
    hours: int | None
    reason: str


class PolicyRulesOut(Schema):
    """`automatic`: a clean pass and every fail take effect at once. `two_people`: a pass takes two. `hours`: how long
    it waits for people."""

    key: str
    version: int
    block_severity: str
    min_confidence: str
    automatic: bool
    two_people: bool
    hours: int


class PolicyOut(PolicyRulesOut):
    label: str


class PoliciesOut(Schema):
    policies: list[PolicyOut]


class GateOut(Schema):
    """`state` is withheld, pending, second_person, decided, effective or expired. `effective` is what counts
    downstream: pass, fail, or empty while nothing does. `outcome` is that of the state: proposed while it is pending,
    decided while it can be undone, else effective. `details` says which findings and instances the `reasons` speak of;
    `proposed` is the policy's own outcome whatever people decided. `decided_by`, and `seconded_by` where it took two,
    name whose decision waits to take effect or is in effect; empty where no person's is. Send `shown` back with a
    decision: it is good for one, on this evidence. `asked` is false when nobody asked for a gate; then this is what the
    policy would propose."""

    state: str
    outcome: str
    effective: str
    because: str
    why: str
    asked: bool
    version: int
    to: str
    decided_by: str
    seconded_by: str
    shown: str
    reasons: list[str]
    proposed: str
    details: list[ReasonOut]
    needs_person: list[ReasonOut]
    two_people: bool
    policy: PolicyRulesOut
    expires_at: str | None
    effective_at: str | None
    override_until: str | None
    decisions: list[DecisionOut]


class Judging(Body):
    policy: Key


class Deciding(Body):
    """`shown` as the gate has it: somebody faster, or other evidence, gives 409 and nothing is decided. An override
    takes `to`, a `reason` of at least 20 characters, and for a pass the `hours` it holds, null for ever. Approving and
    undoing take neither."""

    act: Literal["approve", "reject", "override", "undo"]
    shown: str = Field(max_length=64)
    to: Literal["", "pass", "fail"] = ""
    reason: str = Field("", max_length=MOST_CHARACTERS)
    hours: int | None = Field(None, ge=1, le=MOST_HOURS)


class NewPolicy(Rules):
    key: Key
    label: str = Field(max_length=80)


@router.get("/sessions/{uuid:code}/gate", response=replies(200, GateOut))
def get_gate(request: HttpRequest, code: UUID, policy: str = "") -> dict[str, Any]:
    """The gate as it stands. With `policy`, what that one would propose: no model is asked and nothing is changed."""
    session = access.find_session(actor_of(request), code)
    if policy:
        return gate_data(proposal_of(session, _known(session.project, policy)))
    return gate_data(gate_of(session))


@router.post("/sessions/{uuid:code}/gate", response=replies(200, GateOut))
def judge_session(
    request: HttpRequest, response: HttpResponse, code: UUID, body: Judging, idempotency_key: IdempotencyKey = ""
) -> dict[str, Any]:
    """Ask for a gate, or have the session judged again by another policy, which takes an approver. No model is
    asked. Refused where that would undo a person's decision or make a pass easier."""
    actor = actor_of(request)
    session = access.find_session(actor, code, WRITE)
    once_only(request, response, actor, lambda: actions.judge_session(actor, session, body.policy).revision)
    return _shown(session)


@router.post("/sessions/{uuid:code}/gate/decisions", response=replies(200, GateOut))
def decide_gate(
    request: HttpRequest, response: HttpResponse, code: UUID, body: Deciding, idempotency_key: IdempotencyKey = ""
) -> dict[str, Any]:
    """Approve, reject or override, and undo within ten minutes, after which it takes effect."""
    actor = actor_of(request)
    session = access.find_session(actor, code, APPROVE)
    once_only(request, response, actor, lambda: _decide(actor, session, body).revision)
    return _shown(session)


@router.get("/projects/{slug:slug}/gate-policies", response=replies(200, PoliciesOut))
def list_policies(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Those shipped, and the newest version of each of the project's own."""
    return _policies(access.find_project(actor_of(request), slug))


@router.post("/projects/{slug:slug}/gate-policies", response=replies(201, PolicyOut))
def create_policy(request: HttpRequest, slug: str, body: NewPolicy) -> Status[dict[str, Any]]:
    """A policy of the project, or the next version of one. Gates keep the version that judged them."""
    actor = actor_of(request)
    project = access.find_project(actor, slug, MANAGE)
    rules = Rules(**body.model_dump(exclude={"key", "label"}))
    row = save_policy(actor, project, body.key, body.label, rules)
    return Status(201, policy_data(Policy(row.key, row.version, **row.rules), row.label))


def _decide(actor: Actor, session: Session, body: Deciding) -> Gate:
    if body.act == "approve":
        return actions.approve(actor, session, body.shown)
    if body.act == "reject":
        return actions.reject(actor, session, body.shown, body.reason)
    if body.act == "override":
        _check_fresh(actor)
        return actions.override(actor, session, body.shown, body.to, body.reason, body.hours)
    return actions.undo(actor, session, body.shown)


def _check_fresh(actor: Actor) -> None:
    """The page asks for password or passkey before an override; a cookie alone gets no further here."""
    if actor.key is None and get_adapter().get_reauthentication_methods(actor.user):
        raise Refused("sign_in_again", "Override on the page, which asks for your password, or use an API key.", 403)


def _policies(project: Project) -> dict[str, Any]:
    names = policy_labels(project)
    return {"policies": [policy_data(policy, names[key]) for key, policy in policies_of(project).items()]}


def _known(project: Project, key: str) -> Policy:
    known = policies_of(project)
    if key not in known:
        raise Refused("policy_unknown", f"There is no gate policy {key[:40]!r}. Known: {', '.join(known)}.", 422)
    return known[key]


def _shown(session: Session) -> dict[str, Any]:
    session.refresh_from_db()
    return gate_data(gate_of(session))
