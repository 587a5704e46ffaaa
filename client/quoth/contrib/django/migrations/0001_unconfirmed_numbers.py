"""Makes the table of UnconfirmedNumbers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True

    dependencies: list[tuple[str, str]] = []  # noqa: RUF012

    operations = [  # noqa: RUF012
        migrations.CreateModel(
            name="UnconfirmedNumbers",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("store", models.CharField(max_length=255)),
                ("sequence_name", models.TextField()),
                ("token", models.BigIntegerField()),
                ("first_value", models.BigIntegerField()),
                ("count", models.PositiveIntegerField()),
                ("holder", models.TextField()),
                ("due", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("store", "token"), name="quoth_unconfirmed_token"
                    )
                ],
            },
        ),
    ]
