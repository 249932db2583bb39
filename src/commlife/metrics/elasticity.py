"""Price elasticity: how units sold and prices went together, item by item or category by category."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy import special

from commlife import _engine
from commlife._caveats import warn
from commlife._figures.fonts import written
from commlife._text import check_language
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.metrics._arguments import Faults, check_log, whole_number
from commlife.metrics._plans import Asked, with_units
from commlife.orders.calendar import Period, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["PriceElasticity", "price_elasticity"]

_LEVELS = ("item_id", "category")
#: A category needs as many items whose price moved: fewer clusters tell no error.
_LEAST_ITEMS = 5


@dataclass(frozen=True, slots=True, eq=False)
class PriceElasticity:
    """Elasticities, the surest first, and what was refused.

    Attributes:
        table: A row an item or category: ``item_id`` or ``category``; ``elasticity`` (percent of units that went with
            one percent of price), ``low``, ``high`` (95%), ``standard_error``; ``periods`` with sales behind it,
            ``items`` (1 for an item), ``silent_periods`` (complete periods between the first and the last sale without
            one: no price was seen there, and none enters); ``price_low``, ``price_high`` (10th and 90th percentile of
            the unit price, major units; of an item), ``price_spread`` (how far apart they are, as a share).
        refused: What could not be told: the same key, ``reason`` in words, ``periods``, ``price_spread``.
        level: ``"item_id"`` or ``"category"``.
        period: The grid of periods.
        as_of: The local business day before whose midnight lines count.
        points: What was fitted: key, ``item_id``, ``index``, ``price``, ``units``, ``traffic``.
    """

    table: pd.DataFrame
    refused: pd.DataFrame = field(repr=False)
    level: str
    period: str
    as_of: str
    points: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return (
            f"PriceElasticity({len(self.table):,} of {len(self.table) + len(self.refused):,} by {self.level}, "
            f"{self.period}, as_of={self.as_of}; associated with price, not caused by it)"
        )

    def _repr_html_(self) -> str:
        return in_notebook(self, self.table.head(15), number="{:.3g}".format)

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def plot(self, *, top: int = 20, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Elasticities with their intervals, the surest at the top.

        Args:
            top: How many.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.metrics.figures import elasticity_marks

        with written(check_language(lang)) as language:
            return elasticity_marks(self, whole_number(top, "top", least=1), ax=ax, lang=language)


def price_elasticity(
    log: OrderLog,
    *,
    as_of: Timestamp,
    level: str = "item_id",
    period: str = "week",
    min_periods: int = 12,
    min_price_spread: float = 0.05,
) -> PriceElasticity:
    """How units sold went with the unit price: the slope of log units on log price over complete periods.

    The price of a period is what was paid for an item over its units, in paid lines above 0. Units are taken a payer
    of the whole log in that period, so that a platform that grows, or a holiday, is not taken for a price. A category
    is fitted within its items: each has its own level, and only its own changes of price count.

    Intervals are t intervals over errors that stay right where the scatter is uneven: HC3 for an item, clustered by
    item (CR1) for a category. The slope is *associated with* the price and not its effect: prices are cut when demand
    is expected to be low or high, with a display, or together with others. A trial tells the effect
    (:func:`~commlife.compare`).

    Args:
        log: The order log, with ``item_id`` and ``quantity``.
        as_of: The local business day before whose midnight lines count.
        level: ``"item_id"`` or ``"category"``.
        period: ``"<n>D"``, ``"week"``, ``"month"`` or ``"quarter"``.
        min_periods: Periods with sales that an item needs.
        min_price_spread: How far apart the 10th and 90th percentile of its price must lie: 0.05 is 5%. Below it the
            price hardly moved, and what units did has other reasons.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once), or the log lacks a column.
        InsufficientDataError: If nothing can be told of any item or category, with the commonest reason.

    Warns:
        ModelWarning: If some are refused; ``refused`` says each and why.

    Source: White, "A heteroskedasticity-consistent covariance matrix estimator" (Econometrica, 1980); HC3: MacKinnon &
        White (J. Econometrics, 1985); clusters: Cameron & Miller, "A practitioner's guide to cluster-robust inference"
        (J. Human Resources, 2015).

    Examples:
        >>> import numpy as np, pandas as pd
        >>> from commlife import OrderLog
        >>> days = pd.date_range("2025-01-06", periods=20, freq="7D")
        >>> price = np.tile([2.0, 4.0], 10)
        >>> frame = pd.DataFrame({"u": "a", "at": days, "sku": "tea", "pieces": 64 / price**2, "paid": 64 / price})
        >>> log = OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", item_id="sku",
        ...                           quantity="pieces")
        >>> price_elasticity(log, as_of="2025-06-02").to_frame()[["item_id", "elasticity", "periods"]].round(3)
          item_id  elasticity  periods
        0     tea        -2.0       20
    """
    need_log(log, "price_elasticity")
    check_log(log, "price_elasticity")
    faults = Faults("price_elasticity")
    day = faults.take(lambda: day_number(as_of))
    grid = faults.take(lambda: Period(period))
    if level not in _LEVELS:
        faults.add(str(ConfigError.unknown_name("level", level, _LEVELS)))
    faults.take(lambda: log.require("item_id", "quantity", why="price_elasticity"))
    if level == "category":
        faults.take(lambda: log.require("category", why='price_elasticity level="category"'))
    faults.take(lambda: whole_number(min_periods, "min_periods", least=8))
    if isinstance(min_price_spread, bool) or not isinstance(min_price_spread, (int, float)) or not min_price_spread > 0:
        faults.add(f"min_price_spread is a number above 0, such as 0.05; seen {min_price_spread!r:.40}.")
    faults.tell()
    assert day is not None and grid is not None  # noqa: S101, PT018  (told above)
    points = _points(Asked(log, day, grid, None, None, per_user=False), level)
    items = _items(points)
    items["reason"] = _reasons(items, min_periods, min_price_spread)
    rows, refused = (_by_item if level == "item_id" else _by_category)(points, items)
    if not rows:
        common = refused["reason"].iloc[0] if len(refused) else "no complete period holds a paid line with units"
        raise InsufficientDataError(
            f"price_elasticity: nothing can be told of any {level} before {day_text(day)}; for the best known: "
            f"{common}. Use a longer log, a shorter period, or prices that were varied on purpose."
        )
    if len(refused):
        warn(
            f"{len(refused):,} of {len(refused) + len(rows):,} by {level} are refused: "
            f"{refused['reason'].iloc[0]}, and others. See .refused; vary prices on purpose to learn more.",
            ModelWarning,
        )
    table = pd.DataFrame(rows)
    table = table.sort_values(["standard_error", level], ignore_index=True, kind="stable")
    for name in ("price_low", "price_high"):
        if name in table:
            table[name] /= log.scale
    return PriceElasticity(
        table=table,
        refused=refused.reset_index(drop=True),
        level=level,
        period=str(grid),
        as_of=day_text(day),
        points=points.assign(price=points["price"] / log.scale),
    )


def _points(asked: Asked, level: str) -> pd.DataFrame:
    """Price, units and traffic of each item and complete period with sales, items and periods ascending."""
    log, grid, day = asked.log, asked.grid, asked.day
    last = grid.last_complete(as_of=day, until=complete_until(day, log.observation.until))
    first = grid.first_whole(log.observation.first, as_of=day)
    keys = ["index", "item_id", *(["category"] if level == "category" else [])]
    lines = with_units(log._lines(day, "day", "user_id", "minor", "quantity", *keys[1:]))
    sold = lines.filter((nw.col("minor") > 0) & (nw.col("units") > 0) & ~nw.col("item_id").is_null())
    if level == "category":
        sold = sold.filter(~nw.col("category").is_null())
    sums = asked.indexed(sold).group_by(*keys).agg(nw.col("minor").sum(), nw.col("units").sum())
    within = sums.filter((nw.col("index") >= first) & (nw.col("index") <= last))
    table = _engine.collect_rows(within, call="price_elasticity", way_out="Ask for a longer period, or fewer items.")
    payers = asked.indexed(log._orders(day).filter(nw.col("counts"))).select("index", "user_id").unique()
    traffic = _engine.collect(payers.group_by("index").agg(nw.len().alias("traffic")))
    table = table.merge(traffic, on="index", how="inner")
    table["price"] = table["minor"] / table["units"]
    table = table.sort_values([*reversed(keys[1:]), "index"], ignore_index=True)
    return table[[*reversed(keys[1:]), "index", "price", "units", "traffic"]]


def _items(points: pd.DataFrame) -> pd.DataFrame:
    """One row an item (of a category): how long it was sold, and how far its price moved."""
    keys = [name for name in ("category", "item_id") if name in points]
    grouped = points.groupby(keys, sort=True)
    table = grouped["index"].agg(periods="size", first="min", last="max")
    low, high = (grouped["price"].quantile(q) for q in (0.1, 0.9))
    table = table.assign(price_low=low, price_high=high, price_spread=high / low - 1).reset_index()
    table["silent_periods"] = table["last"] - table["first"] + 1 - table["periods"]
    return table.drop(columns=["first", "last"])


def _reasons(items: pd.DataFrame, min_periods: int, least: float) -> list[str]:
    return [
        f"sold in {n} periods, {min_periods} are needed"
        if n < min_periods
        else f"its price hardly moved: {spread:.1%} between the 10th and the 90th percentile, {least:.1%} are needed"
        if spread < least
        else ""
        for n, spread in zip(items["periods"], items["price_spread"], strict=True)
    ]


def _logs(points: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.log(points["price"].to_numpy(np.float64))
    y = np.log(points["units"].to_numpy(np.float64) / points["traffic"].to_numpy(np.float64))
    return x, y


def _by_item(points: pd.DataFrame, items: pd.DataFrame) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    by_name = dict(iter(points.groupby("item_id", sort=False)))
    items = items.copy()
    for at, row in items[items["reason"] == ""].iterrows():
        x, y = _logs(by_name[row["item_id"]])
        if leverages(x).max() > 1 - 1e-9:
            items.loc[at, "reason"] = "its price moved in one period alone, which tells no error"
            continue
        slope, error = slope_hc3(x, y)
        half = float(special.stdtrit(len(x) - 2, 0.975)) * error
        rows.append(
            {
                "item_id": row["item_id"], "elasticity": slope, "low": slope - half, "high": slope + half,
                "standard_error": error, "periods": row["periods"], "items": 1, "silent_periods": row["silent_periods"],
                "price_low": row["price_low"], "price_high": row["price_high"], "price_spread": row["price_spread"],
            }
        )  # fmt: skip
    refused = items[items["reason"] != ""].sort_values(["periods", "item_id"], ascending=[False, True], kind="stable")
    return rows, refused[["item_id", "reason", "periods", "price_spread"]]


def _by_category(points: pd.DataFrame, items: pd.DataFrame) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    moved = items[items["reason"] == ""]
    held = points.merge(moved[["category", "item_id"]], on=["category", "item_id"], how="inner")
    by_name = dict(iter(held.groupby("category", sort=False)))
    for name, mine in items.groupby("category", sort=True):
        chosen = moved[moved["category"] == name]
        spread = float(mine["price_spread"].median())
        told = {"category": name, "periods": int(mine["periods"].sum()), "price_spread": spread}
        if len(chosen) < _LEAST_ITEMS:
            reason = (
                f"{len(chosen)} of {len(mine)} items were sold long enough at a moving price, {_LEAST_ITEMS} are needed"
            )
            refused.append({"category": name, "reason": reason} | told)
            continue
        part = by_name[name]
        x, y = _logs(part)
        slope, error = slope_within(x, y, part["item_id"].factorize()[0])
        half = float(special.stdtrit(len(chosen) - 1, 0.975)) * error
        rows.append(
            {
                "category": name, "elasticity": slope, "low": slope - half, "high": slope + half,
                "standard_error": error, "periods": len(part), "items": len(chosen),
                "silent_periods": int(chosen["silent_periods"].sum()),
                "price_spread": float(chosen["price_spread"].median()),
            }
        )  # fmt: skip
    columns = ["category", "reason", "periods", "price_spread"]
    table = pd.DataFrame(refused, columns=columns).sort_values(["periods", "category"], ascending=[False, True])
    return rows, table


def leverages(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each point pulls its own fitted value; at 1 a point is fitted exactly, whatever it says."""
    away = x - x.mean()
    leverage: NDArray[np.float64] = 1 / len(x) + away**2 / (away @ away)
    return leverage


def slope_hc3(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The slope of y on x and a constant, and its HC3 standard error."""
    away = x - x.mean()
    square = float(away @ away)
    slope = float(away @ y) / square
    left = y - y.mean() - slope * away
    return slope, float(np.sqrt(np.sum((away * left / (1 - leverages(x))) ** 2)) / square)


def slope_within(x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64]) -> tuple[float, float]:
    """The slope within groups, each with its own level, and its standard error clustered by group (CR1)."""
    n_groups = int(group.max()) + 1
    size = np.bincount(group)
    away = x - (np.bincount(group, x) / size)[group]
    aside = y - (np.bincount(group, y) / size)[group]
    square = float(away @ away)
    slope = float(away @ aside) / square
    score = np.bincount(group, away * (aside - slope * away))
    n = len(x)
    small = n_groups / (n_groups - 1) * (n - 1) / (n - 1 - 1)
    return slope, float(np.sqrt(small * score @ score) / square)
