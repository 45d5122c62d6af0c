from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Django's own app has the label `sessions`; ours must differ from the first migration on."""

    name = "sessions"
    label = "crucible_sessions"
    verbose_name = "Sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created
        from django.db.models.signals import post_migrate

        from sessions import append_only, checks, search_index  # noqa: F401 - registers the checks

        connection_created.connect(append_only.add_sqlite_function)
        post_migrate.connect(append_only.install, sender=self)
        post_migrate.connect(search_index.install, sender=self)
