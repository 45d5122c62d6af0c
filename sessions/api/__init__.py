"""The HTTP API of sessions, one router by noun; `crucible_site.api` mounts it under /api/v1."""

from ninja import Router

from sessions.api import artifacts, catalog, events, lifecycle, projects, results, rosters

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
    router.add_router("", part.router, tags=[tag])
