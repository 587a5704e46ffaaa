"""The one table of this app: numbers of committed transactions that quoth is yet to hear of."""

from django.db import models


class UnconfirmedNumbers(models.Model):
    """Numbers that a transaction has reserved, written in that same transaction.

    A committed row says that the numbers are used. It goes when quoth has been told, an instant
    after the commit; what is older than `due` was left by a process that died, and anybody may tell
    quoth in its place.

    The deletion of a sequence is such a row, too: of no numbers, with a token below 0 that tells it
    from all others; `first_value` is how many numbers the sequence had.
    """

    store = models.CharField(max_length=255)  # the alias in QUOTH
    sequence_name = models.TextField()
    token = models.BigIntegerField()  # of the reservation
    first_value = models.BigIntegerField()
    count = models.PositiveIntegerField()
    holder = models.TextField()  # as the journal will name it
    due = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "quoth"
        constraints = [  # noqa: RUF012
            models.UniqueConstraint(fields=["store", "token"], name="quoth_unconfirmed_token")
        ]

    @property
    def is_deletion(self) -> bool:
        """Whether a sequence is to be deleted."""
        return int(self.count) == 0

    def __str__(self) -> str:
        if self.is_deletion:
            return f"the deletion of {self.sequence_name}"
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"{self.sequence_name} {self.first_value}{more}"
