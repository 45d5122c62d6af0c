from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crucible_sessions", "0005_decisions_and_opinions"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="estimate",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
