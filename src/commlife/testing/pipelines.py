"""Is a function from a log to one row a user sound: determined, blind to row order and names, and to the future?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect
from commlife.errors import CommlifeError
from commlife.testing._examples import as_code
from commlife.testing.strategies import log_of

__all__ = ["check_pipeline"]

_AS_OF = "2025-03-15"
#: How often a broken pipeline is tried again for a smaller example.
_MOST_CALLS = 40


def check_pipeline(fn: Callable[..., Any]) -> None:
    """Try a function that gives one row a user on logs that careless code stumbles over.

    It must give the same answer twice, not depend on the order of rows, rename its rows and change nothing else when
    users are renamed, and not look at lines at or after ``as_of``.

    Args:
        fn: Called as ``fn(log, as_of=...)`` with an :class:`~commlife.OrderLog` and an ISO day; returns a frame with
            the column ``user_id``, one row a user.

    Raises:
        AssertionError: At the first promise that is broken, with the log's rows as code to paste.

    Examples:
        >>> import commlife as cl
        >>> check_pipeline(cl.purchase_summary)
        >>> check_pipeline(lambda log, as_of: cl.purchase_summary(log, as_of="2025-06-01"))
        Traceback (most recent call last):
        AssertionError: lines at or after as_of changed the answer: ...
    """
    for seed in range(3):
        rows = _rows(seed)
        told = _broken(fn, rows, seed)
        if told:
            fewest = _fewest(fn, rows, seed, told.split(":", 1)[0])
            raise AssertionError(f"{_broken(fn, fewest, seed) or told}\n\nThe rows:\n{as_code(fewest)}")


def _broken(fn: Callable[..., Any], rows: pd.DataFrame, seed: int) -> str:
    """The first promise that is broken on these rows; empty where all are kept."""
    before = rows[rows["ordered_at"] < pd.Timestamp(_AS_OF)]
    try:
        wanted = _answer(fn, before)
        _compare(wanted, _answer(fn, before), "called twice, the answers differ")
        shuffled = before.sample(frac=1.0, random_state=seed)
        _compare(wanted, _answer(fn, shuffled), "the order of rows changed the answer")
        _compare(wanted, _answer(fn, rows), "lines at or after as_of changed the answer")
        # Reversed in the alphabet, so that whoever came first comes last.
        names = sorted(before["user_id"].unique())
        renamed = dict(zip(names, [f"r{len(names) - i:03d}" for i in range(len(names))], strict=True))
        other = before.assign(user_id=before["user_id"].map(renamed))
        back = {new: old for old, new in renamed.items()}
        _compare(wanted, _answer(fn, other, back), "other names for the same users changed the answer")
    except AssertionError as error:
        return str(error)
    return ""


def _fewest(fn: Callable[..., Any], rows: pd.DataFrame, seed: int, promise: str) -> pd.DataFrame:
    """Few rows that break the same promise: parts are left out, ever smaller ones, while it stays broken."""
    size, calls = len(rows) // 2, 0
    while size and calls < _MOST_CALLS:
        start = 0
        while start < len(rows) and calls < _MOST_CALLS:
            less = rows.drop(rows.index[start : start + size])
            calls += 1
            if len(less) and _broken(fn, less, seed).startswith(promise):
                rows = less
            else:
                start += size
        size //= 2
    return rows


def _rows(seed: int) -> pd.DataFrame:
    """A small log with ties, refunds, split orders and lines after as_of."""
    rng = np.random.default_rng(seed)
    n = 60
    order = rng.integers(0, n // 2, n)
    owner = rng.integers(0, 12, n // 2 + 1)
    day = rng.integers(0, 100, n // 2 + 1)  # some of them later than as_of
    day[:3] = 73  # on as_of itself
    amount = rng.choice([3.0, 5.0, 5.0, 12.5, 99.9, 0.0, -5.0], n)
    return pd.DataFrame(
        {
            "user_id": [f"u{owner[o]:02d}" for o in order],
            "order_id": order,
            "ordered_at": pd.Timestamp("2025-01-01").as_unit("us") + pd.to_timedelta(day[order], unit="D"),
            "amount": amount,
            "quantity": np.ones(n),
            "item_id": [f"item-{i}" for i in rng.integers(0, 9, n)],
            "category": [f"category-{i}" for i in rng.integers(0, 3, n)],
            "community": [f"community-{owner[o] % 2}" for o in order],
        }
    )


def _answer(fn: Callable[..., Any], rows: pd.DataFrame, names: dict[str, str] | None = None) -> pd.DataFrame:
    try:
        table = collect(nw.from_native(fn(log_of(rows), as_of=_AS_OF)))
    except CommlifeError as error:
        raise AssertionError(f"the pipeline refused a sound log: {error}") from error
    if "user_id" not in table.columns:
        raise AssertionError(f"the pipeline returns no column user_id, but {', '.join(table.columns)}")
    if table["user_id"].duplicated().any():
        raise AssertionError("the pipeline returns a user twice; it must give one row a user")
    if names is not None:
        table["user_id"] = table["user_id"].map(names)
    return table.sort_values("user_id", ignore_index=True)


def _compare(wanted: pd.DataFrame, found: pd.DataFrame, broken: str) -> None:
    try:
        pd.testing.assert_frame_equal(wanted, found, rtol=1e-9, atol=1e-9)
    except AssertionError as error:
        raise AssertionError(f"{broken}:\n{error}") from None
