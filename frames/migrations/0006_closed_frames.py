"""What returned last in a project, for contexts: by an index instead of by sorting all of its frames."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("frames", "0005_pushed_imports")]

    operations = [
        migrations.AddIndex(
            model_name="frame",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", False)),
                fields=["project", "-closed_at", "-id"],
                name="frame_closed",
            ),
        ),
    ]
