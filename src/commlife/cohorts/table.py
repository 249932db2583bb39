"""Cohort table: what became of the users who came together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._engine import scope
from commlife._text.notebook import in_notebook
from commlife.cohorts._cells import Asked, Cells, count_cells, warn_of_truncation
from commlife.cohorts._given import label_plan
from commlife.cohorts._grid import finish, with_rates
from commlife.cohorts.aggregation import read_aggregation
from commlife.cohorts.question import CohortQuestion
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders import OrderLog, Timestamp
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife._text.labels import Language

__all__ = ["CohortTable", "cohort_table", "table_of_cells"]

_WIDE = ("users", "size", "value", "rate", "low", "high")


@dataclass(frozen=True, slots=True)
class CohortTable:
    """Users, sizes and rates by cohort and age.

    Attributes:
        cells: One row for each group, cohort and age that has begun: the columns of ``by``; ``cohort``, the first day
            of its period (or the value that makes it); ``age`` in periods; ``users``, the numerator; ``size``, the
            denominator; ``value`` for orders and money (major units); ``rate``; ``low`` and ``high``, the 95% Wilson
            interval of users out of users. Counts are whole numbers kept as float64: what is not complete is null.
        question: What was asked.
        existing_users: Users left out because their life began before the log shows it.
        suppressed: Cohorts left out because they are smaller than ``min_size``: group, cohort, size.
        covariates: What the host laid beside the table, None if nothing.
    """

    cells: pd.DataFrame
    question: CohortQuestion
    existing_users: int
    suppressed: pd.DataFrame = field(repr=False)
    covariates: pd.DataFrame | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        q = self.question
        keys = [*q.by, "cohort"]
        by = f" by {', '.join(q.by)}" if q.by else ""
        return (
            f"CohortTable({q.measured}, {q.period}{by}, {len(self.cells[keys].drop_duplicates()):,} cohorts, "
            f"{len(self.cells):,} cells, as_of={q.as_of})"
        )

    def _repr_html_(self) -> str:
        return in_notebook(self, self.wide("rate"), number="{:.1%}".format, index=True)

    def to_frame(self) -> pd.DataFrame:
        """The long table, a copy of ``cells``."""
        return self.cells.copy()

    def wide(self, column: str = "rate") -> pd.DataFrame:
        """One column spread out: cohorts ascending, ages 0, 1, ... across, nulls where not complete.

        Args:
            column: ``"users"``, ``"size"``, ``"value"`` (orders and money), ``"rate"``, ``"low"`` or ``"high"``.

        Raises:
            ConfigError: If the table has no such column.
        """
        if column not in _WIDE or column not in self.cells:
            raise ConfigError.unknown_name("wide: the column", column, [name for name in _WIDE if name in self.cells])
        keys = [*self.question.by, "cohort"]
        row = self.cells.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
        ages, place = np.unique(self.cells["age"].to_numpy(), return_inverse=True)
        names = self.cells[keys].drop_duplicates()
        values = np.full((len(names), len(ages)), np.nan)
        values[row, place] = self.cells[column].to_numpy()
        index = pd.MultiIndex.from_frame(names) if self.question.by else pd.Index(names["cohort"], name="cohort")
        return pd.DataFrame(values, index=index, columns=pd.Index(ages, name="age"))

    def pooled(self, *, by_group: bool = True) -> pd.DataFrame:
        """Means over cohorts, weighted by size: at each age the users of all complete cells out of all their sizes.

        Args:
            by_group: One curve for each group; False: one for all.

        Returns:
            A frame with the columns of ``by``, ``age``, ``cohorts`` (how many complete ones stand behind it),
            ``users``, ``size``, ``value`` where there is one, ``rate``, ``low``, ``high``.
        """
        complete = self.cells.loc[self.cells["size"].notna()]
        counted = [name for name in ("users", "size", "value") if name in complete]
        keys = [*(self.question.by if by_group else ()), "age"]
        grouped = complete.groupby(keys, dropna=False, sort=True)
        sums = grouped[counted].sum().assign(cohorts=grouped["size"].count()).reset_index()
        return with_rates(sums[[*keys, "cohorts", *counted]], self.question)

    def beside(self, ages: Sequence[int] = (1,)) -> pd.DataFrame:
        """One row a cohort: its size, its rates at some ages, and the covariates beside it.

        Args:
            ages: The ages whose rates are wanted.

        Returns:
            The columns of ``by``, ``cohort``, ``size`` (at the cohort's first age), ``rate_<age>`` and the covariates;
            nulls where a cell is not complete or the host gave no covariate.
        """
        rates, sizes = self.wide("rate"), self.wide("size")
        for age in ages:
            if age not in rates.columns:
                raise ConfigError(f"ages: the table has the ages {list(rates.columns)!r:.80}; seen {age!r:.40}.")
        table = sizes.iloc[:, :1].set_axis(["size"], axis=1)
        for age in ages:
            table[f"rate_{age}"] = rates[age]
        table = table.reset_index()
        if self.covariates is None:
            return table
        return table.merge(self.covariates, on=[*self.question.by, "cohort"], how="left", validate="one_to_one")

    def plot(self, column: str = "rate", *, group: Any = None, ax: Axes | None = None, lang: Language = "en") -> Axes:
        """A heat map: cohorts down, ages across; cells that are not complete stay blank.

        Args:
            column: What to show: ``"rate"``, ``"users"`` or ``"value"``.
            group: The group to show where the table has several (a tuple where ``by`` names several attributes).
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.cohorts.figures import heat_map

        return heat_map(self, column, group=group, ax=ax, lang=lang)


def cohort_table(
    log: OrderLog,
    *,
    as_of: Timestamp,
    period: str = "month",
    measure: str | Mapping[str, Any] = "retention",
    by: str | Sequence[str] | None = None,
    cohort: Any = "first_order",
    washout: str | None = None,
    min_size: int | None = None,
    max_age: int | None = None,
    window: str | None = None,
    brackets: Sequence[int] | None = None,
    covariates: pd.DataFrame | None = None,
) -> CohortTable:
    """What became of the users who came together: a table of cohorts and ages.

    A user belongs to the cohort of the period of the first order that counts; the age of an order is the number of
    periods since. A cell is complete if its period ends at or before min(``as_of``, the log's observed_until); what
    is not complete is null and never enters a mean. Users whose life began before the log shows it (``washout``, or
    the host's ``first_ordered_at``) are existing, not new: they are left out, and ``existing_users`` counts them.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count.
        period: ``"month"``, ``"week"``, ``"quarter"``, or ``"<n>D"`` counted back from ``as_of``.
        measure: What is counted at an age. Users out of users: ``"retention"`` (with an order in that period),
            ``"unbounded"`` (in that complete period or a later one), ``"bracket"`` (anywhere in a bracket of ages),
            ``"rolling"`` (in the window of N days counted from each user's own first order), ``"streak"`` (in that and
            every period before), ``"churn"`` (not active, out of those active one period before), ``"recall"``
            (active, out of those not active one period before), ``"repurchase"`` (two or more orders, out of the
            period's active users). Orders and money: ``"orders"`` and ``"revenue"`` (net of refunds) a user of the
            cohort, ``"cumulative_revenue"`` (the value curve), ``"frequency"`` (orders an active user), ``"aov"``
            (net of the orders that count, an order). A measure of your own is ``{name: (column, how)}`` over the lines
            of the orders that count, with a canonical column or one of ``keep``: ``"sum"`` (a user of the cohort),
            ``"mean"`` (a line), ``"min"``, ``"max"`` (each user's, a user who has one), ``"distinct"`` (different
            values, a user who has one); or ``{name: function}``, where the function gets the columns of a user's
            period (``row["orders"]``, ``row["lines"]``, or the sum of any column of numbers, such as
            ``row["amount"]``) and returns an expression of them: a number (a user of the cohort), or true or false
            (users out of the cohort's users, with an interval).
        by: The users' own attributes that make groups: those of the first order that counts, among ``"community"``,
            ``"channel"``, ``"category"``, ``"item_id"``, ``"coupon_id"``, ``"address_id"``, and ``"subsidised"``
            (first order with a coupon: subsidised, else organic). The first item and the first category are those on
            which the most money of the first order was spent, at a tie the least; where its lines differ in another
            attribute it is the least value.
        cohort: What makes a cohort: ``"first_order"``; ``"active"`` (everybody active in a period is one of its
            cohort, so that users are in several; ages up to 12 unless ``max_age`` says otherwise); one of the
            attributes; or a frame with ``user_id`` and ``cohort``. In the last two a cohort holds, at each age,
            the users for whom that age is complete.
        washout: Users first seen within this time from the beginning of the log are existing, such as ``"28D"``.
        min_size: Cohorts with fewer users are left out and listed in ``suppressed``.
        max_age: The last age that is shown.
        window: Length of a window of ``measure="rolling"``, such as ``"7D"``.
        brackets: Where the brackets of ``measure="bracket"`` begin, and the end of the last: ``(1, 2, 4, 8)`` asks for
            ages 1, 2 to 3, and 4 to 7. The age shown is the first of a bracket.
        covariates: One row a cohort (and group): ``cohort``, the columns of ``by``, and what was done and what was so:
            acquisition spend, discount, weather. ``beside()`` lays them beside the rates.

    Returns:
        The :class:`CohortTable`.

    Raises:
        ConfigError: If an argument has a value that is not allowed, or the log lacks a column.
        InsufficientDataError: If nobody has an order that counts before ``as_of``, or all are existing.

    Examples:
        >>> import pandas as pd
        >>> from commlife import OrderLog
        >>> frame = pd.DataFrame({"user": list("aabbc"), "paid": [10.0] * 5,
        ...                       "at": ["2025-01-03", "2025-02-03", "2025-01-09", "2025-01-10", "2025-02-11"]})
        >>> log = OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid")
        >>> cohort_table(log, as_of="2025-03-01", period="month").wide("users").to_numpy().tolist()
        [[2.0, 1.0], [1.0, nan]]
    """
    need_log(log, "cohort_table")
    if not isinstance(log, OrderLog):
        raise ConfigError(
            f"cohort_table takes an OrderLog; seen {type(log).__name__}. Make one with OrderLog.from_frame."
        )
    own = read_aggregation(measure, log) if isinstance(measure, Mapping) else None
    question = CohortQuestion(
        as_of=as_of,
        period=period,
        measure=measure if own is None else own.asked,
        by=by,
        cohort=cohort if isinstance(cohort, str) else "given",
        washout=washout,
        min_size=min_size,
        max_age=max_age,
        window=window,
        brackets=brackets,
    )
    asked = Asked(log, question, own)
    with scope():
        warn_of_truncation(asked)
        labels = None if isinstance(cohort, str) else label_plan(cohort, log, asked.as_of)
        return table_of_cells(count_cells(asked, labels), asked, covariates=covariates)


def table_of_cells(cells: Cells, asked: Asked, *, covariates: pd.DataFrame | None = None) -> CohortTable:
    """The finished table of counted cells.

    Raises:
        InsufficientDataError: If nobody has an order that counts, or all are existing.
    """
    question = asked.question
    if not cells.sizes["size"].sum():
        _refuse_empty(question, cells.existing_users, labelled=question.cohort == "given")
    table = finish(cells, asked)
    table, suppressed = _suppress(table, question)
    beside = None if covariates is None else _checked_covariates(covariates, question)
    return CohortTable(table, question, cells.existing_users, suppressed, beside)


def _refuse_empty(question: CohortQuestion, existing: int, *, labelled: bool) -> None:
    if labelled:
        raise InsufficientDataError(
            f"cohort_table: none of the users in the frame of cohorts has a first order that counts before "
            f"{question.as_of}. Compare its user_id with the log's."
        )
    if existing:
        raise InsufficientDataError(
            f"cohort_table: all {existing:,} payers before {question.as_of} are existing users (washout="
            f"{question.washout}): nobody is new. Use a shorter washout or a later as_of."
        )
    raise InsufficientDataError.no_payers("cohort_table", question.as_of)


def _suppress(table: pd.DataFrame, question: CohortQuestion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out cohorts whose largest complete cell has fewer users than min_size."""
    keys = [*question.by, "cohort"]
    largest = table.groupby(keys, dropna=False, sort=False)["size"].transform("max")
    small = largest < (question.min_size or 0)
    listed = table.loc[small, [*keys, "size"]].drop_duplicates(keys, ignore_index=True)
    return table.loc[~small].reset_index(drop=True), listed


def _checked_covariates(frame: Any, question: CohortQuestion) -> pd.DataFrame:
    keys = [*question.by, "cohort"]
    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(f"covariates is a pandas frame with {', '.join(keys)}; seen {type(frame).__name__}.")
    missing = [name for name in keys if name not in frame.columns]
    if missing:
        raise ConfigError(
            f"covariates needs the columns {', '.join(keys)}; it has {list(frame.columns)!r:.80}. Add what is missing."
        )
    taken = [name for name in frame.columns if name == "size" or str(name).startswith("rate_")]
    if taken:
        raise ConfigError(f"covariates: the names {taken} are the table's own. Rename them.")
    given = frame.copy()
    if question.cohort in ("first_order", "active"):
        days = pd.to_datetime(given["cohort"], errors="coerce")
        if days.isna().any():
            raise ConfigError(
                "covariates: cohort is the first day of a period, such as '2025-01-06'; some are not."
                " Give dates, or ISO texts."
            )
        given["cohort"] = days.to_numpy().astype("datetime64[us]")
    if given.duplicated(keys).any():
        raise ConfigError(f"covariates has one row for each of {', '.join(keys)}; some stand twice. Keep one of them.")
    return given
