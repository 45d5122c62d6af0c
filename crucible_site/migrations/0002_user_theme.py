from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crucible_site", "0001_initial")]

    operations = [
        migrations.AddField(
            "user",
            "theme",
            models.CharField(
                choices=[("system", "System"), ("light", "Light"), ("dark", "Dark")], default="system", max_length=6
            ),
        ),
    ]
