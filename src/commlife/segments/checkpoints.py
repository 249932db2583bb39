"""Checkpoints: what was true of each user again and again in the past, and since when it has been so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife import _engine

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Checkpoints"]

#: Most checkpoints: a user's past is held as bits of one whole number.
MOST = 52


@dataclass(frozen=True)
class Checkpoints:
    """Days ``as_of - k * step`` for ``k = 0, 1, ...``, each with the window of whole steps before it.

    Attributes:
        as_of: The newest checkpoint.
        step: Days from one to the next.
        width: Steps that a window is long.
        number: How many checkpoints.
    """

    as_of: int
    step: int
    width: int
    number: int

    def rolled(self, rows: nw.LazyFrame[Any], keys: Sequence[str], sums: Sequence[str]) -> nw.LazyFrame[Any]:
        """Sums of whole-number columns by keys and checkpoint ``k``, over the window before each.

        The rows are first brought together by step of time, so that each is read once.
        """
        blocks = self.blocked(rows, keys, sums)
        spread = [(block, block - j) for block in range(self.number + self.width - 1) for j in range(self.width)]
        table = pd.DataFrame([pair for pair in spread if 0 <= pair[1] < self.number], columns=["block", "k"])
        table = table.astype("int64")
        beside = blocks.join(_engine.lazy_like(table, blocks, types={"block": "block"}), on="block", how="inner")
        return _whole(beside.group_by(*keys, "k").agg(*(nw.col(name).sum() for name in sums)), ["k", *sums])

    def blocked(self, rows: nw.LazyFrame[Any], keys: Sequence[str], sums: Sequence[str]) -> nw.LazyFrame[Any]:
        """Sums by keys and ``block``: 0 is the newest step before ``as_of``."""
        oldest = self.as_of - self.step * (self.number + self.width - 1)
        recent = rows.filter(nw.col("day") >= oldest)
        block = ((self.as_of - 1 - nw.col("day")) // self.step).cast(nw.Int64)
        recent = recent.with_columns(block.alias("block"))
        return _whole(recent.group_by(*keys, "block").agg(*(nw.col(name).sum() for name in sums)), sums)

    def lasting(self, values: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """The newest value of each user, since when she has had it, and what she had before.

        Args:
            values: user_id, k, value (a text) and further columns; one row a user and checkpoint at most.

        Returns:
            The rows of ``k = 0`` with ``since_day`` (the first checkpoint of the unbroken run of equal values) and
            ``changed_from`` (the value one checkpoint before that, null where there was none).
        """
        newest = values.filter(nw.col("k") == 0).drop("k")
        held = newest.select("user_id", nw.col("value").alias("_newest"))
        alike = values.select("user_id", "k", "value").join(held, on="user_id", how="inner")
        alike = alike.filter(nw.col("value") == nw.col("_newest"))
        # One bit a checkpoint at which the value was that of now: the run is the number of ones at the low end.
        bits = pd.DataFrame({"k": range(self.number), "bit": [2**k for k in range(self.number)]}).astype("int64")
        marked = alike.join(_engine.lazy_like(bits, alike, types={"k": "k"}), on="k", how="inner")
        mask = _whole(marked.group_by("user_id").agg(nw.col("bit").sum().alias("mask")), ["mask"])
        ones = [(nw.col("mask") % 2 ** (k + 1) == 2 ** (k + 1) - 1).cast(nw.Int64) for k in range(self.number)]
        runs = _engine.settle(mask.with_columns(reduce(add, ones).alias("run")).select("user_id", "run"))
        earlier = values.select("user_id", "k", nw.col("value").alias("changed_from"))
        before = earlier.join(runs, on="user_id", how="inner").filter(nw.col("k") == nw.col("run"))
        whole = newest.join(runs, on="user_id", how="left")
        whole = whole.join(before.select("user_id", "changed_from"), on="user_id", how="left")
        return whole.with_columns((self.as_of - (nw.col("run") - 1) * self.step).cast(nw.Int64).alias("since_day"))


def _whole(frame: nw.LazyFrame[Any], names: Sequence[str]) -> nw.LazyFrame[Any]:
    return frame.with_columns(nw.col(*names).cast(nw.Int64))
