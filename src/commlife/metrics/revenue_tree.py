"""Revenue tree: how much of a change in revenue comes from payers, their frequency and the value of their orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import factorial, floor, prod
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife import _engine
from commlife._figures.fonts import written
from commlife._text import check_language, label
from commlife._text.notebook import in_notebook
from commlife.errors import InsufficientDataError
from commlife.metrics._arguments import Faults, check_group, check_log, whole_number
from commlife.metrics._plans import Asked
from commlife.orders.calendar import Period, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.orders import OrderLog

__all__ = ["RevenueTree", "revenue_tree"]

#: What moves the money of orders, in the order of the tree; ``mix`` only with groups.
FACTORS = ("payers", "mix", "frequency", "order_value")
_SUMS = ("payers", "orders", "order_net", "net")


@dataclass(frozen=True, slots=True, eq=False)
class RevenueTree:
    """A change of net revenue, divided among what it is made of; every row sums to the cent.

    Attributes:
        table: One row, or one a group with the largest change first: the group; ``net_before``, ``net_after``,
            ``change`` (major units); ``payers`` (what more or fewer payers brought), ``mix`` (with groups: payers being
            elsewhere than before), ``frequency`` (orders a payer), ``order_value`` (net an order), ``other`` (money
            outside the orders of the period: refunds that are orders of their own, or lines of another period's
            orders), which sum to ``change``; and before and after: ``payers_before``, ``orders_before``,
            ``order_net_before`` and their like.
        total: The same for all groups together, one row; payers of several groups count once in its ``payers_before``
            and ``payers_after``.
        before: First day of the earlier period.
        after: First day of the later period.
        period: The grid of periods.
        by: The column of the groups, None for one group.
        as_of: The local business day before whose midnight lines count.
    """

    table: pd.DataFrame
    total: pd.DataFrame = field(repr=False)
    before: str
    after: str
    period: str
    by: str | None
    as_of: str

    @property
    def effects(self) -> dict[str, float]:
        """The parts of the whole change by name, in major units."""
        names = [*(name for name in FACTORS if name in self.total), "other"]
        return {name: float(self.total[name].iloc[0]) for name in names}

    def sentence(self, lang: str = "en") -> str:
        """The change and its parts in one sentence.

        Args:
            lang: ``"en"`` or ``"zh"``.
        """
        language = check_language(lang)
        row = self.total.iloc[0]
        change, base = float(row["change"]), float(row["net_before"])
        share = f" ({change / base:+.1%})" if base > 0 else ""
        parts = [(label(f"effect_{name}", language), value) for name, value in self.effects.items()]
        if language == "zh":
            said = "，".join(f"{name} {value:+,.2f}" for name, value in parts)
            return f"{self.after} 起一期的净收入较 {self.before} 起一期变动 {change:+,.2f}{share}：{said}。"
        said = ", ".join(f"{name[0].lower()}{name[1:]} {value:+,.2f}" for name, value in parts)
        return f"Net revenue from {self.after} against {self.before}: {change:+,.2f}{share}, of which {said}."

    def __repr__(self) -> str:
        by = f" by {self.by} ({len(self.table):,} groups)" if self.by else ""
        return f"RevenueTree({self.period}{by}: {self.sentence()})"

    def _repr_html_(self) -> str:
        return in_notebook(self.sentence(), self.table.head(12), number="{:,.2f}".format)

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def plot(self, *, by_group: bool = False, ax: Axes | None = None, lang: str = "en") -> Axes:
        """A waterfall from the revenue before to the revenue after.

        Args:
            by_group: The parts of the largest changes, a bar a group, in place of the waterfall.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If ``by_group`` is asked of a tree without groups.
        """
        from commlife.metrics.figures import group_bars, waterfall

        draw = group_bars if by_group else waterfall
        with written(check_language(lang)) as language:
            return draw(self, ax=ax, lang=language)


def revenue_tree(
    log: OrderLog, *, as_of: Timestamp, period: str = "month", against: int = 1, by: str | None = None
) -> RevenueTree:
    """Divide the change of net revenue between two complete periods, exactly and without an order of the factors.

    The money of a period's orders is payers x orders a payer x net an order. The change of a product has no single
    way to be divided one factor after another; Shapley's value is the mean over all orders in which the factors may
    change, and sums to the whole. It is computed in fractions and handed out in whole minor units that sum exactly.
    With ``by`` each group's money is payers of all groups x the group's share of them x frequency x order value, so
    that ``mix`` is what came of payers being elsewhere than before. Where a group has no order in one of the periods
    its frequency and order value are taken not to have changed: all is payers or mix.

    It says of what a change is made, not what caused it.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight lines count; the later period is the newest complete one.
        period: ``"<n>D"`` counted back from ``as_of``, ``"week"``, ``"month"`` or ``"quarter"``.
        against: How many periods earlier the other one is: 1 the one before, 12 with months the year before.
        by: ``"community"``, ``"channel"``, ``"category"`` or ``"coupon_id"``, of the order.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once), or the log lacks the column.
        InsufficientDataError: If the log does not hold both periods whole.

    Source: Shapley, "A value for n-person games" (1953); for decompositions Shorrocks, "Decomposition procedures for
        distributional analysis" (J. Econ. Inequality, 2013).

    Examples:
        >>> import pandas as pd
        >>> from commlife import OrderLog
        >>> frame = pd.DataFrame({"u": list("abab"), "paid": [10.0, 10.0, 10.0, 25.0],
        ...                       "at": ["2025-01-01", "2025-01-09", "2025-02-03", "2025-02-10"]})
        >>> log = OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid")
        >>> revenue_tree(log, as_of="2025-03-01").effects
        {'payers': 0.0, 'frequency': 0.0, 'order_value': 15.0, 'other': 0.0}
    """
    need_log(log, "revenue_tree")
    check_log(log, "revenue_tree")
    faults = Faults("revenue_tree")
    day = faults.take(lambda: day_number(as_of))
    grid = faults.take(lambda: Period(period))
    faults.take(lambda: whole_number(against, "against", least=1))
    faults.take(lambda: check_group(log, by))
    faults.tell()
    assert day is not None and grid is not None  # noqa: S101, PT018  (told above)
    after = grid.last_complete(as_of=day, until=complete_until(day, log.observation.until))
    before = after - against
    if log.first_day is None or before < grid.first_whole(log.observation.first, as_of=day):
        raise InsufficientDataError(
            f"revenue_tree compares two whole periods ({period}, {against} apart) before {day_text(day)}; the log "
            f"begins on {log.first_day}. Use a shorter period, a smaller against, or a later as_of."
        )
    asked = Asked(log, day, grid, by, None, per_user=False)
    sums, distinct = _sums(asked, before, after)
    found = {group for _, group in sums}
    groups = [None] if by is None else sorted(found, key=lambda group: (group is None, str(group)))
    whole = [distinct.get(at, 0) for at in (before, after)]
    rows = [_row(by, group, [sums.get((at, group), _NOTHING) for at in (before, after)], whole) for group in groups]
    names = ["net_before", "net_after", "change", *(n for n in FACTORS if by is not None or n != "mix"), "other"]
    counts = [f"{name}_{at}" for name in _SUMS[:3] for at in ("before", "after")]
    table = pd.DataFrame(rows, columns=[*([] if by is None else [by]), *names, *counts])
    total = table[[*names, *counts]].sum().to_frame().T
    total[["payers_before", "payers_after"]] = whole
    if by is not None:
        largest = table["change"].abs()
        table = table.loc[largest.sort_values(ascending=False, kind="stable").index]
    for frame in (table, total):
        money = [*names, "order_net_before", "order_net_after"]
        frame[money] = frame[money].astype("float64") / log.scale
    return RevenueTree(
        table=table.reset_index(drop=True),
        total=total,
        before=day_text(grid.start(before, as_of=day)),
        after=day_text(grid.start(after, as_of=day)),
        period=str(grid),
        by=by,
        as_of=day_text(day),
    )


_NOTHING = dict.fromkeys(_SUMS, 0)


def _sums(asked: Asked, before: int, after: int) -> tuple[dict[tuple[int, Any], dict[str, int]], dict[int, int]]:
    """Whole numbers by period and group (payers, orders, money of orders, net of lines), and payers a period."""
    log, start = asked.log, asked.grid.start
    spans = [(int(start(at, as_of=asked.day)), int(start(at + 1, as_of=asked.day))) for at in (before, after)]
    wanted = [(nw.col("day") >= first) & (nw.col("day") < end) for first, end in spans]
    inside = wanted[0] | wanted[1]
    orders = log._orders(asked.day, *asked.groups).filter(nw.col("counts")).filter(inside)
    users = asked.indexed(orders).group_by(*asked.keys, "user_id").agg(nw.len().alias("orders"), nw.col("net").sum())
    users = _engine.settle(users.with_columns(nw.col("orders", "net").cast(nw.Int64)))
    counted = users.group_by(*asked.keys).agg(
        nw.len().alias("payers"), nw.col("orders").sum(), nw.col("net").sum().alias("order_net")
    )
    people = _engine.collect(users.select("index", "user_id").unique().group_by("index").agg(nw.len().alias("n")))
    money = _engine.collect(_line_money(asked, inside))
    table: dict[tuple[int, Any], dict[str, int]] = {}
    for part in (_engine.collect(counted), money):
        named = part[asked.by].astype(object).where(part[asked.by].notna(), None) if asked.by else [None] * len(part)
        columns = [name for name in part.columns if name not in asked.keys]
        for at, group, *values in zip(part["index"], named, *(part[name] for name in columns), strict=True):
            cell = table.setdefault((int(at), group), dict(_NOTHING))
            cell.update(zip(columns, map(int, values), strict=True))
    return table, {int(at): int(n) for at, n in zip(people["index"], people["n"], strict=True)}


def _line_money(asked: Asked, inside: nw.Expr) -> nw.LazyFrame[Any]:
    """Net of the lines of both periods, in the group of their order."""
    log, keys = asked.log, ["user_id", "order_id"]
    of_order = bool(asked.groups) and log.has("order_id")
    own = keys if of_order else asked.groups
    lines = asked.indexed(log._lines(asked.day, "day", "minor", *own).filter(inside))
    if of_order:
        lines = lines.join(log._orders(asked.day, *asked.groups).select(*keys, *asked.groups), on=keys, how="inner")
    return lines.group_by(*asked.keys).agg(nw.col("minor").sum().alias("net"))


def _row(by: str | None, group: Any, cells: list[dict[str, int]], whole: list[int]) -> dict[str, Any]:
    """One group's change and its parts in minor units."""
    first, second = cells
    change = second["net"] - first["net"]
    of_orders = second["order_net"] - first["order_net"]
    row: dict[str, Any] = {} if by is None else {by: group}
    row |= {"net_before": first["net"], "net_after": second["net"], "change": change}
    ends = [_factors(cell, n, grouped=by is not None) for cell, n in zip(cells, whole, strict=True)]
    # What is not defined where nobody ordered did not change.
    for name in ends[0]:
        for here, there in (ends, ends[::-1]):
            if here[name] is None:
                here[name] = there[name]
    names = [name for name in FACTORS if name in ends[0]]
    if any(ends[0][name] is None for name in names):
        row |= dict.fromkeys(names, 0)
    else:
        parts = shapley_of_product(*([value for value in end.values() if value is not None] for end in ends))
        row |= dict(zip(names, whole_parts(parts, of_orders), strict=True))
    row["other"] = change - of_orders
    for name in _SUMS[:3]:
        row |= {f"{name}_before": first[name], f"{name}_after": second[name]}
    return row


def _factors(cell: dict[str, int], whole: int, *, grouped: bool) -> dict[str, Fraction | None]:
    payers, orders = cell["payers"], cell["orders"]
    found: dict[str, Fraction | None] = {"payers": Fraction(whole if grouped else payers)}
    if grouped:
        found["mix"] = Fraction(payers, whole) if whole else None
    found["frequency"] = Fraction(orders, payers) if payers else None
    found["order_value"] = Fraction(cell["order_net"], orders) if orders else None
    return found


def shapley_of_product(before: list[Fraction], after: list[Fraction]) -> list[Fraction]:
    """Each factor's part in the change of a product: the mean of its contribution over all orders of change.

    Examples:
        >>> [str(part) for part in shapley_of_product([Fraction(2), Fraction(3)], [Fraction(4), Fraction(5)])]
        ['8', '6']
    """
    n = len(before)
    return [
        (after[i] - before[i])
        * sum(
            weight * prod(after[j] if j in changed else before[j] for j in range(n) if j != i)
            for changed, weight in _coalitions(n, i)
        )
        for i in range(n)
    ]


@cache
def _coalitions(n: int, without: int) -> tuple[tuple[frozenset[int], Fraction], ...]:
    others = [j for j in range(n) if j != without]
    return tuple(
        (frozenset(chosen), Fraction(factorial(size) * factorial(n - size - 1), factorial(n)))
        for size in range(n)
        for chosen in combinations(others, size)
    )


def whole_parts(parts: list[Fraction], total: int) -> list[int]:
    """Fractions that sum to a whole number as whole numbers that do: the largest remainders are rounded up.

    Examples:
        >>> whole_parts([Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)], 1)
        [1, 0, 0]
    """
    low = [floor(part) for part in parts]
    missing = total - sum(low)
    by_remainder = sorted(range(len(parts)), key=lambda i: (low[i] - parts[i], i))
    return [value + (i in by_remainder[:missing]) for i, value in enumerate(low)]
