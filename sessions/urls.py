from django.urls import include, path

from sessions.views import artifacts, keys, new_session, projects, session

pages = [
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/members/", projects.members, name="members"),
    path("projects/<slug:slug>/settings/", projects.settings, name="settings"),
    path("projects/<slug:slug>/delete/", projects.delete, name="delete_project"),
    path("projects/<slug:slug>/keys/", keys.keys, name="keys"),
    path("keys/<uuid:code>/revoke/", keys.revoke, name="revoke_key"),
    path("projects/<slug:slug>/artifacts/", artifacts.listing, name="artifacts"),
    path("artifacts/<uuid:code>/", artifacts.artifact, name="artifact"),
    path("artifacts/<uuid:code>/download/", artifacts.download, name="download"),
    path("artifacts/<uuid:code>/delete/", artifacts.delete, name="delete_artifact"),
    path("projects/<slug:slug>/new/", new_session.new_session, name="new"),
    path("sessions/<uuid:code>/", session.detail, name="detail"),
    path("sessions/<uuid:code>/live/", session.live, name="live"),
    path("sessions/<uuid:code>/export.md", session.export, {"form": "md"}, name="markdown"),
    path("sessions/<uuid:code>/export.json", session.export, {"form": "json"}, name="json"),
    path("sessions/<uuid:code>/delete/", session.delete, name="delete_session"),
    *(
        path(f"sessions/<uuid:code>/{action}/", session.act, {"action": action}, name=action)
        for action in session.ACTIONS
    ),
]
urlpatterns = [
    path("", projects.home, name="home"),
    path("", include((pages, "sessions"))),
]
