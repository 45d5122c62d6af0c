"""What commands say of a database that cannot be worked on: a sentence, before anything else."""

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


class PreparedCommand(BaseCommand):
    """A command that needs every table as it is now."""

    requires_migrations_checks = True

    def check_migrations(self) -> None:
        """Raises CommandError. Django itself would print a warning and go on to a traceback."""
        try:
            executor = MigrationExecutor(connection)
            behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}") from error
        if behind:
            raise CommandError("The database is not prepared. Run `make run` once, or `python manage.py migrate`.")
