"""The HTTP API of sessions, one router by noun; `crucible_site.api` mounts it under /api/v1."""

from ninja import Router

from sessions.api.artifacts import router as artifacts
from sessions.api.catalog import router as catalog
from sessions.api.events import router as events
from sessions.api.lifecycle import router as lifecycle
from sessions.api.projects import router as projects
from sessions.api.results import router as results
from sessions.api.rosters import router as rosters

__all__ = ["router"]

router = Router()
for part, tag in (
    (catalog, "models"),
    (projects, "projects"),
    (artifacts, "artifacts"),
    (rosters, "rosters"),
    (lifecycle, "sessions"),
    (results, "sessions"),
    (events, "sessions"),
):
    router.add_router("", part, tags=[tag])
