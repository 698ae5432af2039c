"""What can go wrong while a change goes live, in words for the person who made it."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask_babel import gettext

from pbxweb.asterisk.ami_messages import AmiError, AmiFailed, AmiRefused, NotConnected
from pbxweb.asterisk.control import ControlError
from pbxweb.security.errors import Invalid, Refused, Unavailable

if TYPE_CHECKING:
    from pbxweb.asterisk.check import Problem
    from pbxweb.asterisk.conf import ConfValueError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
SHOWN = 3


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the disk or Asterisk says inside the block into a Refused; everything else passes."""
    try:
        yield
    except ControlError as error:
        raise ami_refused(NotConnected(str(error))) from error
    except OSError as error:
        raise disk_refused(error) from error
    except AmiError as error:
        raise ami_refused(error) from error


def disk_refused(error: OSError) -> Refused:
    """The disk does not do what it has to."""
    if error.errno in FULL:
        return Unavailable(gettext("The disk is full. Nothing was changed; free some space and try again."))
    where = str(error.filename or "")
    if error.errno in FORBIDDEN:
        return Unavailable(
            gettext(
                "The files for Asterisk cannot be written (%(path)s). Nothing was changed; "
                "give pbxweb's user the right to write there.",
                path=where,
            )
        )
    return Unavailable(
        gettext(
            "The files for Asterisk cannot be written (%(reason)s). Nothing was changed.",
            reason=error.strerror or str(error),
        )
    )


def not_put_back(error: OSError) -> Refused:
    """The worst case, told as it is."""
    return Unavailable(
        gettext(
            "The change failed, and the previous files for Asterisk could not be put back (%(reason)s). "
            "The database is unchanged. Mend the disk, then run: python app.py config apply",
            reason=error.strerror or str(error),
        )
    )


def ami_refused(error: AmiError) -> Refused:
    """Asterisk did not answer, or said no."""
    if isinstance(error, AmiFailed | AmiRefused):
        return Refused(
            gettext(
                "Asterisk did not accept the change, so nothing was changed. It said: %(reason)s", reason=str(error)
            )
        )
    return Unavailable(
        gettext(
            "Asterisk stopped answering while the change was made, so nothing was changed. Try again in a few seconds."
        )
    )


def value_refused(error: ConfValueError) -> Refused:
    """A value that no configuration file can hold."""
    if error.field:
        return Invalid({_camel(error.field): error.reason}, f"{error.field}: {error.reason}")
    return Refused(gettext("Asterisk cannot be given this: %(reason)s", reason=error.reason))


def problems_refused(problems: Sequence[Problem]) -> Refused:
    """The configuration would name things that do not exist."""
    shown = "; ".join(f"{problem.message} ({problem.file}:{problem.line})" for problem in problems[:SHOWN])
    more = len(problems) - SHOWN
    if more > 0:
        shown += " " + gettext("and %(number)s more", number=more)
    return Refused(gettext("This would not work, so nothing was changed: %(problems)s", problems=shown))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
