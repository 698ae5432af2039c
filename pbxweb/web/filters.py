"""How templates write times, durations and sizes, in the reader's language and zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pbxweb.storage.database import utcnow

if TYPE_CHECKING:
    from babel import Locale


def clock(value: datetime | None) -> str | Markup:
    """A moment as a ``<time>``: today only the clock, else day and clock; "–" for None."""
    from flask_babel import format_date, format_datetime, format_time, to_user_timezone

    if value is None:
        return "–"
    local, today = to_user_timezone(value), to_user_timezone(utcnow())
    if local.date() == today.date():
        shown = format_time(value, "short")
    elif local.year == today.year:
        shown = f"{format_date(value, 'd. MMM' if _german() else 'MMM d')}, {format_time(value, 'short')}"
    else:
        shown = format_datetime(value, "short")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), format_datetime(value, "medium"), shown
    )


def _german() -> bool:
    from flask_babel import get_locale

    locale = get_locale()
    return bool(locale and locale.language == "de")


def timeformat(value: datetime, style: str = "medium") -> str:
    """A moment's clock in the reader's zone and language; lists have hundreds, and most of them again and again."""
    from flask_babel import get_locale, get_timezone

    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return _time(moment.astimezone(get_timezone()).time().replace(microsecond=0), style, get_locale() or "en")


@lru_cache(maxsize=4096)
def _time(local: time, style: str, locale: Locale | str) -> str:
    from babel.dates import format_time

    return str(format_time(local, style, locale=locale))


def duration(seconds: float | timedelta | None) -> str:
    """Seconds as ``0:07``, ``3:25`` or ``1:02:03``; "–" for None."""
    if seconds is None:
        return "–"
    total = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    hours, rest = divmod(max(0, total), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def ticking(since: datetime | None) -> str | Markup:
    """The time since a moment, which the page keeps counting by itself (``static/js/app.js``)."""
    if since is None:
        return "–"
    return Markup('<span class="tick" data-since="{}">{}</span>').format(
        int(since.timestamp() * 1000), duration((utcnow() - since).total_seconds())
    )


def filesize(size: float | None) -> str:
    """Bytes as people say it: ``12.3 GB`` (powers of 1000, the reader's decimal sign)."""
    from flask_babel import format_decimal

    if size is None:
        return "–"
    value, units = float(size), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{format_decimal(value, '#,##0.#' if value < 100 else '#,##0')} {units[0]}"


def span(seconds: float | None) -> str:
    """A long time as people say it, rounded: "3 days", "5 hours", "2 minutes"."""
    from flask_babel import ngettext

    # In our own words: Babel's would load three megabytes of units for this one line.
    if seconds is None:
        return "–"
    if seconds >= 1.2 * 86400:
        return str(ngettext("%(num)s day", "%(num)s days", round(seconds / 86400)))
    if seconds >= 1.2 * 3600:
        return str(ngettext("%(num)s hour", "%(num)s hours", round(seconds / 3600)))
    if seconds >= 1.2 * 60:
        return str(ngettext("%(num)s minute", "%(num)s minutes", round(seconds / 60)))
    return str(ngettext("%(num)s second", "%(num)s seconds", max(1, round(seconds))))


def moment(text: str) -> datetime | None:
    """An ISO text as a moment; None when it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def init_app(app: Any) -> None:
    """Make the filters known to every template of ``app``."""
    app.jinja_env.filters.update(
        clock=clock,
        timeformat=timeformat,
        duration=duration,
        ticking=ticking,
        bytes=filesize,
        span=span,
        moment=moment,
    )
