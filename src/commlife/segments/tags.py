"""Tags: what each user likes, misses, pays and is due to buy, with the evidence and the day it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._text import Language, check_language, label
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.cycles import cycles_plan
from commlife.features.users import payers
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text
from commlife.orders.log import need_log
from commlife.segments import leanings
from commlife.segments.checkpoints import MOST, Checkpoints

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders import OrderLog

__all__ = ["TAGS", "UserTags", "user_tags"]

#: The tags, and what each says.
TAGS = {
    "favourite_category": "the category that the user surely buys more often than her community",
    "missing_category": "the category that her community buys and she surely does not",
    "price_band": "whether her lines are cheaper or dearer than such lines usually are",
    "buying_style": "price_sensitive, quality_seeking, experience_first or balanced",
    "time_habit": "the part of the week in which she surely orders more often than her community",
}
"""The tags of :func:`user_tags`, and what each says."""

_DAY_US = 86_400_000_000
_COLUMNS = ("user_id", "tag", "value", "since", "changed_from", *leanings.EVIDENCE)


@dataclass(frozen=True)
class UserTags:
    """The tags of a population.

    Attributes:
        users: A row a payer, in the input's own kind of frame: ``user_id``, a column a tag (null where there is not
            enough evidence), ``favourite_since``, ``buying_style_since``, ``buying_style_before``, and
            ``due_category``, ``next_due``: the first category that falls due from ``as_of`` on.
        tags: A row a user and tag, likewise: ``user_id, tag, value, since`` (the first checkpoint of the unbroken run
            of this value; for a missing category the day on which it was last bought, else that of the first order),
            ``changed_from`` (the value before; null where there was none), and the evidence: ``share`` (the user's),
            ``base`` (her community's), ``low``, ``high`` (95% Wilson of the share; null for ratios of money),
            ``orders`` (what the share is out of: orders, or lines for prices and styles).
        due: A row a user and category with a cycle: see :func:`~commlife.features.repurchase_cycles`; empty where
            the log has no categories.
        counts: How many users carry each value: ``tag, value, users`` (pandas).
        as_of: The day of the tags.
    """

    users: Any
    tags: Any
    due: Any
    counts: pd.DataFrame
    as_of: str

    def to_frame(self, lang: str | None = None) -> Any:
        """The users.

        Args:
            lang: ``"en"`` or ``"zh"`` puts words in the place of the values of ``price_band``, ``buying_style`` and
                ``time_habit``; None leaves them as they are.

        Raises:
            ConfigError: If the language is none of ours.
        """
        if lang is None:
            return self.users
        language = check_language(lang)
        worded = nw.from_native(self.users)
        for column in ("price_band", "buying_style", "time_habit"):
            values = sorted(self.counts.loc[self.counts["tag"] == column, "value"])
            if values:
                names = [f"{value}_prices" if column == "price_band" else value for value in values]
                said = [_said(name, language) for name in names]
                words = nw.col(column).replace_strict(values, said, default=None, return_dtype=nw.String)
                worded = worded.with_columns(words.alias(column))
        return nw.to_native(worded)

    def _repr_html_(self) -> str:
        return in_notebook(self, self.counts)

    def __repr__(self) -> str:
        told = self.counts.groupby("tag", sort=False)["users"].sum()
        return f"UserTags({', '.join(f'{n:,} with {tag}' for tag, n in told.items())} at {self.as_of})"


def user_tags(
    log: OrderLog,
    *,
    as_of: Timestamp,
    window: str = "84D",
    step: str = "28D",
    history: int = 12,
    min_orders: int = 3,
    min_gaps: int = 4,
    coverage: float = 0.8,
) -> UserTags:
    """Tag every user, where there is enough evidence, with the day since when it has been so.

    Tags look at the orders of a window before ``as_of``, and at the same window before ``history`` earlier
    checkpoints, so that a user who moves from one value to another shows when. A tag by affinity is given only where
    the whole 95% interval (Wilson) of the user's share lies beyond the base rate of her community (that of small
    communities is pulled towards all):

    - ``favourite_category``: the category in a larger share of her orders than of her community's, and surely so;
    - ``missing_category``: one that she did not buy in the window, surely less than her community does;
    - ``price_band``: ``low``, ``middle`` or ``high`` by what she paid over what such lines usually cost (list prices
      and unit prices where the host gives them), with five usual lines added, so that few lines say little;
    - ``buying_style``: ``price_sensitive`` (surely more lines at a discount than her community; a low price level
      where the host tells no discounts), else ``quality_seeking`` (a high price level), else ``experience_first``
      (surely more lines with an item that is new to her, after her first window), else ``balanced``;
    - ``time_habit``: such as ``weekend morning`` (``weekend`` alone where the log has days and no times).

    What the columns of the log do not tell is left out: without categories there are no favourites.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count.
        window: How far back a tag looks; whole steps.
        step: Distance of the checkpoints.
        history: How many checkpoints are looked at for the day of the last change, 1 to 52.
        min_orders: Orders (lines, for prices and styles) that a tag needs at least.
        min_gaps: Gaps that a repurchase cycle needs.
        coverage: Chance that the interval of ``next_due`` holds the next purchase, if the user goes on as before.

    Raises:
        ConfigError: If an argument is not allowed.
        InsufficientDataError: If nobody has an order that counts.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> tags = cl.user_tags(log, as_of="2025-06-30")
        >>> tags.tags.columns.tolist()
        ['user_id', 'tag', 'value', 'since', 'changed_from', 'share', 'base', 'low', 'high', 'orders']
        >>> sorted(tags.counts["tag"].unique())
        ['buying_style', 'favourite_category', 'missing_category', 'price_band', 'time_habit']
    """
    need_log(log, "user_tags")
    day, at = day_number(as_of), _checkpoints(as_of, window, step, history)
    for name, value in (("min_orders", min_orders), ("history", history)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} is a whole number from 1; seen {value!r:.40}.")
    everybody = _engine.settle(payers(log, day).select("user_id"))
    if _engine.count_rows(everybody) == 0:
        raise InsufficientDataError.no_payers("tags", day_text(day))
    ground = leanings.Ground(log, at, min_orders=min_orders)
    found = {}
    if log.has("category"):
        found["favourite_category"] = at.lasting(_engine.settle(leanings.favourite_categories(ground)))
        found["missing_category"] = leanings.missing_categories(ground).with_columns(_no_text("changed_from"))
    found["price_band"] = at.lasting(_engine.settle(leanings.price_bands(ground)))
    found["buying_style"] = at.lasting(_engine.settle(leanings.styles(ground)))
    found["time_habit"] = at.lasting(_engine.settle(leanings.time_habits(ground)))
    parts = {name: _engine.settle(_dated(plan, name)) for name, plan in found.items()}
    whole = _engine.settle(nw.concat(list(parts.values()), how="vertical"))
    due = None
    if log.has("category"):
        due = _engine.settle(cycles_plan(log, day, min_gaps=min_gaps, coverage=coverage))
        due = due.filter(~nw.col("next_due").is_null()).with_columns(nw.col("overdue").cast(nw.Boolean))
    counts = _engine.collect(whole.group_by("tag", "value").agg(nw.len().alias("users")))
    order = {name: place for place, name in enumerate(TAGS)}
    counts = counts.sort_values(
        ["tag", "users", "value"], ascending=[True, False, True], key=lambda c: c.map(order) if c.name == "tag" else c,
        ignore_index=True,
    )  # fmt: skip
    return UserTags(
        users=log.give(_wide(everybody, parts, due, day)),
        tags=log.give(whole, sort=["user_id", "tag"]),
        due=None if due is None else log.give(due, sort=["user_id", "category"]),
        counts=counts,
        as_of=day_text(day),
    )


def _said(value: str, lang: Language) -> str:
    """A value in words; those of habits are two of them."""
    return ("" if lang == "zh" else " ").join(label(part, lang) for part in value.split(" "))


def _checkpoints(as_of: Timestamp, window: str, step: str, history: int) -> Checkpoints:
    length, each = Duration(window).days, Duration(step).days
    if length % each:
        raise ConfigError(f"window is a whole number of steps; seen {window!r} and {step!r}.")
    if isinstance(history, bool) or not isinstance(history, int) or not 1 <= history <= MOST:
        raise ConfigError(f"history is a whole number from 1 to {MOST}; seen {history!r:.40}.")
    return Checkpoints(day_number(as_of), each, length // each, history)


def _no_text(name: str) -> nw.Expr:
    return nw.when(nw.col("orders") < 0).then(nw.lit("")).alias(name)


def _dated(plan: nw.LazyFrame[Any], tag: str) -> nw.LazyFrame[Any]:
    dated = plan.with_columns((nw.col("since_day") * _DAY_US).alias("_since"), nw.lit(tag).alias("tag"))
    dated = _engine.microsecond_as_datetime(dated, "_since", into="since")
    typed = [nw.col(name).cast(nw.Float64) for name in ("share", "base", "low", "high")]
    texts = [nw.col(name).cast(nw.String) for name in ("tag", "value", "changed_from")]
    return dated.with_columns(*typed, *texts, nw.col("orders").cast(nw.Int64)).select(*_COLUMNS)


def _wide(
    everybody: nw.LazyFrame[Any], parts: dict[str, nw.LazyFrame[Any]], due: nw.LazyFrame[Any] | None, day: int
) -> nw.LazyFrame[Any]:
    """A row a user, a column a tag."""
    also = {
        "favourite_category": [nw.col("since").alias("favourite_since")],
        "buying_style": [
            nw.col("since").alias("buying_style_since"), nw.col("changed_from").alias("buying_style_before"),
        ],
    }  # fmt: skip
    wide = everybody
    for name, plan in parts.items():
        wide = wide.join(
            plan.select("user_id", nw.col("value").alias(name), *also.get(name, [])), on="user_id", how="left"
        )
    if due is None:
        return wide
    import datetime as dt

    at = dt.datetime.fromisoformat(day_text(day))
    ahead = due.filter(nw.col("next_due") >= at).select("user_id", "category", "next_due")
    soonest = ahead.group_by("user_id").agg(nw.col("next_due").min())
    first = ahead.join(soonest, on=["user_id", "next_due"], how="inner")
    first = first.group_by("user_id", "next_due").agg(nw.col("category").min().alias("due_category"))
    return wide.join(first.select("user_id", "due_category", "next_due"), on="user_id", how="left")
