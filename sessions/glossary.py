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
        ("converged", "Agreed", "Enough instances agree on every key finding, be it that it is wrong."),
        ("diverged", "Not agreed", "The instances ended without agreeing on every key finding."),
        ("quorum_lost", "Too few answered", "Fewer instances gave a usable answer than are needed."),
        ("certified", "Certified", "Enough instances say that every mandatory criterion of the standard is met."),
        ("not_certified", "Not certified", "A criterion is not met, and too many instances or a veto say so."),
        ("inconclusive", "Inconclusive", "Too few instances took a side to say anything."),
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
    "gate_state": _topic(
        "States of a gate",
        ("withheld", "Withheld", "There is nothing to decide on: the session runs, or its evidence changed."),
        ("pending", "Waiting for a decision", "The policy proposes an outcome; somebody who may approve decides."),
        ("second_person", "Waiting for a second person", "One person decided; it takes another one to let it pass."),
        ("decided", "Decided", "It takes effect in ten minutes; until then whoever decided can take it back."),
        ("effective", "In effect", "Its outcome counts for everything that waits for it."),
        ("expired", "Expired", "Nobody decided in time, which is a fail."),
    ),
    "gate_outcome": _topic(
        "Outcomes of a gate",
        ("pass", "Pass", "What waits for it may go on."),
        ("fail", "Fail", "What waits for it stops here."),
    ),
    "gate_reason": _topic(
        "Why a gate has its outcome",
        ("blocking_finding", "Blocking finding", "It is serious enough to block, and more than one stands behind it."),
        ("unsettled_finding", "Unsettled finding", "It would block, and the instances do not agree on it."),
        ("quorum_lost", "Too few answered", "Fewer instances gave a usable answer than are needed."),
        ("read_in_part", "Not all was read", "An instance read only a part of the texts."),
        ("not_converged", "No agreement", "The instances ended without agreeing."),
        ("not_certified", "Not certified", "Not enough instances certify it."),
        ("veto", "Veto", "A critical criterion is not met, and a quote in the text shows it."),
        ("inconclusive", "Inconclusive", "Too few instances took a side."),
        ("single_assessor", "One instance only", "Only one instance answered; nobody else has looked."),
        ("low_confidence", "Low confidence", "The result is less certain than the policy asks for."),
        ("evidence_erased", "Evidence deleted", "Texts that it rests on were deleted."),
        ("cancelled", "Stopped", "Somebody ended the session before it was done."),
        ("raised_by_one", "Raised by one alone", "It would block, and nobody has confirmed it."),
        ("quote_not_found", "Quote not found", "It would block, and its quote does not stand in the text."),
        ("severity_disputed", "Only some rate it as blocking", "Others rate it lower; the median counts."),
        ("settled_by_people", "Settled by people", "It would block, and somebody set it aside or rated it lower."),
        ("answer_cut_off", "Answer cut off", "An instance was cut off and may miss findings."),
        ("approval_expired", "Nobody decided in time", "The time for a decision is over."),
        ("override_expired", "Override is over", "It held for a time only; the outcome before it counts again."),
        ("overridden", "Overridden", "A person put another outcome in the place of the policy's, with a reason."),
        ("rejected", "Rejected", "A person said no."),
    ),
    "gate_why": _topic(
        "Why a gate is withheld or was judged again",
        ("evidence_missing", "The session has not ended", "It is judged when the session comes to its end."),
        ("evidence_changed", "The evidence changed", "What was approved before counts no more; look at it again."),
        ("policy_changed", "Another policy", "Somebody had it judged by another policy."),
    ),
    "gate_act": _topic(
        "What people do at a gate",
        ("approve", "Approved", "Agreed to the outcome."),
        ("reject", "Rejected", "Said no."),
        ("override", "Overrode", "Put another outcome in its place, with a reason."),
    ),
    "gate_policy": _topic(
        "Policies of gates that come with Crucible",
        ("standard", "Standard", "Critical findings block; somebody has to approve every outcome."),
        ("ci", "CI", "As Standard, but a clean pass and every fail take effect at once."),
        ("strict", "Strict", "Major findings block, confidence has to be high, and a pass takes two people."),
    ),
    "role": _topic(
        "Roles of an instance",
        ("lead", "Lead", "Writes a short brief for the others first, then reviews."),
        ("reviewer", "Reviewer", "Reviews on its own."),
        ("synthesizer", "Synthesizer", "Reviews, then writes the summary."),
    ),
    "stage": _topic(
        "Stages of a session",
        ("brief", "Brief", "The lead says what the review should cover."),
        ("review", "Review", "Every instance reads and reports on its own."),
        ("opinion", "Second opinion", "Instances that did not raise a finding check its claim and quote."),
        ("assess", "Assessment", "Every instance takes a position on every listed finding."),
        ("synthesis", "Synthesis", "One instance writes up what a round came to."),
        ("decision", "Decision", "One instance writes up what the rounds came to."),
        ("summary", "Summary", "One instance sums up the ranked findings."),
        ("certify", "Certification", "Every instance judges every criterion on its own."),
    ),
    "criterion": _topic(
        "What an instance says of a criterion",
        ("met", "Met", "The text shows that it is."),
        ("not_met", "Not met", "The text shows that it is not, or lacks what would have to be there."),
        ("not_applicable", "n/a", "It cannot apply to a text of this sort."),
        ("cannot_determine", "Cannot tell", "The text does not settle it."),
    ),
    "weight": _topic(
        "Weight of a criterion",
        ("mandatory", "Mandatory", "An instance that says it is not met refuses."),
        ("optional", "Optional", "It is answered, and decides nothing."),
        ("critical", "Critical for all", "Not met with a quote that proves it, it refuses the certificate for all."),
    ),
    "instance_verdict": _topic(
        "Verdict of an instance",
        ("certify", "Certifies", "Every mandatory criterion is met or does not apply."),
        ("refuse", "Refuses", "A mandatory criterion is not met."),
        ("abstain", "Abstains", "It cannot determine a mandatory criterion, or read only a part."),
    ),
    "verdict_reason": _topic(
        "Why a certification ended as it did",
        ("with_dissent", "with dissent", "Enough certify, and somebody refuses."),
        ("veto", "vetoed", "A critical criterion is not met, and a quote in the text proves it."),
        ("rule_missed", "too few certify", "Fewer certify than the rule asks for."),
        ("quorum_missed", "too few took a side", "Abstentions and missing answers leave too few to decide."),
        ("single_certifier", "one instance alone", "One instance decides nothing unless it is allowed to."),
    ),
    "rule": _topic(
        "Who must certify",
        ("unanimous", "Everyone", "All who take a side."),
        ("supermajority", "Two thirds", "Two of three who take a side."),
        ("majority", "More than half", "More than half of those who take a side."),
    ),
    "certificate": _topic(
        "What a certificate is worth",
        ("valid", "Valid", "It is about the newest version of what was judged."),
        ("superseded", "Superseded", "It is genuine and no longer about what there is now."),
        ("new_version", "Newer version", "What was judged has a newer version."),
        ("judged_again", "Judged again", "The session came to another verdict later."),
        ("withheld_simulated", "No certificate: simulated", "Demo models certify in the demo project only."),
    ),
    "agreement": _topic(
        "What models say of a finding together",
        ("accepted", "Models agree", "Enough instances say that it is true."),
        ("rejected", "Models reject", "Enough instances say that it is not true."),
        ("contested", "Disputed", "The instances contradict each other."),
        ("undecided", "Too few answers", "Fewer instances took a side than are needed to say anything."),
    ),
    "ending": _topic(
        "Why a deliberation ended",
        ("converged", "Enough agree", "Every key finding is settled, by instances who saw it as it is."),
        ("max_rounds", "Last round over", "It had as many rounds as it may have."),
        ("stalled", "Nobody moves", "Nothing new came and the positions stayed as they were."),
        ("budget", "Limit of cost", "Another round would cost more than is left."),
        ("quorum_lost", "Too few answered", "A round was repeated and again too few instances answered."),
        ("single_assessor", "One instance only", "There was nobody to agree or to disagree with."),
    ),
    "stance": _topic(
        "Positions of models",
        ("agree", "Agrees", "The claim is true as it stands."),
        ("amend", "Agrees in part", "The claim is true, and something about it should change."),
        ("disagree", "Disagrees", "The claim is not true."),
        ("abstain", "No side taken", "The instance cannot tell."),
        ("missing", "No answer", "The instance gave no usable answer in this round."),
        ("omitted", "Left out", "The instance answered and skipped this finding."),
        ("not_shown", "Not asked", "The instance had not seen this finding yet, or took no part in this round."),
    ),
    "amended": _topic(
        "What an instance would change about a finding it agrees with in part",
        ("severity", "Severity", "It is graver or less grave than it says."),
        ("wording", "Wording", "The words should be others, the claim stays."),
        ("scope", "Scope", "It holds for less or for more than it says."),
        ("suggestion", "Suggestion", "What to do about it should be something else."),
        ("location", "Place", "It is at another place."),
    ),
    "threshold": _topic(
        "Who must agree",
        ("everyone", "Everyone", "All instances that take a side."),
        ("three_quarters", "Three quarters", "Three quarters of the instances that take a side."),
        ("more_than_half", "More than half", "More than half of the instances that take a side."),
    ),
    "confidence": _topic(
        "How sure a result is",
        ("high", "High", "Unanimous, of several makers, seen independently by two at first, with proof."),
        ("medium", "Medium", "Three quarters or more agree, with proof."),
        ("low", "Low", "Less agreement, or no proof."),
        ("undetermined", "Cannot be said", "Too few instances took a side."),
    ),
    "confidence_cap": _topic(
        "What makes a result less sure",
        ("one_family", "One maker only", "Models of one maker err together."),
        ("single_assessor", "One instance only", "Nobody else has looked."),
        ("conformity", "Changed side without a reason", "Most who joined the majority named no reason."),
        ("void_round", "A round was repeated", "Too few answered at first."),
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
        ("member", "Member", "Also brings artifacts and starts sessions."),
        ("approver", "Approver", "As a member; decides on gates."),
        ("moderator", "Moderator", "Also manages people and keys, and deletes artifacts and sessions."),
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
        ("certification", "Certification", "What every instance says of every criterion of a standard."),
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


def meaning(topic: str, api: str) -> str:
    """The sentence for a code; empty for one that is not in the glossary."""
    found = term(topic, api)
    return found.sentence if found else ""
