"""The one big table: a row a user, with everything that the house knows of her."""

from __future__ import annotations

import gc
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._text import Language, check_language, label
from commlife.coupons import CrossCategory
from commlife.errors import InsufficientDataError, LeftTruncatedWarning
from commlife.features import purchase_summary
from commlife.features.tastes import bought_categories, favourite_category, price_band
from commlife.features.users import own_attributes, warn_if_left_truncated
from commlife.orders.calendar import Timestamp, day_text, days_to_datetime64
from commlife.orders.log import need_log
from commlife.report._models import VALUE_HORIZON, Models, fit_missing
from commlife.segments.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from commlife.churn import FittedSilenceModel
    from commlife.coupons import Coupon, CouponPlan, Policy
    from commlife.orders import OrderLog
    from commlife.segments import FittedLifecycle, FittedRFM

__all__ = [
    "AT_ONCE", "COUNTS", "Bounds", "aside_rows", "before_coupons", "bounds_of", "build", "finished", "for_policy",
    "tables", "user_table", "with_coupons",
]  # fmt: skip

#: Reasons of cleaning rules that take a user out whole, and the segment that she gets.
SET_ASIDE_SEGMENTS = {"proxy_buyer": "proxy_buyer", "excluded_category": "service_buyer"}
#: Payers whose rows are made at once where the log lies out of core.
AT_ONCE = 100_000
#: Ids from which (None: no bound) to below which a part of the users reaches.
Bounds = tuple[Any, Any]
#: Columns of whole numbers, null for users who were set aside.
COUNTS = ("r_score", "f_score", "m_score", "x", "t_x", "T", "recency_days", "frequency")
#: Reasons shown, and how many are looked through for those that push the risk up.
REASONS, REASONS_ASKED = 3, 12


def user_table(
    log: OrderLog,
    *,
    as_of: Timestamp,
    rfm: FittedRFM | None = None,
    lifecycle: FittedLifecycle | None = None,
    silence: FittedSilenceModel | None = None,
    offers: Policy | Sequence[Coupon] | None = None,
    budget: float | None = None,
    lang: Language = "en",
) -> Any:
    """One row a user at ``as_of``.

    Fitted objects are used as given. What is None is fitted here with its defaults, and said so in the table's notes:
    ``frame.attrs["notes"]`` of a pandas frame, the metadata of a PyArrow table; a Polars frame has no place for them
    (:func:`weekly_report` shows them in any case).

    Args:
        log: The order log, best a cleaned one.
        as_of: The local business day before whose midnight everything counts.
        rfm: Scores by frozen cuts.
        lifecycle: States and flows.
        silence: The silence model.
        offers: A coupon policy, or coupons for the usual one; None makes examples from the median order.
        budget: Most money for coupons in major units; None: no limit.
        lang: ``"en"`` or ``"zh"``, for sentences and actions.

    Returns:
        A frame in the input's own kind (pandas for lazy ones), sorted by user_id:

        - ``user_id``; ``community`` of the first order, where the log has it;
        - ``first_day``, ``last_day`` of orders that count; ``x, t_x, T, m_x`` as in :func:`purchase_summary`;
        - ``recency_days, frequency, monetary, r_score, f_score, m_score, rfm_code, segment``;
        - ``state, since`` of the lifecycle;
        - ``favourite_category, price_band``;
        - ``next_order_by``: the median day of the next order, null where it is less likely than not to come;
        - ``expected_spend_91d``: expected orders in 91 days times the mean order, in major units;
        - ``p_silent`` of active users, and ``reason_1, reason_2, reason_3``: what pushes it up most;
        - ``coupon_id, coupon_reason, coupon_cost`` (expected), ``next_action``.

        Users set aside by a cleaning rule keep a row: segment ``proxy_buyer`` or ``service_buyer``, with their
        frequency and money, and without scores.

    Raises:
        InsufficientDataError: If nobody has an order that counts before ``as_of``.

    Examples:
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=300, seed=2)
        >>> table = cl.user_table(community.log, as_of=community.as_of)
        >>> table[["segment", "state", "price_band"]].notna().all().all()
        np.True_
    """
    need_log(log, "user_table")
    language = check_language(lang)
    models = fit_missing(
        log, as_of=as_of, rfm=rfm, lifecycle=lifecycle, silence=silence, offers=offers, lang=language, drivers=False
    )
    table, plan = build(log, models, budget=budget, lang=language)
    del plan
    return _with_notes(log.give_table(table), models.notes)


def build(log: OrderLog, models: Models, *, budget: float | None, lang: Language) -> tuple[pd.DataFrame, CouponPlan]:
    """The table as pandas, and the coupon plan inside it."""
    warn_if_left_truncated(log, models.as_of, washout=None)
    out_of_core = log._frame.implementation not in {*_engine.EAGER, *_engine.SPREAD}
    bounds: list[Bounds] = bounds_of(log, models.as_of, AT_ONCE) if out_of_core else [(None, None)]
    made, asked = [], []
    for _, part, rows in tables(log, models, bounds, lang):
        made.append(rows)
        asked.append(for_policy(rows, part, models))
        del part
    table = pd.concat(made, ignore_index=True)
    made.clear()
    plan = models.policy.plan(pd.concat(asked, ignore_index=True), budget=budget, lang=lang)
    table = with_coupons(table, plan.users.set_index("user_id"))
    return finished(table, aside_rows(log), log, models, lang=lang), plan


def bounds_of(log: OrderLog, day: int, users_at_once: int) -> list[Bounds]:
    """Ranges of ids that cover everybody, each with about as many payers as are made at once."""
    counting = log._orders(day).filter(nw.col("counts"))
    payers = _engine.settle(counting.select("user_id").unique())
    n = _engine.count_rows(payers)
    if n == 0:
        raise InsufficientDataError.no_payers("the user table", day_text(day))
    parts = -(-n // users_at_once)
    if parts == 1:
        return [(None, None)]
    size = -(-n // parts)
    ranked = payers.with_row_index("place", order_by="user_id")
    firsts = _engine.collect(ranked.filter((nw.col("place") % size == 0) & (nw.col("place") > 0)).select("user_id"))
    edges = [None, *sorted(firsts["user_id"].tolist()), None]
    return list(pairwise(edges))


def tables(
    log: OrderLog, models: Models, bounds: list[Bounds], lang: Language
) -> Iterator[tuple[Bounds, OrderLog, pd.DataFrame]]:
    """The part of the log within each bound, and its table before coupons."""
    for bound in bounds:
        part = log if len(bounds) == 1 else log._of_users(*bound)
        with warnings.catch_warnings():
            # Whether the log begins in the middle of lives was told of the whole of it.
            warnings.simplefilter("ignore", LeftTruncatedWarning)
            with _engine.scope():
                table = before_coupons(part, models, lang=lang)
        yield bound, part, table
        if part is not log:
            # What was settled for this part goes before the next one is read; frames of engines refer to each other.
            part._memory.clear()
            del part, table
            gc.collect()


def before_coupons(log: OrderLog, models: Models, *, lang: Language) -> pd.DataFrame:
    """Everything but the coupons, of every payer of the log."""
    day, today = models.as_of, day_text(models.as_of)
    table = _collected(purchase_summary(log, as_of=today))
    table = table.merge(_collected(models.rfm.transform(log, as_of=today)), on="user_id", how="left", validate="1:1")
    first = day - 1 - table["T"].to_numpy()
    table.insert(1, "first_day", days_to_datetime64(first))
    table.insert(2, "last_day", days_to_datetime64(first + table["t_x"].to_numpy()))
    if log.has("community"):
        own = _collected(own_attributes(log, day, "community"))
        table.insert(1, "community", table[["user_id"]].merge(own, on="user_id", how="left")["community"])
    table = table.merge(_states(log, table, models), on="user_id", how="left", validate="1:1")
    state_action = table.pop("next_action")
    for plan_of_tastes in ([favourite_category] if log.has("category") else []) + [price_band]:
        table = table.merge(_collected(plan_of_tastes(log, day)), on="user_id", how="left", validate="1:1")
    table = _with_future(table, models, day)
    table = _with_silence(table, log, models, lang)
    table["next_action"] = _next_action(table, state_action, models, lang)
    return table


def with_coupons(table: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
    """The table with what a plan gives to each of its users; ``decided`` is the plan's users by user_id."""
    given = decided.loc[table["user_id"]].reset_index()
    action = table.pop("next_action")
    table["coupon_id"] = given["coupon_id"]
    table["coupon_reason"] = given["reason"].where(given["coupon_id"].notna())
    table["coupon_cost"] = given["expected_cost"]
    table["next_action"] = action
    return table


def finished(
    table: pd.DataFrame, aside: pd.DataFrame, log: OrderLog, models: Models, *, lang: Language
) -> pd.DataFrame:
    """The table with the users whom cleaning rules took out whole, whole numbers as such, by user_id."""
    users = _set_aside_users(aside, table["user_id"], models.as_of, log.currency_digits, lang)
    whole = pd.concat([table, users], ignore_index=True) if len(users) else table
    for score in COUNTS:
        whole[score] = whole[score].astype("Int64" if whole[score].isna().any() else "int64")
    return whole.sort_values("user_id", ignore_index=True)


def _states(log: OrderLog, table: pd.DataFrame, models: Models) -> pd.DataFrame:
    """``user_id, state, since, next_action`` of the users of the table."""
    columns = ["user_id", "state", "since", "next_action"]
    if isinstance(models.lifecycle, Lifecycle):
        try:
            return _collected(models.lifecycle.fit(log, as_of=day_text(models.as_of)).states)[columns]
        except InsufficientDataError:
            # None of these users has an order in a complete period; those of other parts may.
            empty = {"user_id": table["user_id"].head(0), "since": np.empty(0, dtype="datetime64[us]")}
            return pd.DataFrame(empty | dict.fromkeys(("state", "next_action"), pd.Series(dtype="str")))[columns]
    states = nw.from_native(models.lifecycle.states).lazy().select(*columns)
    if log._everybody is not log:
        ids = table["user_id"]
        states = states.filter((nw.col("user_id") >= ids.min()) & (nw.col("user_id") <= ids.max()))
    return _collected(nw.to_native(states))


def _collected(native: Any) -> pd.DataFrame:
    plan = nw.from_native(native).lazy()
    return _engine.collect_rows(plan, call="the user table", way_out="Ask for it by parts of the users.")


def _with_future(table: pd.DataFrame, models: Models, day: int) -> pd.DataFrame:
    """Median date of the next order, and what the next quarter should bring."""
    if models.purchases is None:
        return table.assign(
            next_order_by=np.full(len(table), np.datetime64("NaT"), dtype="datetime64[us]"), expected_spend_91d=np.nan
        )
    summary = table[["user_id", "x", "t_x", "T", "m_x"]]
    days = models.purchases.median_days_to_next_order(summary)["median_days_to_next_order"].to_numpy()
    known = np.isfinite(days)
    dates = np.full(len(table), np.datetime64("NaT"), dtype="datetime64[us]")
    dates[known] = days_to_datetime64(day - 1 + np.ceil(days[known]).astype(np.int64))
    expected = models.purchases.expected_purchases(summary, horizon=VALUE_HORIZON)["expected_purchases"].to_numpy()
    # Purchases of the model are days with an order, so the money beside them is that of a day with an order.
    mean = table["monetary"].to_numpy() / (table["x"].to_numpy() + 1)
    return table.assign(next_order_by=dates, expected_spend_91d=expected * np.maximum(mean, 0.0))


def _with_silence(table: pd.DataFrame, log: OrderLog, models: Models, lang: Language) -> pd.DataFrame:
    """Risk of silence of active users, with the three main reasons that push it up or down."""
    columns = ["p_silent", *(f"reason_{rank}" for rank in range(1, REASONS + 1))]
    if models.silence is None:
        return table.assign(**dict.fromkeys(columns, pd.Series(np.nan, index=table.index)))
    # Reasons for the risk are what pushes it up; what holds it down is in the model's own table of reasons.
    told = models.silence._pushing(log, as_of=day_text(models.as_of), k=REASONS, among=REASONS_ASKED, lang=lang)
    return table.merge(told[["user_id", *columns]], on="user_id", how="left", validate="1:1")


def for_policy(table: pd.DataFrame, log: OrderLog, models: Models) -> pd.DataFrame:
    """What the rules of the policy read of each user."""
    wanted = ["user_id", "state", "segment", "frequency", "recency_days", "monetary", "p_silent", "favourite_category"]
    users = table[[name for name in wanted if name in table.columns]].copy()
    if log.has("category") and any(isinstance(rule, CrossCategory) for rule in models.policy.rules):
        bought = _collected(bought_categories(log, models.as_of))
        users = users.merge(_joined_categories(bought), on="user_id", how="left")
    users["tenure_days"] = table["T"].to_numpy() + 1
    return users


def _joined_categories(bought: pd.DataFrame) -> pd.DataFrame:
    """One row a user: ``bought_categories``, the names of her categories in order, such as ``eggs|milk``."""
    user, ids = pd.factorize(bought["user_id"])
    category, names = pd.factorize(bought["category"].astype(str), sort=True)
    # One sort of one number a row, and one join a user: pandas would make a frame of each.
    row = np.sort(user.astype(np.int64) * max(len(names), 1) + category)
    begins = np.flatnonzero(np.diff(row // max(len(names), 1))) + 1
    parts = np.split(np.asarray(names, dtype=object)[row % max(len(names), 1)], begins) if len(row) else []
    texts = pd.Series(map("|".join, parts), dtype="str")
    return pd.DataFrame({"user_id": ids, "bought_categories": texts})


def _next_action(table: pd.DataFrame, of_state: pd.Series[Any], models: Models, lang: Language) -> pd.Series[Any]:
    """Who is new or away gets the lifecycle's action, everybody else that of the segment."""
    actions = {
        segment.name: segment.next_action_zh if lang == "zh" else segment.next_action_en
        for segment in models.rfm.segment_map.segments
    }
    of_segment = table["segment"].map(actions)
    away = table["state"].isin(["new", "silent", "churned", "returned"])
    return of_state.where(away & of_state.notna(), of_segment)


def aside_rows(log: OrderLog) -> pd.DataFrame:
    """Rows of users whom a cleaning rule took out whole."""
    aside = _collected(log.set_aside) if len(log.audit) else pd.DataFrame({"reason": []})
    return aside[aside["reason"].isin(list(SET_ASIDE_SEGMENTS))]


def _set_aside_users(aside: pd.DataFrame, kept: pd.Series[Any], day: int, digits: int, lang: Language) -> pd.DataFrame:
    """Users whom a cleaning rule took out whole: who they are, how often they order, for how much."""
    if aside.empty:
        return pd.DataFrame()
    times = pd.to_datetime(aside["ordered_at"])
    before = (times < pd.Timestamp(day_text(day))) & ~aside["user_id"].isin(kept)
    aside = aside.assign(at=times)[before]
    if aside.empty:
        return pd.DataFrame()
    key = "order_id" if "order_id" in aside.columns else "at"
    grouped = aside.groupby("user_id", sort=True)
    table = grouped.agg(
        first_day=("at", "min"), last_day=("at", "max"), frequency=(key, "nunique"), monetary=("amount", "sum"),
        reason=("reason", "first"), **({"community": ("community", "min")} if "community" in aside.columns else {}),
    ).reset_index()  # fmt: skip
    table["first_day"] = table["first_day"].dt.floor("D")
    table["last_day"] = table["last_day"].dt.floor("D")
    table["monetary"] = table["monetary"].round(digits)
    table["recency_days"] = (pd.Timestamp(day_text(day)) - table["last_day"]).dt.days
    table["segment"] = table.pop("reason").map(SET_ASIDE_SEGMENTS)
    words = {
        "proxy_buyer": (
            "Orders for others: win the neighbours behind the account.",
            "代他人下单：争取账号背后的邻居。",
        ),
        "service_buyer": ("Buys services alone: offer groceries once.", "只买服务：推荐一次生鲜。"),
    }
    at = 1 if lang == "zh" else 0
    table["next_action"] = table["segment"].map({name: pair[at] for name, pair in words.items()})
    return table


def _with_notes(frame: Any, notes: Sequence[str]) -> Any:
    if isinstance(frame, pd.DataFrame):
        frame.attrs["notes"] = list(notes)
    elif hasattr(frame, "replace_schema_metadata"):
        frame = frame.replace_schema_metadata({"notes": "\n".join(notes)})
    return frame


def segment_label(name: str, models: Models, lang: Language) -> str:
    """How a segment is called in a language, those of set-aside users included."""
    for segment in models.rfm.segment_map.segments:
        if segment.name == name:
            return segment.label(lang)
    return label(name, lang)
