from django.urls import include, path

from sessions.views import (
    analytics,
    artifacts,
    findings,
    keys,
    members,
    models,
    new_session,
    notifications,
    offers,
    projects,
    pull_requests,
    rosters,
    session,
    settings,
    templates,
)

pages = [
    path("projects/<slug:slug>/rosters/", rosters.listing, name="rosters"),
    path("projects/<slug:slug>/rosters/new/", rosters.new, name="new_roster"),
    path("projects/<slug:slug>/rosters/import/", rosters.bring_in, name="import_roster"),
    path("rosters/<uuid:code>/", rosters.roster, name="roster"),
    path("rosters/<uuid:code>/roster.yaml", rosters.as_yaml, name="roster_yaml"),
    path("rosters/<uuid:code>/delete/", rosters.delete, name="delete_roster"),
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/members/", members.members, name="members"),
    path("projects/<slug:slug>/invite/", members.invite, name="invite"),
    path("invitations/<uuid:code>/revoke/", members.revoke_invitation, name="revoke_invitation"),
    path("projects/<slug:slug>/settings/", settings.settings, name="settings"),
    path("projects/<slug:slug>/providers/", settings.providers, name="project_providers"),
    path("projects/<slug:slug>/retention/", settings.retention, name="retention"),
    path("projects/<slug:slug>/export/", settings.export, name="export_project"),
    path("projects/<slug:slug>/export/<uuid:code>.zip", settings.download_export, name="download_export"),
    path("projects/<slug:slug>/notifications/", notifications.notifications, name="notifications"),
    path("projects/<slug:slug>/webhook/", notifications.webhook, name="webhook"),
    path("projects/<slug:slug>/repository/", pull_requests.repository, name="repository"),
    path("projects/<slug:slug>/delete/", settings.delete, name="delete_project"),
    path("projects/<slug:slug>/keys/", keys.keys, name="keys"),
    path("keys/<uuid:code>/revoke/", keys.revoke, name="revoke_key"),
    path("projects/<slug:slug>/artifacts/", artifacts.listing, name="artifacts"),
    path("artifacts/<uuid:code>/", artifacts.artifact, name="artifact"),
    path("artifacts/<uuid:code>/download/", artifacts.download, name="download"),
    path("artifacts/<uuid:code>/delete/", artifacts.delete, name="delete_artifact"),
    path("projects/<slug:slug>/new/", new_session.new_session, name="new"),
    path("projects/<slug:slug>/templates/", templates.listing, name="templates"),
    path("sessions/<uuid:code>/template/", templates.save, name="save_template"),
    path("templates/<uuid:code>/rename/", templates.rename, name="rename_template"),
    path("templates/<uuid:code>/delete/", templates.delete, name="delete_template"),
    path("sessions/<uuid:code>/", session.detail, name="detail"),
    path("sessions/<uuid:code>/live/", session.live, name="live"),
    path("sessions/<uuid:code>/panes/", session.panes, name="panes"),
    path("sessions/<uuid:code>/again/", session.again, name="again"),
    path("sessions/<uuid:code>/findings/<int:number>/<slug:what>/", findings.change, name="finding"),
    path("sessions/<uuid:code>/export.md", session.export, {"form": "md"}, name="markdown"),
    path("sessions/<uuid:code>/export.json", session.export, {"form": "json"}, name="json"),
    path("sessions/<uuid:code>/export.sarif", session.export, {"form": "sarif"}, name="sarif"),
    path("sessions/<uuid:code>/analytics/", analytics.overview, name="analytics"),
    *(
        path(
            f"sessions/<uuid:code>/analytics/{what}.{form}",
            analytics.download,
            {"what": what, "form": form},
            name=f"{what}_{form}",
        )
        for what, form in analytics.DOWNLOADS
    ),
    path("sessions/<uuid:code>/delete/", session.delete, name="delete_session"),
    *(
        path(f"sessions/<uuid:code>/{action}/", session.act, {"action": action}, name=action)
        for action in session.ACTIONS
    ),
]
# The registry belongs to the installation, not to a project.
registry_pages = [
    path("models/", models.listing, name="models"),
    path("models/connect/<slug:maker>/", models.tile, name="tile"),
    path("models/at/<slug:name>/", models.provider, name="provider"),
    path("models/at/<slug:name>/offers/", offers.offers, name="offers"),
    path("models/at/<slug:name>/test/", models.check, name="check_models"),
    path("models/m/<path:pk>/", models.model, name="model"),
]
urlpatterns = [
    path("", projects.home, name="home"),
    path("", include(([*pages, *registry_pages], "sessions"))),
]
