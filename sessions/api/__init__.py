"""The HTTP API of sessions, one router by noun; `crucible_site.api` mounts it under /api/v1."""

from ninja import Router

from sessions.api.artifacts import router as artifact_router
from sessions.api.catalog import router as model_router
from sessions.api.certification import router as certification_router
from sessions.api.deliberation import router as deliberation_router
from sessions.api.estimates import router as estimate_router
from sessions.api.events import router as event_router
from sessions.api.findings import router as finding_router
from sessions.api.forking import router as forking_router
from sessions.api.gates import router as gate_router
from sessions.api.lifecycle import router as session_router
from sessions.api.projects import router as project_router
from sessions.api.pull_requests import router as pull_request_router
from sessions.api.results import router as result_router
from sessions.api.rosters import router as roster_router
from sessions.api.search import router as search_router
from sessions.api.settings import router as settings_router
from sessions.api.templates import router as template_router

__all__ = ["router"]

router = Router()
for part, tag in (
    (model_router, "models"),
    (project_router, "projects"),
    (settings_router, "projects"),
    (artifact_router, "artifacts"),
    (pull_request_router, "artifacts"),
    (roster_router, "rosters"),
    (template_router, "templates"),
    (session_router, "sessions"),
    (forking_router, "sessions"),
    (estimate_router, "sessions"),
    (result_router, "sessions"),
    (finding_router, "findings"),
    (gate_router, "gates"),
    (certification_router, "certification"),
    (deliberation_router, "deliberation"),
    (event_router, "sessions"),
    (search_router, "search"),
):
    router.add_router("", part, tags=[tag])
