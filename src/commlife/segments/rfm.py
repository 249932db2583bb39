"""RFM: scores of recency, frequency and monetary value by cut points that are learned once and then frozen."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from commlife import _engine
from commlife._caveats import warn
from commlife._model import FittedOn, Given, Spec, default, library_version
from commlife.errors import ConfigError, FewerBinsWarning, InsufficientDataError
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text
from commlife.orders.log import need_log
from commlife.segments.cuts import quantile_cuts, scores_of_values
from commlife.segments.fitted_rfm import FittedRFM, GroupCuts
from commlife.segments.purchases import DIMENSIONS, VALUES, purchases
from commlife.segments.segment_map import FEWEST_BINS, MOST_BINS, SegmentMap
from commlife.segments.standard_maps import STANDARD_MAPS, MapName, standard_map

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["RFM"]

Dimension = Literal["recency", "frequency", "monetary"]
Cuts = dict[Dimension, tuple[float, ...]]


def _known_map(given: Any) -> Any:
    if isinstance(given, str) and given not in STANDARD_MAPS:
        raise ConfigError.unknown_name("the map", given, STANDARD_MAPS)
    return given


def _plain_cuts(given: Any) -> Any:
    """Arrays and numbers of NumPy as plain floats; names checked with a suggestion."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ConfigError('cuts are a mapping such as {"frequency": [1, 2, 4, 8]}. Give the cuts of each dimension.')
    for name in given:
        if name not in DIMENSIONS:
            raise ConfigError.unknown_name("the dimension", name, DIMENSIONS)
    return {name: _finite_floats(name, cuts) for name, cuts in given.items()}


def _is_finite(value: Any) -> bool:
    """Also an int may be too large for a float."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return is_number and bool(abs(value) <= sys.float_info.max)


def _finite_floats(name: str, cuts: Any) -> tuple[float, ...]:
    values: list[Any] = list(cuts) if isinstance(cuts, (list, tuple, np.ndarray, pd.Series)) else [None]
    if not all(map(_is_finite, values)):
        raise ConfigError(f"the cuts of {name} are a list of finite numbers; seen {cuts!r:.60}.")
    floats = tuple(float(v) for v in values)
    if any(later < earlier for earlier, later in itertools.pairwise(floats)):
        raise ConfigError(f"the cuts of {name} ascend; seen {list(floats)!r:.80}.")
    return floats


class RFM(Spec):
    """Score every payer by recency, frequency and monetary value, by quantile cuts that are learned once.

    The score of a dimension is 1 + the number of cuts strictly below the value; for recency it is ``n_bins`` minus
    that number, so that the highest score is always the best. Equal customers always get equal scores. Cuts are
    type-7 quantiles over payers, computed from value counts in exact arithmetic. Where many values are equal, equal
    cuts stay and some scores are empty: a :class:`~commlife.errors.FewerBinsWarning` says which and what to do.

    Args:
        n_bins: Number of scores in each dimension, 2 to 9; ``n_bins`` is best.
        segment_map: ``"standard_11"`` (needs 5 scores), ``"octants"``, ``"grid_3x3"`` or a
            :class:`~commlife.segments.SegmentMap`; by default the standard 11 where ``n_bins`` is 5, else the octants.
        cuts: Cuts that are given and not learned, for some dimensions or all: ``{"frequency": [1, 2, 4, 8]}``, in
            days, orders, or major units of money; ``n_bins - 1`` ascending numbers each.
        weights: Weights of the dimensions for a total ``rfm_score`` (a column of its own, in scores): for example
            ``{"recency": 1, "frequency": 2, "monetary": 3}``. A dimension that is not named weighs 0.
        by: Learn cuts for each value of this attribute of users (``"community"``: that of the first order that
            counts); groups with fewer than ``min_group_users`` payers, and later ones, use the cuts of all.
        min_group_users: Payers that a group needs for cuts of its own.
        lookback: Look only at the orders of the last days, such as ``"365D"``; who has none that counts is left out.
        monetary: ``"total"`` net spend, or its ``"mean"`` for each order that counts.
        lang: Language of the segments' names, ``"en"`` or ``"zh"``; by default the map's own names.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import RFM
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> rfm = RFM(n_bins=3, cuts={"frequency": [1, 3]}).fit(log, as_of="2025-06-30")
        >>> rfm.cuts["frequency"]
        (1.0, 3.0)
        >>> rfm.score(recency_days=2, frequency=9, monetary=900.0).segment
        '重要价值'
        >>> rfm.transform(log, as_of="2025-06-30").columns.tolist()[4:]
        ['r_score', 'f_score', 'm_score', 'rfm_code', 'segment']
    """

    n_bins: Annotated[int, Field(ge=FEWEST_BINS, le=MOST_BINS, strict=True)] = 5
    segment_map: Annotated[MapName | SegmentMap | None, BeforeValidator(_known_map)] = None
    cuts: Annotated[Cuts | None, BeforeValidator(_plain_cuts)] = None
    weights: dict[Dimension, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    by: Annotated[str, Field(min_length=1)] | None = None
    min_group_users: Annotated[int, Field(ge=2, strict=True)] = 100
    lookback: Given[Duration | None, str | None] = default(None)
    monetary: Literal["total", "mean"] = "total"
    lang: Literal["en", "zh"] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, cuts in (self.cuts or {}).items():
            if len(cuts) != self.n_bins - 1:
                raise ConfigError(f"{self.n_bins} bins have {self.n_bins - 1} cuts; seen {len(cuts)} for {name}.")
        if self.weights is not None and sum(self.weights.values()) <= 0:
            raise ConfigError("at least one of the weights is above 0; seen none. Raise one.")
        if self.resolved_map.n_bins != self.n_bins:
            raise ConfigError(
                f"the segment map has {self.resolved_map.n_bins} scores, n_bins is {self.n_bins}."
                " Give a map of as many scores."
            )
        return self

    @property
    def resolved_map(self) -> SegmentMap:
        """The segment map itself, where the spec holds its name or nothing."""
        if isinstance(self.segment_map, SegmentMap):
            return self.segment_map
        return standard_map(self.segment_map or ("standard_11" if self.n_bins == 5 else "octants"), self.n_bins)

    def fit(self, log: OrderLog, *, as_of: Timestamp) -> FittedRFM:
        """Learn the cuts from the payers at ``as_of``.

        Args:
            log: The order log.
            as_of: The local business day before whose midnight orders count.

        Returns:
            The frozen cuts, which score any log.

        Raises:
            InsufficientDataError: If nobody has an order that counts.
            ConfigError: If the host did not name the column ``by``.

        Warns:
            FewerBinsWarning: If ties leave scores of a learned dimension empty.
        """
        need_log(log, "RFM.fit")
        day = day_number(as_of)
        users = _engine.settle(purchases(log, day, lookback=self.lookback, monetary=self.monetary, by=self.by))
        tables = {name: _counts(users, VALUES[name], grouped=self.by is not None) for name in DIMENSIONS}
        n_users = int(tables["recency"]["rows"].sum())
        if n_users == 0:
            raise InsufficientDataError.no_payers("RFM", day_text(day))
        overall = {name: self._cuts_of(name, tables[name]) for name in DIMENSIONS}
        groups = self._group_cuts(tables)
        by_group = {group.group: group.cuts for group in groups}
        counts = {name: _score_counts(name, tables[name], overall[name], by_group, self.n_bins) for name in DIMENSIONS}
        for name in DIMENSIONS:
            if name not in (self.cuts or {}):
                self._warn_of_empty_scores(name, tables[name], overall[name])
        self._warn_of_groups(groups)
        return FittedRFM(
            n_bins=self.n_bins,
            segment_map=self.resolved_map,
            weights=self.weights,
            by=self.by,
            lookback=self.lookback,
            monetary=self.monetary,
            lang=self.lang,
            cuts=overall,
            group_cuts=groups,
            score_counts=counts,
            spec_json=self.to_json(),
            fitted_on=FittedOn(as_of=day_text(day), rows=n_users, users=n_users, version=library_version()),
        )

    def _cuts_of(self, name: Any, table: pd.DataFrame) -> tuple[float, ...]:
        if self.cuts is not None and name in self.cuts:
            return self.cuts[name]
        total = table.groupby("value")["rows"].sum()
        return quantile_cuts(total.index.to_numpy(), total.to_numpy(dtype=np.int64), self.n_bins)

    def _group_cuts(self, tables: Mapping[str, pd.DataFrame]) -> tuple[GroupCuts, ...]:
        if self.by is None:
            return ()
        sizes = tables["recency"].groupby("group")["rows"].sum()
        large = sorted(sizes.index[sizes >= self.min_group_users].tolist())
        parts = {name: dict(iter(tables[name].groupby("group"))) for name in DIMENSIONS}
        return tuple(
            GroupCuts(
                group=group,
                users=int(sizes[group]),
                cuts={name: self._cuts_of(name, parts[name][group]) for name in DIMENSIONS},
            )
            for group in large
        )

    def _warn_of_empty_scores(self, name: str, table: pd.DataFrame, cuts: tuple[float, ...]) -> None:
        total = table.groupby("value")["rows"].sum()
        scores = scores_of_values(total.index.to_numpy(), cuts, reverse=name == "recency")
        held = sorted({int(score) for score in scores})
        if len(held) == self.n_bins:
            return
        empty = [score for score in range(1, self.n_bins + 1) if score not in held]
        distinct = len(total)
        often = total.idxmax()
        share = total.max() / total.sum()
        who = "One-time buyers are" if name == "frequency" and often == 1 else f"The value {often:g} belongs to"
        reason = "too few for" if distinct < self.n_bins else "but too many ties for"
        advice = {
            "recency": 'cuts={"recency": [...]} in days',
            "frequency": f'cuts={{"frequency": {[2**k for k in range(self.n_bins - 1)]}}}',
            "monetary": 'cuts={"monetary": [...]} in money',
        }[name]
        warn(
            f"{name} has {distinct:,} distinct values, {reason} {self.n_bins} bins: scores "
            f"{_listed(held)} occur, {_listed(empty)} stay empty. {who} {share:.0%} of users; consider {advice}, "
            f"or n_bins={max(FEWEST_BINS, min(distinct, self.n_bins - 1))}.",
            FewerBinsWarning,
        )

    def _warn_of_groups(self, groups: tuple[GroupCuts, ...]) -> None:
        """Groups whose own cuts coincide, so that some of their scores stay empty."""
        tied = {
            name: [group.group for group in groups if len(set(group.cuts[name])) < self.n_bins - 1]
            for name in DIMENSIONS
            if name not in (self.cuts or {})
        }
        told = [f"{name} in {len(held):,} of {len(groups):,} groups" for name, held in tied.items() if held]
        if told:
            warn(
                f"cuts by {self.by} coincide, so that some scores stay empty there: {', '.join(told)}. Give cuts of "
                "your own for these dimensions, fewer bins, or a larger min_group_users.",
                FewerBinsWarning,
            )


def _counts(users: nw.LazyFrame[Any], column: str, *, grouped: bool) -> pd.DataFrame:
    """How many users have each value (within each group): value, rows and, where grouped, group."""
    keys = ["group", column] if grouped else [column]
    table = _engine.collect_rows(users.group_by(*keys).agg(nw.len().alias("rows")), call="RFM.fit")
    return table.rename(columns={column: "value"}).sort_values("value", kind="stable", ignore_index=True)


def _score_counts(
    name: str,
    table: pd.DataFrame,
    overall: tuple[float, ...],
    by_group: Mapping[Any, Mapping[Any, tuple[float, ...]]],
    n_bins: int,
) -> tuple[int, ...]:
    """How many users had each score when the cuts were learned, each by the cuts that apply to him."""
    values, rows = table["value"].to_numpy(), table["rows"].to_numpy(dtype=np.int64)
    reverse = name == "recency"
    scores = scores_of_values(values, overall, reverse=reverse)
    for group, cuts in by_group.items():
        own = (table["group"] == group).to_numpy(dtype=bool)
        scores[own] = scores_of_values(values[own], cuts[name], reverse=reverse)
    return tuple(int(n) for n in np.bincount(scores, weights=rows, minlength=n_bins + 1)[1:])


def _listed(scores: list[int]) -> str:
    return ", ".join(str(score) for score in scores)
