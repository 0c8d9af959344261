from django.db import migrations, models

import stackmemory.lib.jsontext


class Migration(migrations.Migration):
    dependencies = [
        ("frames", "0004_agents"),
    ]

    operations = [
        migrations.AddField(
            model_name="transfer",
            name="report",
            field=stackmemory.lib.jsontext.OrderedJSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="kind",
            field=models.CharField(
                choices=[("import", "Import"), ("mirror", "Mirror")],
                default="import",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="state",
            field=models.CharField(
                choices=[
                    ("receiving", "Receiving"),
                    ("waiting", "Waiting"),
                    ("checking", "Checking"),
                    ("running", "Running"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                default="waiting",
                max_length=10,
            ),
        ),
    ]
