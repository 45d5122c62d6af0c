"""Every word that stands for a code: its label on screen, one plain sentence, and its name in API, exports and events.

Pages (`{% term %}`, `|label`), exports and `docs/glossary.md` read this one table. What is not in it is not shown.
What models say of a finding and what people do about it never share a word: models agree or reject, people fix or
dismiss.
"""

from dataclasses import dataclass

from sessions.engine.errors import ERRORS


@dataclass(frozen=True, slots=True)
class Term:
    """`api` is the code in API, exports and events."""

    api: str
    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What belongs together, under a heading that says whose words these are."""

    heading: str
    terms: tuple[Term, ...]


def _topic(heading: str, *rows: tuple[str, str, str]) -> Topic:
    return Topic(heading, tuple(Term(*row) for row in rows))


GLOSSARY: dict[str, Topic] = {
    "status": _topic(
        "States of a session",
        ("draft", "Draft", "Not started; no model was asked."),
        ("queued", "Queued", "Due; the next free worker takes it."),
        ("running", "Running", "In the hands of a worker; models are being asked."),
        ("waiting", "Waiting for you", "It stopped at a limit you set and goes on when somebody says so."),
        ("completed", "Completed", "Ended; the page says first when an instance is missing."),
        ("failed", "Failed", "No instance gave a usable answer."),
        ("cancelled", "Stopped", "Somebody ended it; what was answered is kept."),
        ("needs_attention", "Needs attention", "Its worker died three times at the same step."),
    ),
    "outcome": _topic(
        "Outcomes of a session",
        ("single_assessor", "One instance only", "Only one instance answered; nobody else has looked."),
    ),
    "waiting_for": _topic(
        "What a session waits for",
        ("cap", "Your soft limit", "The next call could cost more than the limit at which you want to be asked."),
    ),
    "severity": _topic(
        "Severities",
        ("blocker", "Blocker", "It must not be used as it is."),
        ("critical", "Critical", "Serious harm or loss is likely."),
        ("major", "Major", "Wrong in a case that will occur."),
        ("minor", "Minor", "Wrong with limited effect."),
        ("info", "Info", "Worth knowing; nothing has to change."),
    ),
    "family": _topic(
        "Families of findings",
        ("security", "Security", "Somebody could read, change or do what they must not."),
        ("correctness", "Correctness", "It does or says something wrong."),
        ("performance", "Performance", "It takes too long or too much."),
        ("reliability", "Reliability", "It breaks when something around it does."),
        ("consistency", "Consistency", "Two places contradict each other."),
        ("completeness", "Completeness", "Something that has to be there is missing."),
        ("clarity", "Clarity", "It can be understood in more than one way, or not at all."),
        ("legal", "Legal", "It breaks a law, a license or a contract."),
        ("data", "Data", "Values are wrong, missing or in the wrong shape."),
        ("style", "Style", "It works, and is not how it is written here."),
        ("other", "Other", "None of the families fits."),
    ),
    "flag": _topic(
        "Marks on a finding",
        ("injection", "Addresses a model", "A wording speaks to a language model instead of to people."),
        ("simulated", "Simulated", "Only demo models had a part in it: no model read the file."),
        ("severity_disputed", "Ratings differ", "The instances rate it two or more levels apart; this is the median."),
    ),
    "seat": _topic(
        "States of an instance",
        ("waiting", "Waiting", "Not asked yet."),
        ("thinking", "Thinking", "Asked; its answer is awaited or arriving."),
        ("retrying", "Asking again", "The last try failed; the next one is due."),
        ("answered", "Answered", "Its answer is in."),
        ("summing_up", "Summing up", "It writes the summary."),
        ("judging", "Checking", "It gives a second opinion on a finding of others."),
        ("done", "Done", "Nothing more is asked of it."),
        ("missing", "Missing", "It gave no usable answer; the reason stands beside it."),
        ("stopped", "Stopped", "The session ended while it was being asked."),
    ),
    "model": _topic(
        "States of a model",
        ("works", "Works", "It answered when it was tested last."),
        ("untested", "Not tested", "Nobody has asked it yet."),
        ("failed", "Does not work", "It gave no answer when it was tested last; the reason stands beside it."),
        ("no_key", "No key", "Its provider has no key here."),
        ("disabled", "Switched off", "An operator took it out of use."),
        ("simulated", "Simulated", "A demo model: it answers by rules, reads nothing and costs nothing."),
        ("removed", "Removed", "It was taken out of the registry; sessions it took part in keep it."),
    ),
    "role": _topic(
        "Roles of an instance",
        ("lead", "Lead", "Writes a short brief for the others first, then reviews."),
        ("reviewer", "Reviewer", "Reviews on its own."),
        ("synthesizer", "Synthesizer", "Reviews, then writes the summary."),
    ),
    "stage": _topic(
        "Stages of a review",
        ("brief", "Brief", "The lead says what the review should cover."),
        ("review", "Review", "Every instance reads and reports on its own."),
        ("opinion", "Second opinion", "Instances that did not raise a finding check its claim and quote."),
        ("summary", "Summary", "One instance sums up the ranked findings."),
    ),
    "agreement": _topic(
        "What models say of a finding together",
        ("accepted", "Models agree", "Enough instances say that it is true."),
        ("rejected", "Models reject", "Enough instances say that it is not true."),
        ("contested", "Disputed", "The instances contradict each other."),
        ("undecided", "Too few answers", "Fewer instances took a side than are needed to say anything."),
    ),
    "opinion": _topic(
        "Second opinions of models",
        ("confirmed", "Confirmed", "An instance that had not raised it says that it is true."),
        ("refuted", "Refuted", "An instance that had not raised it says that it is not true."),
        ("cannot_tell", "Cannot tell", "What it was shown does not decide it."),
    ),
    "disposition": _topic(
        "What people do about a finding",
        ("open", "Open", "Nobody has decided yet."),
        ("to_fix", "To fix", "Somebody looked, and it has to change."),
        ("dismissed", "Dismissed", "Somebody looked, and nothing will change; the reason stands beside it."),
        ("fixed", "Fixed", "Somebody changed it."),
    ),
    "dismissal": _topic(
        "Why people dismiss a finding",
        ("wrong", "Wrong", "It is not true of this text."),
        ("known", "Known", "It is true and was known before."),
        ("not_now", "Not now", "It is true and has to wait."),
        ("style", "Matter of style", "It is true and does not matter here."),
    ),
    "standing": _topic(
        "Findings against the earlier version",
        ("still", "Still there", "It was found in the earlier version too."),
        ("new", "New", "It was not found in the earlier version."),
        ("fixed", "Fixed since", "Its quote is gone, and nobody raised it again."),
        ("unraised", "Not raised again", "Its quote still stands, but nobody raised it this time."),
    ),
    "member": _topic(
        "Roles of people in a project",
        ("viewer", "Viewer", "Reads."),
        ("member", "Member", "Also brings artifacts and starts reviews."),
        ("approver", "Approver", "As a member; decides on gates once there are some."),
        ("moderator", "Moderator", "Also manages people and keys, and deletes artifacts and reviews."),
        ("owner", "Owner", "Also makes owners and deletes the project."),
    ),
    "artifact": _topic(
        "Kinds of artifact",
        ("code", "Code", "A source file; places are lines."),
        ("document", "Document", "A text for people; places are headings, clauses or paragraphs."),
        ("data", "Data", "A table or a list of values."),
        ("diff", "Diff", "A change; the change is judged, not the text around it."),
    ),
    "field": _topic(
        "Headings",
        ("who_answered", "Who answered", "How many instances gave a usable answer, and why the others did not."),
        ("coverage", "What each model read", "The part of each text that fitted, and what it says it examined."),
        ("seen_by", "Seen only by it", "Findings that no other instance raised."),
        ("confirmed_findings", "Confirmed by people", "Findings that somebody marked to fix or fixed."),
    ),
    "error": Topic(
        "Why a call or a session failed",
        tuple(Term(code, failure.sentence, failure.next_step) for code, failure in ERRORS.items()),
    ),
}  # fmt: skip

_BY_CODE = {(key, term.api): term for key, topic in GLOSSARY.items() for term in topic.terms}


def term(topic: str, api: str) -> Term | None:
    """None for a code that is not in the glossary, which is then not shown. KeyError for a topic that is none."""
    if topic not in GLOSSARY:
        raise KeyError(topic)
    return _BY_CODE.get((topic, api))


def label(topic: str, api: str) -> str:
    """For people; empty for a code that is not in the glossary."""
    found = term(topic, api)
    return found.label if found else ""
