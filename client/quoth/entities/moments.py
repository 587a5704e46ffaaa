"""Dates, times and time spans as the texts that all clients of RavenDB write.

Seconds have seven digits after the point; Python keeps six of them, the last is cut off.
"""

from datetime import UTC, date, datetime, time, timedelta

from quoth.entities.mismatch import Mismatch, expected


def write_datetime(moment: datetime) -> str:
    """UTC says so with a Z, a naive time stays naive.

    >>> write_datetime(datetime(2026, 1, 2, 3, 4, 5, 6))
    '2026-01-02T03:04:05.0000060'
    """
    if moment.tzinfo is None:
        return moment.isoformat(timespec="microseconds") + "0"
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise Mismatch(f"{moment.isoformat()} is out of range in UTC") from None
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "0Z"


def write_time(moment: time) -> str:
    """
    >>> write_time(time(3, 4, 5, 6))
    '03:04:05.0000060'
    """
    text = moment.replace(tzinfo=None).isoformat()
    zone = moment.isoformat()[len(text) :]
    return text + ("0" if moment.microsecond else "") + zone


def write_timedelta(span: timedelta) -> str:
    """
    >>> write_timedelta(timedelta(days=1, seconds=61))
    '1.00:01:01'
    """
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06d}0" if span.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def read_datetime(value: object) -> datetime:
    """A moment from its text; a date alone is its midnight."""
    if type(value) is str and value[4:5] == "-" == value[7:8]:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise expected("a date and time", value)


def read_date(value: object) -> date:
    """A day from its text; from that of a moment, its day."""
    if type(value) is str and value[4:5] == "-" == value[7:8]:
        try:
            return datetime.fromisoformat(value).date()
        except ValueError:
            pass
    raise expected("a date", value)


def read_time(value: object) -> time:
    """A time of day from its text."""
    if type(value) is str and value[2:3] == ":":
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    raise expected("a time of day", value)


def read_timedelta(value: object) -> timedelta:
    """A time span from its text, `days.hours:minutes:seconds.fraction`."""
    if type(value) is str:
        sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
        try:
            front, minutes, seconds = text.split(":")
            days, _, hours = front.rpartition(".")
            whole, _, fraction = seconds.partition(".")
            return sign * timedelta(
                days=int(days or 0),
                hours=int(hours),
                minutes=int(minutes),
                seconds=int(whole),
                microseconds=int(fraction[:6].ljust(6, "0")),
            )
        except (ValueError, OverflowError):
            pass
    raise expected("a time span", value)
