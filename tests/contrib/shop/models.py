"""The invoices of the shop."""

from django.db import models


class Invoice(models.Model):
    """What must be numbered without gaps."""

    series = models.CharField(max_length=100)
    number = models.BigIntegerField()

    class Meta:
        constraints = [  # noqa: RUF012
            models.UniqueConstraint(fields=["series", "number"], name="one_invoice_a_number")
        ]


class Payment(models.Model):
    """What refers to an invoice; databases look at that when a transaction is committed."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE)
    at = models.DateField(null=True)
