"""The review templates that come along: who looks at what, and how strictly. Models are not part of them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TemplateSeat:
    """`model_id` is empty where the seat takes whichever model there is."""

    name: str
    focus: str
    role: str = "reviewer"
    model_id: str = ""
    temperature: float | None = None
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class ReviewTemplate:
    """`key` names it in addresses and the API; `params` are those of a review that differ from the usual."""

    key: str
    label: str
    sentence: str
    seats: tuple[TemplateSeat, ...]
    params: dict[str, Any] = field(default_factory=dict)


REVIEW_TEMPLATES: dict[str, ReviewTemplate] = {
    template.key: template
    for template in (
        ReviewTemplate(
            "code-change",
            "Code change",
            "A diff or a source file before it is merged.",
            (
                TemplateSeat(
                    "Behaviour",
                    "Run every changed line in your head with concrete values: empty, zero, negative, very large,"
                    " duplicate, out of order, another time zone or encoding. Report where the result differs from what"
                    " the name, the comment or a caller promises, and name the input that shows it.",
                ),
                TemplateSeat(
                    "Failure",
                    "Assume that every call can fail, time out, be retried, or run twice at once. Look for swallowed"
                    " errors, half-done writes, leaked handles and locks, races, loops without a bound, and queries or"
                    " requests inside of loops.",
                ),
                TemplateSeat(
                    "Release",
                    "Read it as the person who ships and maintains it: callers, stored data and public interfaces that"
                    " the change breaks; the order of migration and deployment; tests that are missing or were"
                    " weakened; names and comments that no longer say what happens.",
                ),
            ),
        ),
        ReviewTemplate(
            "security",
            "Security",
            "How it can be attacked, and what is lost then.",
            (
                TemplateSeat(
                    "Untrusted input",
                    "Follow everything an outsider controls (parameters, headers, files, names, stored text, model"
                    " output) to where it is used: queries, shells, paths, templates, deserialisers, regular"
                    " expressions, outgoing requests. Give the payload and the line where it takes effect.",
                ),
                TemplateSeat(
                    "Identity and rights",
                    "For every action ask who may do it and where that is checked: missing or late checks, objects"
                    " of others reached by id, roles raised by a request, sessions and tokens that outlive their"
                    " purpose, comparisons that leak by time, cross-site requests.",
                ),
                TemplateSeat(
                    "Secrets and data",
                    "Keys and passwords in code, logs, errors and addresses; personal data kept or sent without need;"
                    " weak or home-made cryptography, predictable randomness, transport that is not verified; unsafe"
                    " defaults, debug switches, permissions of files, dependencies with known holes.",
                ),
            ),
            {"second_opinion": "lone_critical"},
        ),
        ReviewTemplate(
            "api-design",
            "API design",
            "An interface before others depend on it.",
            (
                TemplateSeat(
                    "First caller",
                    "Write the first three calls of a newcomer from this text alone. Report what cannot be known"
                    " (types, units, required or not, defaults, order, limits), names that mislead, and two ways of"
                    " saying the same thing.",
                ),
                TemplateSeat(
                    "Failure and retry",
                    "For each operation: which errors can come, how a program tells them apart, and what is safe to"
                    " repeat. Look for missing idempotency, lost updates, partial success without a report, paging"
                    " that skips or repeats, missing limits and timeouts.",
                ),
                TemplateSeat(
                    "Five years on",
                    "What cannot be changed later without breaking callers: closed enums, booleans that will need a"
                    " third value, identifiers and orders that leak storage, fields that mix two meanings, no place"
                    " for versions. Say how to leave the door open.",
                ),
            ),
        ),
        ReviewTemplate(
            "contract",
            "Contract",
            "An agreement before it is signed.",
            (
                TemplateSeat(
                    "Duties and risk",
                    "For each party: what must it do, by when, and what follows if it does not? Look for duties"
                    " without a counterpart, unlimited or one-sided liability, indemnities, penalties, warranties that"
                    " cannot be kept, and insurance that does not match.",
                ),
                TemplateSeat(
                    "Words",
                    "Read for precision: defined terms used otherwise or never, undefined terms that carry weight,"
                    " clauses that contradict each other or an annex, dead cross-references, dates and sums that do"
                    " not add up, 'reasonable' and 'promptly' where a number is needed.",
                ),
                TemplateSeat(
                    "Term and exit",
                    "How it starts, changes, renews and ends: automatic renewal, notice periods, termination rights"
                    " of one side only, price changes, assignment, governing law and venue; and what happens to data,"
                    " intellectual property, confidentiality and payments afterwards.",
                ),
            ),
            {"second_opinion": "lone_critical"},
        ),
        ReviewTemplate(
            "spec",
            "Spec or PRD",
            "Requirements before somebody builds them.",
            (
                TemplateSeat(
                    "Builder",
                    "You have to build this on Monday. Report every decision the text leaves to you: missing states,"
                    " limits, error cases, permissions, formats, migrations, behaviour at the same time and offline;"
                    " and requirements that cannot hold together.",
                ),
                TemplateSeat(
                    "Tester",
                    "Turn each requirement into a check that passes or fails. Report those for which you cannot:"
                    " no number, no condition, no observable result, words such as fast, easy, intuitive; and what no"
                    " requirement covers although a promise in the text depends on it.",
                ),
                TemplateSeat(
                    "User and purpose",
                    "Who is this for, what do they do today, and does each requirement serve that? Report claims"
                    " without evidence, users left out (first use, accessibility, other languages, operators, abuse),"
                    " success that is not measured, and scope that does not follow from the goal.",
                ),
            ),
        ),
        ReviewTemplate(
            "data",
            "Data and SQL",
            "Queries, schemas and data sets.",
            (
                TemplateSeat(
                    "Right answer",
                    "Does each query return what its name says? Look for joins that multiply or drop rows, NULL in"
                    " comparisons, NOT IN and aggregates, filters in the wrong place, off-by-one date ranges and time"
                    " zones, integer division, grouping that hides rows, results that depend on an order not asked"
                    " for.",
                ),
                TemplateSeat(
                    "Shape of the data",
                    "Types, keys and constraints: values that should be impossible and are not, missing uniqueness"
                    " and foreign keys, units and currencies mixed in a column, sentinel values, encodings, duplicates,"
                    " outliers and gaps in the rows shown, personal data without need.",
                ),
                TemplateSeat(
                    "Load and change",
                    "At a hundred times the rows: full scans, missing or unused indexes, functions on indexed columns,"
                    " unbounded results, locks held long, migrations that rewrite or block a table; statements that"
                    " lose data, are not reversible, or are not safe to run twice.",
                ),
            ),
        ),
    )
}
