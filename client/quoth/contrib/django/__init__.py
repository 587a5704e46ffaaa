"""Gapless numbers for Django projects: the app that takes the place of django-sequences.

    INSTALLED_APPS = [..., "quoth.contrib.django"]                  # then: manage.py migrate
    QUOTH = {"default": {"URLS": ["http://127.0.0.1:8080"], "DATABASE": "shop"}}

    from quoth.contrib.django.sequences import get_next_value

    with transaction.atomic():
        Invoice.objects.create(number=get_next_value("invoice_numbers"))

**The problem.** The number is in quoth and the row in a database of SQL. No step commits in both,
and a process can die between any two.

**What is done.** In a transaction the number is *reserved*, and a row of this app's own table
(UnconfirmedNumbers) says so, written in the same transaction as the row that has the number. So the
table is the judge: the number is used exactly if that row is committed.

* *Commit.* The number is confirmed right after it, and the row of this app is deleted.
* *Rollback, also to a savepoint.* The number is released at once, and the next caller gets it. If
  others were taken meanwhile it is void, and the journal says "rolled back".
* *The process dies before the commit.* The number is void when the lease ends (LEASE_SECONDS, 60),
  and the journal says so.
* *It dies between commit and confirmation, or quoth is away just then.* The row of this app is
  still there. The number is confirmed by `manage.py quoth_sequences recover`, or by any later
  commit once the lease is over. Until then the journal may call it void, too early: it is never
  given to another, and the late word puts it right.
* *The answer to COMMIT is lost.* Nothing is released; the row of this app tells, as above.
* *A transaction takes longer than the lease.* It keeps its number: late words are taken.

So no two committed rows ever have one number, and of all numbers from the first to the last each is
in a committed row or void with a reason: `manage.py quoth_sequences verify NAME --field
shop.Invoice.number` proves it.

**What differs from django-sequences.** Callers do not wait for each other, so a rollback may leave
a void number, which an auditor finds explained, where django-sequences has none at all. A number
is confirmed an instant after the commit: who reads the journal in between sees it reserved.
Deleting a sequence takes effect when the transaction is committed; nobody else may take numbers of
it meanwhile. On SQLite numbers cannot be taken in `atomic()` while autocommit is off.

**Outside of a transaction** a number is taken at once and for good: if the caller dies before it is
saved, the journal says that this project has it, and `verify --field` finds that no row does.
"""
