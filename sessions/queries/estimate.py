"""What a session will send where, cost and take: known before the click, and kept with the session to be compared with
what came."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from django.db.models.functions import Now

from billing.pricing import Price, dollars
from sessions.engine.patterns.certification import CertificationSpec
from sessions.engine.patterns.deliberation import DeliberationSpec
from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.reading import Reading
from sessions.engine.roster import Member, Source
from sessions.engine.text import estimate_tokens, extent
from sessions.forecast import EVERY_TIME, Forecast, PlannedCall, Seated, Usage, forecast, planned_calls, unanswered
from sessions.forks import Fork
from sessions.models import ArtifactVersion, Attempt, LanguageModel, ModelPrice, Participant, Project, Session
from sessions.providers.hosts import host_of_model
from sessions.providers.locality import is_own_server
from sessions.queries.analytics import percentile
from sessions.queries.standards import standard_named
from sessions.seats import Seat, check_seats, letters
from sessions.specs import CertificationParams, DeliberationParams, ReviewParams, member_of, read_sources

RECENT_SESSIONS, KEPT_SECONDS = 100, 60
NO_SEED = "00" * 32  # fences have the same length whatever the seed


@dataclass(frozen=True, slots=True)
class Host:
    """Who receives the texts. `local`: a server of one's own. `models` are those asked there."""

    host: str
    local: bool
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A text as it is sent; `tokens` are estimated. The instances in `cut_for` read only its beginning."""

    name: str
    lines: int
    tokens: int = 0
    cut_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """`hosts` is empty when only demo models are seated: nothing is sent. Money is micro-credits, None when some
    provider bills at a price we do not know (`models_without_price`); `charged` is whether anybody sends a bill.
    `seconds` is the typical time. `notes` are sentences for people."""

    sent: tuple[Sent, ...]
    hosts: tuple[Host, ...]
    low: int | None
    typical: int | None
    high: int | None
    models_without_price: tuple[str, ...]
    charged: bool
    seconds: int
    notes: tuple[str, ...]


def estimate(
    project: Project,
    seats: Sequence[Seat],
    versions: Sequence[ArtifactVersion],
    params: Mapping[str, Any],
    *,
    kind: str = "review",
    context: Sequence[ArtifactVersion] = (),
    brief: str = "",
    settles: bool = False,
    fork: Fork | None = None,
) -> Estimate:
    """Of a session as somebody fills it in, `params` as the session would keep them. What a record answers, because it
    `settles` a review or is a `fork`, costs nothing. Raises Refused for a roster that could not be started."""
    models = check_seats(list(seats), project)
    named = [one.letter for one in fork.present] if fork else letters(len(seats))
    members = [
        member_of(Participant(letter=letter, **_typed(seat, models))) for letter, seat in zip(named, seats, strict=True)
    ]
    sources = [*(_source(version, False) for version in versions), *(_source(version, True) for version in context)]
    spec = _spec(project, kind, params, members, sources, brief)
    return _estimate(models, *_recorded(spec, settles=settles, fork=fork))


def estimate_of(session: Session, fork: Fork | None = None) -> dict[str, Any] | None:
    """Of a draft, as it is kept with the session: numbers, hosts and model ids, none of its words. `fork` says what
    the draft takes when it is one. None when a text it reads was erased."""
    seats = session.participants.filter(last_round=None).order_by("letter")
    rows = seats.select_related("language_model__provider", "fallback__provider")
    sources = read_sources([session.pk]).get(session.pk)
    if not sources:
        return None
    models = {model.pk: model for row in rows for model in (row.language_model, row.fallback) if model}
    brief = session.brief.text if session.brief else ""
    members = [member_of(row) for row in rows]
    spec = _spec(session.project, session.kind, session.params, members, sources, brief)
    settles = session.reuses_id is not None and fork is None
    found = asdict(_estimate(models, *_recorded(spec, settles=settles, fork=fork)))
    return {name: value for name, value in found.items() if name not in {"sent", "notes"}}


def start_line(estimate: Estimate) -> str:
    """`Sends parser.py (212 lines) to api.openai.com · about $0.04 ($0.02-$0.09) · about 1 minute`."""
    return " · ".join([_sends(estimate), _costs(estimate), about_time(estimate.seconds)])


def about_time(seconds: int) -> str:
    """`about 20 seconds`, `about 3 minutes`, `about 2 hours`: no more exact than it is known."""
    if seconds < 58:  # what rounds to a minute is called one
        return f"about {max(round(seconds / 5) * 5, 5)} seconds"
    count, unit = (round(seconds / 60), "minute") if seconds < 5_400 else (round(seconds / 3_600), "hour")
    return f"about {count} {unit}{'' if count == 1 else 's'}"


def _sends(estimate: Estimate) -> str:
    lines = sum(sent.lines for sent in estimate.sent)
    several = len(estimate.sent) > 1
    what = f"{len(estimate.sent)} texts" if several else "".join(sent.name for sent in estimate.sent)
    what = f"{what} ({lines:,} line{'' if lines == 1 else 's'})"
    if not estimate.hosts:
        return f"Sends {what} nowhere: demo models are simulated here"
    return f"Sends {what} to {_listed([host.host for host in estimate.hosts])}"


def _costs(estimate: Estimate) -> str:
    if not estimate.charged:
        return "nothing is charged"
    if estimate.typical is None:
        return f"cost unknown: no price for {_listed(estimate.models_without_price)}"
    low, high = dollars(estimate.low, about=True), dollars(estimate.high, about=True)
    return f"about {dollars(estimate.typical, about=True)} ({low}-{high})"


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _spec(
    project: Project,
    kind: str,
    params: Mapping[str, Any],
    members: Sequence[Member],
    sources: Sequence[Source],
    brief: str,
) -> Reading:
    read = {"members": tuple(members), "sources": tuple(sources), "title": "", "brief": brief, "nonce_seed": NO_SEED}
    return _SPECS[kind](project, params, read)


def _review_spec(project: Project, params: Mapping[str, Any], read: dict[str, Any]) -> Reading:
    return ReviewSpec(**read, **ReviewParams.model_validate(params).model_dump())


def _deliberation_spec(project: Project, params: Mapping[str, Any], read: dict[str, Any]) -> Reading:
    asked = DeliberationParams.model_validate(params)
    rules = asked.rules(tuple(member.letter for member in read["members"]))
    kept = asked.model_dump(include={"focus", "severity_floor", "max_findings", "block_severity"})
    only = frozenset(asked.only) if asked.only else None
    return DeliberationSpec(**read, **kept, rules=rules, only=only)


def _certification_spec(project: Project, params: Mapping[str, Any], read: dict[str, Any]) -> Reading:
    asked = CertificationParams.model_validate(params)
    standard = standard_named(project.pk, asked.standard, asked.version)
    return CertificationSpec(**read, **asked.model_dump(exclude={"standard", "version"}), standard=standard)


_SPECS: dict[str, Callable[[Project, Mapping[str, Any], dict[str, Any]], Reading]] = {
    "review": _review_spec,
    "deliberation": _deliberation_spec,
    "certification": _certification_spec,
}


Answered = Callable[[PlannedCall], int]


def _recorded(spec: Reading, *, settles: bool, fork: Fork | None) -> tuple[Reading, Answered]:
    """The spec, and how often a record answers each of its calls."""
    if fork and isinstance(spec, DeliberationSpec):
        spec = replace(spec, taken=fork.known)
    return spec, fork.answered if fork else _review_answers if settles else lambda call: 0


def _review_answers(call: PlannedCall) -> int:
    """A deliberation that settles a review finds its first round recorded."""
    return EVERY_TIME if call.stage in ("brief", "review") else 0


def _estimate(models: Mapping[str, LanguageModel], spec: Reading, answered: Answered) -> Estimate:
    seated = _seated(models)
    calls = unanswered(planned_calls(spec), answered)
    asked = {call.model_id: models[call.model_id] for call in calls}
    found = forecast(calls, seated)
    return Estimate(
        sent=tuple(_sent(spec, source) for source in spec.sources),
        hosts=_hosts(asked.values()),
        low=found.low,
        typical=found.typical,
        high=found.high,
        models_without_price=found.models_without_price,
        charged=any(seated[pk].bills for pk in asked),
        seconds=found.seconds,
        notes=tuple(_notes(spec, models, found)),
    )


def _hosts(models: Iterable[LanguageModel]) -> tuple[Host, ...]:
    found: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for model in models:
        if not model.simulated:
            base_url = model.provider.base_url
            found[host_of_model(base_url, model.route), is_own_server(base_url)].add(model.pk)
    return tuple(Host(host, local, tuple(sorted(ids))) for (host, local), ids in sorted(found.items()))


def _notes(spec: Reading, models: Mapping[str, LanguageModel], found: Forecast) -> Iterable[str]:
    yield from _cuts(spec)
    for member in spec.members:
        if member.fallback and not member.fallback.simulated:
            stand_in = models[member.fallback.model_id]
            host = host_of_model(stand_in.provider.base_url, stand_in.route)
            yield f"Where {member.letter} does not answer, {stand_in.pk} at {host} reads it instead."
    if found.models_without_price:
        yield f"No price is known for {_listed(found.models_without_price)}."
    simulated = sorted(pk for pk, model in models.items() if model.simulated)
    if 0 < len(simulated) < len(models):  # of all, the start line says it
        yield f"{_listed(simulated)}: simulated, no model reads anything and nothing is charged."


def _cuts(spec: Reading) -> Iterable[str]:
    """Who reads only a part of what; those who read the same part in one sentence."""
    names = {source.ref: source.name for source in spec.sources}
    readers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for member in spec.members:
        for part in spec.read_by(member).values():
            if not part.whole:
                readers[names[part.ref], extent(part.lines, part.total)].append(member.letter)
    for (name, lines), who in readers.items():
        yield f"{_listed(who)} {'reads' if len(who) == 1 else 'read'} {lines} of {name}."


def _seated(models: Mapping[str, LanguageModel]) -> dict[str, Seated]:
    prices, usages = _prices(models), recent_usages(tuple(sorted(models)), int(time.monotonic() // KEPT_SECONDS))
    return {
        pk: Seated(
            model_id=pk,
            provider=model.provider.name,
            price=prices.get(pk),
            bills=_bills(model, prices.get(pk)),
            lanes=model.provider.max_concurrent,
            usage=usages.get(pk, {}),
        )
        for pk, model in models.items()
    }


def _bills(model: LanguageModel, price: Price | None) -> bool:
    """Whether somebody charges for it: a server of one's own does so only at a price that was entered."""
    if model.simulated:
        return False
    return not is_own_server(model.provider.base_url) or (price is not None and price.input + price.output > 0)


def _prices(model_ids: Iterable[str]) -> dict[str, Price]:
    """Those in force, by model."""
    rows = ModelPrice.objects.filter(language_model__in=model_ids, since__lte=Now()).order_by("since")
    return {
        row.language_model_id: Price(row.input_microcredits, row.output_microcredits, row.cached_input_microcredits)
        for row in rows
    }


@lru_cache(maxsize=64)
def recent_usages(model_ids: tuple[str, ...], period: int) -> dict[str, dict[str, Usage]]:
    """By model and stage, what the answers of the newest completed sessions took: a bounded number of rows, looked up
    once per `period`, because many sessions may start at once."""
    recent = Session.objects.filter(status="completed").order_by("-pk").values("pk")[:RECENT_SESSIONS]
    rows = Attempt.objects.filter(session__in=list(recent.values_list("pk", flat=True)), model_id__in=model_ids)
    answered = rows.filter(state="delivered", finished_at__isnull=False)
    fields = ("model_id", "step__path", "output_tokens", "started_at", "finished_at")
    tokens: dict[tuple[str, str], list[int]] = defaultdict(list)
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for model_id, path, output, started, finished in answered.values_list(*fields):
        key = (model_id, path.partition("/")[0])
        tokens[key].append(output)
        times[key].append(int((finished - started).total_seconds() * 1000))
    found: dict[str, dict[str, Usage]] = defaultdict(dict)
    for (model_id, stage), outputs in tokens.items():
        low, typical, high = (percentile(outputs, percent) or 0 for percent in (25, 50, 90))
        seconds = (percentile(times[model_id, stage], 50) or 0) / 1000
        found[model_id][stage] = Usage((low, typical, high), seconds)
    return found


def _typed(seat: Seat, models: Mapping[str, LanguageModel]) -> dict[str, Any]:
    seated = {"language_model": models[seat.model_id], "fallback": models.get(seat.fallback)}
    return seated | {"name": seat.name, "role": seat.role, "temperature": seat.temperature, "focus": seat.focus}


def _source(version: ArtifactVersion, context: bool) -> Source:
    artifact = version.artifact
    return Source(str(version.pk), artifact.name, artifact.kind, version.content.text, version.digest, context)  # type: ignore[arg-type]


def _sent(spec: Reading, source: Source) -> Sent:
    cut = tuple(member.letter for member in spec.members if not spec.read_by(member)[source.ref].whole)
    return Sent(source.name, _lines(source), estimate_tokens(source.text), cut)


def _lines(source: Source) -> int:
    return source.text.count("\n") + (source.text[-1:] not in ("", "\n"))
