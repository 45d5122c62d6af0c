"""What pages, the API and exports read of a session: plain values, each function a fixed number of queries.

Words stand in Content rows and are resolved here. Where they were erased, `erased` is set and every text is empty.
"""

from sessions.queries.analytics import Analytics, InstanceFigures, StageFigures, analytics
from sessions.queries.findings import FoundFinding, Place, Wording, findings_of, reports_arriving, text_of
from sessions.queries.lists import EVENTS_AT_ONCE, ListedSession, LoggedEvent, events_after, sessions_of
from sessions.queries.seats import SIMULATED, SeatView, WhoAnswered, seats_of, simulated_notice, who_answered

__all__ = [
    "EVENTS_AT_ONCE", "SIMULATED", "Analytics", "FoundFinding", "InstanceFigures", "ListedSession", "LoggedEvent",
    "Place", "SeatView", "StageFigures", "WhoAnswered", "Wording", "analytics", "events_after", "findings_of",
    "reports_arriving", "seats_of", "sessions_of", "simulated_notice", "text_of", "who_answered",
]  # fmt: skip
