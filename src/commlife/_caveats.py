"""Caveats are told at the host's own line, however deep in the library they are found."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

#: The library itself, and what stands between its own calls: a context manager is entered through contextlib, a name
#: that is loaded lazily through importlib.
_PASSED = ("commlife", "contextlib", "importlib")


def warn(caveat: str, category: type[Warning]) -> None:
    """Warn at the first line outside the library that led here.

    A level counted by hand is right for one way in, and points into the library as soon as a call moves: a user would
    then filter, or look for, a line that is not theirs.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and _name(frame.f_globals).partition(".")[0] in _PASSED:
        frame = frame.f_back
    warnings.warn_explicit(
        caveat,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=_name(frame.f_globals),
        # Where Python keeps which lines have had their warning: "once a line" then works as everywhere.
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _name(scope: dict[str, object]) -> str:
    return str(scope.get("__name__", "<string>"))
