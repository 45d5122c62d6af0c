import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crucible_sessions", "0013_fork")]

    operations = [
        migrations.AddField(
            model_name="participant",
            name="fallback",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crucible_sessions.languagemodel",
            ),
        ),
    ]
