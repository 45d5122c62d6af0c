"""What pages, the API and exports read of a session: plain values, each function a fixed number of queries.

Words stand in Content rows and are resolved here. Where they were erased, `erased` is set and every text is empty.
"""

from sessions.queries.analytics import Analytics, InstanceFigures, StageFigures, analytics
from sessions.queries.coverage import Coverage, coverage_of
from sessions.queries.findings import (
    FoundFinding,
    Place,
    Wording,
    findings_and_notes,
    findings_of,
    reports_arriving,
    text_of,
)
from sessions.queries.lists import (
    EVENTS_AT_ONCE,
    ListedSession,
    LoggedEvent,
    events_after,
    projects_of,
    sessions_of,
    starter_of,
)
from sessions.queries.people import CommentView, OpinionView
from sessions.queries.seats import (
    SIMULATED,
    SeatView,
    WhoAnswered,
    charge_notice,
    seats_of,
    simulated_notice,
    who_answered,
)
from sessions.queries.standing import Standing, standing_of
from sessions.queries.together import Together, together

__all__ = [
    "Analytics", "CommentView", "Coverage", "EVENTS_AT_ONCE", "FoundFinding", "InstanceFigures", "ListedSession",
    "LoggedEvent", "OpinionView", "Place", "SIMULATED", "SeatView", "StageFigures", "Standing", "Together",
    "WhoAnswered", "Wording", "analytics", "charge_notice", "coverage_of", "events_after", "findings_and_notes",
    "findings_of", "projects_of", "reports_arriving", "seats_of", "sessions_of", "simulated_notice",
    "standing_of", "starter_of", "text_of", "together", "who_answered",
]  # fmt: skip
