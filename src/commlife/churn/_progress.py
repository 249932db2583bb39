"""Progress: a bar on work that takes more than a few seconds, and only where somebody sits at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["watched"]

#: Seconds of work before a bar is shown at all.
_DELAY = 3.0


def watched(work: Sequence[int], what: str) -> Iterable[int]:
    """The items of ``work``, with a bar where standard error is a terminal."""
    import sys

    if len(work) < 2 or sys.stderr is None or not sys.stderr.isatty():
        return work
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(work, desc=what, delay=_DELAY, leave=False)
    return bar
