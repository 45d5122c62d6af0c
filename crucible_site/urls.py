from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from crucible_site import views
from crucible_site.api import api, models_api

handler403 = views.denied
handler404 = views.not_found
handler500 = views.failed

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("sessions.urls")),
    path("in/<str:token>/", views.login_link, name="login_link"),
    path("healthz", views.health, name="health"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("v1/", models_api.urls),
]
