"""What a gate policy says, rule by rule, in words and with the reason codes that each rule yields."""

from collections.abc import Callable
from dataclasses import dataclass

from sessions.engine.policy import Policy
from sessions.glossary import label


@dataclass(frozen=True, slots=True)
class Rule:
    """`codes` are those of `GET .../gate`, in its `reasons` or `needs_person`."""

    words: str
    codes: tuple[str, ...] = ()


def rules_of(policy: Policy) -> list[Rule]:
    """First what makes it fail, then what people have to do."""
    return [Rule(words if isinstance(words, str) else words(policy), codes) for words, codes in _RULES]


def _blocking(policy: Policy) -> str:
    return (
        f"{_severity(policy)} findings block: in a review when the quote is verified and a second instance or a person"
        " stands behind it, otherwise when the instances accept it."
    )


def _unsettled(policy: Policy) -> str:
    return f"A {_severity(policy).lower()} finding on which the instances take positions without agreeing blocks too."


def _confidence(policy: Policy) -> str:
    least = label("confidence", policy.min_confidence).lower()
    return f"A deliberation or certification has to be of {least} confidence{'' if least == 'high' else ' or more'}."


def _person(policy: Policy) -> str:
    if policy.automatic:
        return "A clean pass and every fail take effect at once. A pass that needs a person's eye waits for approval."
    return "Somebody has to approve every outcome, and is shown what needs a person's eye."


def _two(policy: Policy) -> str:
    if policy.two_people:
        return "A pass takes two people."
    return "One person can approve; overriding a veto or an open blocker takes two."


def _waiting(policy: Policy) -> str:
    return f"It waits {policy.hours:,} hour{'' if policy.hours == 1 else 's'} for people. Nobody deciding is a fail."


def _severity(policy: Policy) -> str:
    worst = policy.block_severity == "blocker"
    return label("severity", policy.block_severity) + ("" if worst else " or graver")


_RULES: tuple[tuple[str | Callable[[Policy], str], tuple[str, ...]], ...] = (
    (_blocking, ("blocking_finding",)),
    (_unsettled, ("unsettled_finding",)),
    (_confidence, ("low_confidence",)),
    ("Two thirds of the instances, and never fewer than two, have to answer.", ("quorum_lost", "single_assessor")),
    ("Who read only a part makes a review fail; in other sessions a person has to look.", ("read_in_part",)),
    (
        "The session has come to its end, in agreement where it is about one.",
        ("not_converged", "not_certified", "veto", "inconclusive", "cancelled"),
    ),
    ("The texts it rests on are still there.", ("evidence_erased",)),
    (_person, ("raised_by_one", "quote_not_found", "severity_disputed", "settled_by_people", "answer_cut_off")),
    (_two, ()),
    (_waiting, ("approval_expired",)),
    (
        "People can reject a pass, and override with a reason, for a time or for good.",
        ("rejected", "overridden", "override_expired"),
    ),
)
