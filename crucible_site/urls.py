from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from crucible_site import themes, views
from crucible_site.api import api, models_api

handler403 = views.denied
handler404 = views.not_found
handler500 = views.failed

urlpatterns: list[URLPattern | URLResolver] = [
    # First what is asked most; the pages, which share no first word, last.
    path("api/", api.urls),
    path("v1/", models_api.urls),
    path("in/<str:token>/", views.login_link, name="login_link"),
    path("join/<str:token>/", views.join, name="join"),
    # Asked for by pages that are not our own: the console, the API reference. The file's name is known once collected.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("img/favicon.svg"))),
    path("theme/", themes.choose, name="theme"),
    path("healthz", views.health, name="health"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("sessions.urls")),
]
