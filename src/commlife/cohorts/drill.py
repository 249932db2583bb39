"""Drill: behind an alert, which part of the change comes from whom, and whom to call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect
from commlife.cohorts._cells import Asked, count_cells, group_columns
from commlife.cohorts._grid import finish
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.cohorts.alerts import RetentionAlerts
    from commlife.cohorts.question import CohortQuestion
    from commlife.orders import OrderLog

__all__ = ["cells_behind", "drill_alerts", "users_of_alerts"]

#: Attributes that part the users, and those of which a first order can hold several.
_PARTS = ("community", "channel", "coupon_id", "subsidised", "address_id")
_HELD = ("item_id", "category")
_RESULT = (
    "alert",
    "group",
    "cohort",
    "age",
    "by",
    "value",
    "size_before",
    "size",
    "rate_before",
    "rate",
    "mix_points",
    "rate_points",
    "points",
    "rest_points",
    "users_lost",
)


def drill_alerts(alerts: RetentionAlerts, log: OrderLog, *, by: str | Sequence[str], alert: int | None) -> pd.DataFrame:
    """See :meth:`RetentionAlerts.drill`."""
    names = (by,) if isinstance(by, str) else tuple(by)
    if alert is not None:
        alerts.row(alert)
    chosen = alerts.to_frame() if alert is None else alerts.to_frame().iloc[[alert]]
    for name in names:
        if name not in (*_PARTS, *_HELD):
            raise ConfigError.unknown_name("drill: by", name, (*_PARTS, *_HELD))
        if name in alerts.table.question.by:
            raise ConfigError(f"drill: the alerts are by {name!r} already. Drill by another attribute.")
    rows = [chosen.iloc[place] for place in range(len(chosen))]
    parts = []
    for name in names:
        cells = _held_cells(alerts.table.question, log, name) if name in _HELD else _part_cells(alerts, log, name)
        for place, row in zip(chosen.index.tolist(), rows, strict=True):
            parts.append(_decomposed(alerts, row, cells, name).assign(alert=int(place)))
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_RESULT))
    return whole[list(_RESULT)]


def _part_cells(alerts: RetentionAlerts, log: OrderLog, name: str) -> pd.DataFrame:
    """The table's own cells, by one attribute more."""
    question = alerts.table.question
    finer = question.model_copy(update={"by": (*question.by, name), "min_size": None})
    asked = Asked(log, finer)
    return finish(count_cells(asked), asked).rename(columns={name: "value"})


def _held_cells(question: CohortQuestion, log: OrderLog, name: str) -> pd.DataFrame:
    """Cells of the users whose first order held each item: a user counts once for each of them."""
    if question.measure != "retention" or question.cohort != "first_order":
        raise ConfigError(
            f'drill: by={name!r} is for tables of measure="retention" by first order. Drill by another attribute.'
        )
    log.require(name, why=f"drill(by={name!r})")
    asked = Asked(log, question)
    held = asked.first_orders_hold(name).select("user_id", "value").unique()
    members = asked.members.join(held, on="user_id", how="inner")
    keys = [*group_columns(question), "value", "cohort"]
    sizes = collect(members.group_by(*keys).agg(nw.len().alias("size")))
    rows = asked.active.join(members, on="user_id", how="inner")
    rows = rows.with_columns((nw.col("index") - nw.col("cohort")).alias("age"))
    counted = collect(rows.group_by(*keys, "age").agg(nw.len().alias("users")))
    sizes["cohort"] = asked.period.start(sizes["cohort"].to_numpy(), as_of=asked.as_of)
    counted["cohort"] = asked.period.start(counted["cohort"].to_numpy(), as_of=asked.as_of)
    merged = counted.merge(sizes, on=keys, how="right")
    merged["cohort"] = merged["cohort"].to_numpy().astype("datetime64[D]").astype("datetime64[us]")
    return merged


def _decomposed(alerts: RetentionAlerts, row: pd.Series[Any], cells: pd.DataFrame, name: str) -> pd.DataFrame:
    before, now = cells_behind(alerts, row)
    mine = _of_group(cells, row["group"], list(alerts.table.question.by))
    cohorts = before["cohort"].to_numpy()
    is_now = mine["cohort"] == row["cohort"]
    is_before = mine["cohort"].isin(cohorts)
    at_age = mine["age"] == row["age"]
    held = name in _HELD
    s0, x0 = _sums(mine, is_before, at_age, held=held)
    s1, x1 = _sums(mine, is_now, at_age, held=held)
    table = pd.concat([s0.rename("n0"), x0.rename("x0"), s1.rename("n1"), x1.rename("x1")], axis=1).fillna(0.0)
    n0, k0, n1, k1 = (table[column].to_numpy() for column in ("n0", "x0", "n1", "x1"))
    all0, all1 = float(before["size"].sum()), float(now["size"])
    rate0, rate1 = float(before["users"].sum()) / all0, float(now["users"]) / all1
    mix, by_rate = _kitagawa(n0 / all0, n1 / all1, *_rates(n0, k0, n1, k1), (rate0 + rate1) / 2.0)
    points = 100.0 * (mix + by_rate)
    found = pd.DataFrame(
        {
            "group": [row["group"]] * len(table),
            "cohort": row["cohort"],
            "age": row["age"],
            "by": name,
            "value": table.index,
            "size_before": n0 / len(cohorts),
            "size": n1,
            "rate_before": k0 / np.where(n0 > 0, n0, np.nan),
            "rate": k1 / np.where(n1 > 0, n1, np.nan),
            "mix_points": 100.0 * mix,
            "rate_points": 100.0 * by_rate,
            "points": points,
            "rest_points": 100.0 * (rate1 - rate0) - points,
            "users_lost": -points / 100.0 * all1,
        }
    )
    sign = 1.0 if row["direction"] == "drop" else -1.0
    order = np.lexsort((np.arange(len(found)), (sign * points).round(9)))
    return found.iloc[order]


def cells_behind(alerts: RetentionAlerts, row: pd.Series[Any]) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """The complete cells of the alert's group and age: the history that it was judged by, and the newest."""
    cells = _of_group(alerts.table.cells, row["group"], list(alerts.table.question.by))
    cells = cells.loc[(cells["age"] == row["age"]) & (cells["size"] > 0) & (cells["cohort"] <= row["cohort"])]
    history = cells.loc[cells["cohort"] < row["cohort"]].tail(int(row["history"]))
    return history, cells.iloc[-1]


def _of_group(cells: pd.DataFrame, group: Any, by: list[str]) -> pd.DataFrame:
    values = () if not by else (group,) if len(by) == 1 else group
    for name, value in zip(by, values, strict=True):
        cells = cells.loc[cells[name].isna() if pd.isna(value) else cells[name] == value]
    return cells


def _sums(
    cells: pd.DataFrame, chosen: pd.Series[bool], at_age: pd.Series[bool], *, held: bool
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Sizes and users of each value over the chosen cohorts; held items list only cells with somebody in them."""
    users = cells.loc[chosen & at_age].groupby("value", dropna=False)["users"].sum()
    of = cells.loc[chosen & (cells["age"] == 0)] if held else cells.loc[chosen & at_age]
    return of.groupby("value", dropna=False)["size"].sum(), users


def _rates(n0: Any, k0: Any, n1: Any, k1: Any) -> tuple[Any, Any]:
    """Rates before and now; a part that was absent once differs by mix alone."""
    r0, r1 = k0 / np.where(n0 > 0, n0, 1.0), k1 / np.where(n1 > 0, n1, 1.0)
    return np.where(n0 > 0, r0, r1), np.where(n1 > 0, r1, r0)


def _kitagawa(s0: Any, s1: Any, r0: Any, r1: Any, level: float) -> tuple[Any, Any]:
    return (s1 - s0) * ((r0 + r1) / 2.0 - level), (s0 + s1) / 2.0 * (r1 - r0)


def users_of_alerts(alerts: RetentionAlerts, log: OrderLog, *, alert: int | None) -> Any:
    """See :meth:`RetentionAlerts.users`."""
    question = alerts.table.question
    if question.measure not in ("retention", "streak") or question.cohort != "first_order":
        raise ConfigError(
            f'users() is for tables of measure="retention" by first order; this is {question.measured!r}.'
            " Make the alerts from such a table."
        )
    if alert is not None:
        alerts.row(alert)
    frame = alerts.to_frame()
    chosen = frame.loc[frame["direction"] == "drop"] if alert is None else frame.iloc[[alert]]
    asked = Asked(log, question)
    days = chosen["cohort"].to_numpy().astype("datetime64[D]").astype("int64")
    index = asked.period.index_of(days, as_of=asked.as_of)
    rows = [chosen.iloc[place] for place in range(len(chosen))]
    parts = []
    for place, row, cohort in zip(chosen.index.tolist(), rows, index, strict=True):
        mine = asked.members.filter(nw.col("cohort") == int(cohort), *_is_group(row["group"], question.by))
        parts.append(_who_stayed_away(mine, asked.active, int(cohort), place, int(row["age"])))
    if not parts:
        parts = [_who_stayed_away(asked.members, asked.active, 0, 0, 0).head(0)]
    return log.give(parts[0] if len(parts) == 1 else nw.concat(parts, how="vertical"))


def _is_group(group: Any, by: tuple[str, ...]) -> list[nw.Expr]:
    values = () if not by else group if len(by) > 1 else (group,)
    named = zip(by, values, strict=True)
    return [nw.col(name).is_null() if pd.isna(value) else nw.col(name) == value for name, value in named]


def _who_stayed_away(
    members: nw.LazyFrame[Any], active: nw.LazyFrame[Any], cohort: int, alert: Any, age: int
) -> nw.LazyFrame[Any]:
    there = active.filter(nw.col("index") == cohort + age).select("user_id")
    away = members.select("user_id").join(there, on="user_id", how="anti")
    numbers = {"alert": int(alert), "age": age}
    return away.with_columns(*(nw.lit(value).cast(nw.Int64).alias(name) for name, value in numbers.items()))
