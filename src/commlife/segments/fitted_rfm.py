"""FittedRFM: frozen cut points that score any log, or one user for a service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, model_validator

from commlife import _engine
from commlife._model import Fitted
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Duration, Timestamp, day_number
from commlife.orders.log import need_log
from commlife.segments.cuts import score_expression, score_of
from commlife.segments.drift import Drift, score_drift
from commlife.segments.purchases import DIMENSIONS, VALUES, purchases
from commlife.segments.segment_map import SegmentMap
from commlife.segments.summary import SegmentSummary, summarise

if TYPE_CHECKING:
    from commlife.orders import OrderLog
    from commlife.segments.rfm import RFM

__all__ = ["FittedRFM", "GroupCuts", "RFMScore"]

_NUMBERS = (int, float, np.integer, np.floating)
SCORES = {"recency": "r_score", "frequency": "f_score", "monetary": "m_score"}


class GroupCuts(BaseModel):
    """The cuts of one group: its value of ``by``, its payers when they were learned, the cuts of each dimension."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    group: str | int | float
    users: int
    cuts: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class RFMScore:
    """The scores of one user.

    Attributes:
        r_score: Recency, 1 to ``n_bins``; ``n_bins`` is the most recent.
        f_score: Frequency.
        m_score: Monetary value.
        rfm_code: The three scores as one text, such as ``"545"``.
        segment: Name of the segment.
        next_action: What to do with such users.
    """

    r_score: int
    f_score: int
    m_score: int
    rfm_code: str
    segment: str
    next_action: str


class FittedRFM(Fitted):
    """Frozen cuts: the same user gets the same scores today, next month and on every machine.

    Attributes:
        n_bins: Number of scores in each dimension.
        segment_map: The map from codes to segments, held in full.
        weights: Weights of the total score, None without one.
        by: The attribute whose groups have cuts of their own, None without.
        lookback: How far back orders count, None for all.
        monetary: ``"total"`` or ``"mean"``.
        lang: Language of the segments' names; None for the map's own.
        cuts: The cuts of each dimension (days, orders, major units of money) over all payers.
        group_cuts: The cuts of the groups that were large enough.
        score_counts: How many users had each score, 1 to ``n_bins``, when the cuts were learned.
        spec_json: The spec that learned them, None in a file of commlife 0.1.
        fitted_on: When and on how many users they were learned.
    """

    n_bins: int
    segment_map: SegmentMap
    weights: dict[str, float] | None
    by: str | None
    lookback: Duration | None
    monetary: Literal["total", "mean"]
    lang: Literal["en", "zh"] | None
    cuts: dict[str, tuple[float, ...]]
    group_cuts: tuple[GroupCuts, ...]
    score_counts: dict[str, tuple[int, ...]]
    spec_json: str | None = None

    # Format 1 did not keep the spec: its files load, with None.
    format_version: ClassVar[int] = 2

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for cuts in (self.cuts, *(group.cuts for group in self.group_cuts)):
            sound = set(cuts) == set(DIMENSIONS) and all(
                len(each) == self.n_bins - 1 and list(each) == sorted(each) and all(map(math.isfinite, each))
                for each in cuts.values()
            )
            if not sound:
                raise ConfigError(f"each dimension has {self.n_bins - 1} ascending cuts; seen {cuts!r:.80}.")
        if self.segment_map.n_bins != self.n_bins:
            raise ConfigError(
                f"the segment map has {self.segment_map.n_bins} scores, n_bins is {self.n_bins}."
                " Give a map of as many scores."
            )
        _ = self.spec  # a damaged one is told on loading
        return self

    @property
    def spec(self) -> RFM | None:
        """The spec that learned the cuts; None in a file of commlife 0.1, which did not keep it."""
        from commlife.segments.rfm import RFM

        return None if self.spec_json is None else RFM.from_json(self.spec_json)

    def transform(self, log: OrderLog, *, as_of: Timestamp) -> Any:
        """Score every payer of a log by the frozen cuts.

        Args:
            log: Any order log: the one of the fit, or a later one.
            as_of: The local business day before whose midnight orders count.

        Returns:
            A frame in the input's own kind, one row a payer: ``user_id, recency_days`` (from the last order that
            counts), ``frequency`` (orders that count), ``monetary`` (major units), ``r_score, f_score, m_score,
            rfm_code, segment``; ``rfm_score`` with weights; the column ``by`` where cuts differ by group.

        Raises:
            ConfigError: If the host did not name the column ``by``.
        """
        need_log(log, "FittedRFM.transform")
        return log.give(self._scored(log, day_number(as_of)))

    def score(
        self, *, recency_days: float, frequency: float, monetary: float, group: str | float | None = None
    ) -> RFMScore:
        """Score one user, for a service: a few comparisons, no frame.

        Args:
            recency_days: Local days since the last order that counts.
            frequency: Orders that count.
            monetary: Net spend in major units (its mean where the spec says so).
            group: The user's value of ``by``; a group without cuts of its own uses those of all.

        Raises:
            ConfigError: If a value is not a finite number, or a count of days or orders is below 0.
        """
        given = {"recency": recency_days, "frequency": frequency, "monetary": monetary}
        cuts = self._cuts_by_group.get(group, self.cuts) if group is not None else self.cuts
        digits = []
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, _NUMBERS) or not math.isfinite(value):
                raise ConfigError(f"{VALUES[name]} is a finite number; seen {value!r:.60}.")
            if value < 0 and name != "monetary":
                raise ConfigError(f"{VALUES[name]} is 0 or more; seen {value!r:.60}.")
            digits.append(score_of(value, cuts[name], reverse=name == "recency"))
        code = f"{digits[0]}{digits[1]}{digits[2]}"
        segment, action = self._segments[code]
        return RFMScore(digits[0], digits[1], digits[2], code, segment, action)

    def drift(self, log: OrderLog, *, as_of: Timestamp) -> Drift:
        """How a new population falls into the old cuts, with advice when to learn them again.

        Args:
            log: The order log of now.
            as_of: The local business day of now.

        Returns:
            The population stability index of each dimension against the users of the fit.

        Raises:
            InsufficientDataError: If nobody has an order that counts.
        """
        need_log(log, "FittedRFM.drift")
        scored = _engine.settle(self._scored(log, day_number(as_of)))
        now = {}
        for name in DIMENSIONS:
            table = _engine.collect(scored.group_by(SCORES[name]).agg(nw.len().alias("rows")))
            now[name] = np.bincount(table[SCORES[name]], weights=table["rows"], minlength=self.n_bins + 1)[1:]
        return score_drift(self.score_counts, now, fitted_as_of=self.fitted_on.as_of, as_of=as_of, lang=self.lang)

    def summary(self, log: OrderLog, *, as_of: Timestamp) -> SegmentSummary:
        """How many users and how much money each segment holds, with what to do.

        Args:
            log: Any order log.
            as_of: The local business day before whose midnight orders count.

        Raises:
            InsufficientDataError: If nobody has an order that counts.
        """
        need_log(log, "FittedRFM.summary")
        scored = self._scored(log, day_number(as_of))
        # Money goes back to whole minor units, so that sums are exact whatever the order of rows.
        minor = (nw.col("monetary") * log.scale).round().cast(nw.Int64)
        cells = _engine.collect(
            scored.with_columns(minor.alias("minor"))
            .group_by(*SCORES.values(), "rfm_code")
            .agg(
                nw.len().alias("users"),
                nw.col("minor").sum(),
                nw.col("recency_days").sum(),
                nw.col("frequency").sum(),
            )
        )
        if cells.empty:
            raise InsufficientDataError.no_payers("a summary of segments", as_of)
        return summarise(cells, self.segment_map, scale=log.scale, lang=self.lang)

    @cached_property
    def _cuts_by_group(self) -> dict[Any, dict[str, tuple[float, ...]]]:
        return {group.group: group.cuts for group in self.group_cuts}

    @cached_property
    def _segments(self) -> dict[str, tuple[str, str]]:
        return {
            code: (segment.label(self.lang), segment.next_action_zh if self.lang == "zh" else segment.next_action_en)
            for segment in self.segment_map.segments
            for code in segment.codes
        }

    def _scored(self, log: OrderLog, day: int) -> nw.LazyFrame[Any]:
        users = purchases(log, day, lookback=self.lookback, monetary=self.monetary, by=self.by)
        if self.group_cuts:
            users = self._with_group_cuts(users)
        scores = []
        for name in DIMENSIONS:
            value = nw.col(VALUES[name])
            cuts: list[Any] = list(self.cuts[name])
            if self.group_cuts:
                cuts = [nw.col(f"_{name}_{k}") for k in range(self.n_bins - 1)]
            scores.append(score_expression(value, cuts, reverse=name == "recency").alias(SCORES[name]))
        users = users.with_columns(*scores)
        number = nw.col("r_score") * 100 + nw.col("f_score") * 10 + nw.col("m_score")
        labels = self.segment_map.labels(self.lang)
        users = users.with_columns(number.alias("_code")).with_columns(
            nw.col("_code").cast(nw.String).alias("rfm_code"),
            nw.col("_code")
            .replace_strict([int(code) for code in labels], list(labels.values()), default=None, return_dtype=nw.String)
            .alias("segment"),
        )
        columns = ["user_id", *VALUES.values(), *SCORES.values(), "rfm_code", "segment"]
        if self.weights is not None:
            total = sum(self.weights.values())
            parts = [nw.col(SCORES[name]) * (weight / total) for name, weight in sorted(self.weights.items())]
            weighted = parts[0]
            for part in parts[1:]:
                weighted = weighted + part
            users = users.with_columns(weighted.alias("rfm_score"))
            columns.append("rfm_score")
        if self.by is not None:
            users = users.with_columns(nw.col("group").alias(self.by))
            columns.append(self.by)
        return users.select(*columns)

    def _with_group_cuts(self, users: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Beside each user the cuts of his group, or those of all."""
        table = pd.DataFrame({"group": [group.group for group in self.group_cuts]})
        overall = {}
        for name in DIMENSIONS:
            for k in range(self.n_bins - 1):
                table[f"_{name}_{k}"] = [group.cuts[name][k] for group in self.group_cuts]
                overall[f"_{name}_{k}"] = self.cuts[name][k]
        beside = users.join(_engine.lazy_like(table, users, types={"group": "group"}), on="group", how="left")
        return beside.with_columns(*(nw.col(name).fill_null(cut).alias(name) for name, cut in overall.items()))

    def __repr__(self) -> str:
        groups = f", {len(self.group_cuts)} groups by {self.by}" if self.by else ""
        return f"FittedRFM({self.n_bins} bins, {self.fitted_on.users:,} users before {self.fitted_on.as_of}{groups})"

    __str__ = __repr__
