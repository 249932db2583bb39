"""Every relational public call, the exports it is asked on, and how two answers are compared: for one suite everywhere.

The suite runs in ``tests/engines`` on the embedded engines and in ``slow/`` on Dask and PySpark.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

import commlife as cl
from commlife._engine import collect

#: What a call gives: frames by name.
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Export:
    """A shop's export: its frame, what its columns mean, and the day of the question."""

    frame: pd.DataFrame
    columns: dict[str, Any]
    as_of: str
    earlier: str

    def log(self, native: Any) -> cl.OrderLog:
        """The log of the same rows in another kind of frame."""
        return cl.OrderLog.from_frame(native, **self.columns)

    @property
    def people(self) -> list[Any]:
        """The users, in the order of their ids."""
        return sorted(self.frame[self.columns["user_id"]].unique())


_NAMES = {
    "user_id": "phone", "order_id": "order_no", "ordered_at": "paid_at", "amount": "paid", "quantity": "pieces",
    "cost": "bought_for", "discount": "off", "category": "class", "community": "estate", "channel": "way",
    "coupon_id": "coupon", "address_id": "door", "item_id": "sku", "status": "state",
}  # fmt: skip
_STATUS = {"done": "paid", "open": "placed", "void": "cancelled"}
_PEOPLE = ["甲", "乙", "ß", "ss", "SS", "é", "é", "a", "A", "z z", "😀", "𝄞", "ＦＦ", "ff", "ﬀ"]


def market(seed: int = 0, n: int = 900) -> Export:
    """Half a year of one town: ties in time, refunds, gifts, open orders, odd Unicode, nulls where they are allowed."""
    rng = np.random.default_rng(seed)
    order = np.sort(rng.integers(0, n // 2, n))
    owner = rng.integers(0, 60, n)[order]
    names = np.array([f"{_PEOPLE[i % len(_PEOPLE)]}{i // len(_PEOPLE)}" for i in range(60)])
    came = owner * 432  # one newcomer every three days
    began = came + (rng.random(n)[order] * (181 * 144 - came)).astype(np.int64)
    frame = pd.DataFrame(
        {
            "phone": names[owner],
            "order_no": order,
            "paid_at": pd.Timestamp("2025-01-01")
            + pd.to_timedelta((began + rng.integers(0, 3, n)) * 10, unit="min").astype("timedelta64[us]"),
            "paid": rng.integers(-900, 5_000, n) / 100,
            "pieces": rng.integers(1, 5, n).astype(float),
            "bought_for": np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 2_000, n) / 100),
            "off": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 300, n) / 100),
            "class": np.array(["veg", "fruit", "家政", None], dtype=object)[rng.integers(0, 4, n)],
            "estate": np.array(["east", "西区", "West"])[owner % 3],
            "way": np.array(["app", "shop"])[rng.integers(0, 2, n)],
            "coupon": np.array(["c1", None, None], dtype=object)[rng.integers(0, 3, n)],
            "door": rng.integers(0, 20, n).astype(str),
            "sku": rng.integers(0, 30, n),
            "state": np.array(["done", "done", "done", "done", "open", "void"])[rng.integers(0, 6, n)[order]],
        }
    )
    frame.loc[rng.random(n) < 0.1, "paid"] = 0.0
    # Orders share one instant now and then, so that "the earliest line" has ties.
    frame.loc[rng.random(n) < 0.1, "paid_at"] = pd.Timestamp("2025-02-03 08:00")
    frame = frame.sample(frac=1.0, random_state=seed, ignore_index=True)
    return Export(frame, {**_NAMES, "status_map": _STATUS}, "2025-06-30", "2025-05-31")


def clock_changes(seed: int = 1, n: int = 300) -> Export:
    """New York from October to April: instants with a zone in the weeks whose days have 23 and 25 hours."""
    rng = np.random.default_rng(seed)
    hours = np.r_[rng.integers(0, 200 * 24, n), np.arange(31 * 24, 34 * 24), np.arange(158 * 24, 161 * 24)]
    at = pd.Timestamp("2024-10-01", tz="UTC") + pd.to_timedelta(hours, unit="h").astype("timedelta64[us]")
    frame = pd.DataFrame(
        {
            "phone": rng.integers(0, 40, len(at)) * 7,
            "paid_at": at.as_unit("us"),
            "paid": rng.integers(-100, 3_000, len(at)) / 100,
            "estate": np.array(["N", "S"])[rng.integers(0, 2, len(at))],
        }
    )
    names = {"user_id": "phone", "ordered_at": "paid_at", "amount": "paid", "community": "estate"}
    return Export(frame, {**names, "timezone": "America/New_York"}, "2025-04-14", "2025-03-10")


def far_dates() -> Export:
    """The first and the last days that a log may hold, leap days and the turns of years with 53 weeks."""
    days = [
        "1970-01-01", "1970-01-05", "1999-12-31", "2000-02-29", "2000-03-01", "2020-12-28", "2020-12-31", "2021-01-01",
        "2021-01-03", "2021-01-04", "2024-02-29", "2027-01-01", "2099-12-31", "2100-02-28", "2100-03-01", "2100-12-30",
    ]  # fmt: skip
    at = pd.to_datetime(pd.Series(days * 3)).astype("datetime64[us]")
    frame = pd.DataFrame(
        {"phone": ["a"] * 16 + ["b", "c"] * 8 + list("defghijk") * 2, "paid_at": at, "paid": np.arange(48) + 0.25}
    )
    names = {"user_id": "phone", "ordered_at": "paid_at", "amount": "paid"}
    return Export(frame, names, "2100-12-31", "2100-03-02")


def fallen_retention() -> Export:
    """A synthetic community in which the newcomers of one estate stop coming back in one week."""
    made = cl.datasets.make_community(newcomers_per_week=150, n_weeks=12, drop_week=10, seed=5, lines_per_order=1.0)
    names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community", "channel")}
    frame = made.frame[list(names)]
    return Export(frame, {**names, "observed_from": made.world.start}, made.as_of, made.as_of)


def town() -> Export:
    """A synthetic community with items, coupons and refunds: what models and trials need more users for."""
    made = cl.datasets.make_community(n_users=260, n_weeks=26, drop_community=None, seed=11)
    taken = ("order_id", "amount", "quantity", "cost", "list_amount", "discount", "item_id", "category", "community",
             "channel", "coupon_id", "address_id")  # fmt: skip
    names = {name: name for name in ("user_id", "ordered_at", *taken) if name in made.frame}
    frame = made.frame[list(names)].sample(frac=1.0, random_state=3, ignore_index=True)
    return Export(frame, {**names, "observed_from": made.world.start}, made.as_of, "2025-05-26")


EXPORTS: dict[str, Callable[[], Export]] = {
    "market": market,
    "clock_changes": clock_changes,
    "far_dates": far_dates,
    "fallen_retention": fallen_retention,
    "town": town,
}

RULES = cl.CleaningRules(
    exclude_categories=("家政",),
    max_addresses_per_user=14,
    drop_zero_amount=True,
    merge_within="1D",
    winsorize_amount=0.95,
)
_LIFE = cl.Lifecycle(period="week", silent_after=2, churned_after=6)
_MONTHS = cl.Lifecycle(period="month", silent_after=1, churned_after=3)
_CUTS = {"recency": [7, 14, 30, 60], "frequency": [1, 2, 4, 8]}


def _cleaning(log: cl.OrderLog, e: Export) -> Answer:
    clean = log.clean(RULES)
    aside = collect(nw.from_native(clean.set_aside))
    return {
        "audit": clean.audit,
        "aside": aside.groupby("reason", as_index=False).size(),
        "orders": _by_instant(clean._orders(cl_day(e.as_of))),
        "summary": cl.purchase_summary(clean, as_of=e.as_of),
    }


def _by_instant(orders: nw.LazyFrame[Any]) -> pd.DataFrame:
    # Where equal orders merge, which of their ids the new one takes is told by the order of ids, not of rows.
    table = collect(orders.select("user_id", "us", "day", "net", "counts"))
    return table.sort_values(list(table.columns), ignore_index=True)


def cl_day(as_of: str) -> int:
    """Days since 1970."""
    return int((np.datetime64(as_of) - np.datetime64("1970-01-01")).astype(int))


def _lines(log: cl.OrderLog, e: Export) -> Answer:
    facts = {"rows": [log.n_rows], "orders": [log.n_orders], "users": [log.n_users], "last": [log.last_day]}
    lines = collect(nw.from_native(log.to_native()))
    return {
        "facts": pd.DataFrame(facts),
        "lines": lines.sort_values(list(lines.columns), ignore_index=True),
        "faults": log.faults[["fault", "column", "rows", "policy"]],
        "orders": _by_instant(log._orders(cl_day(e.earlier))),
    }


def _features(log: cl.OrderLog, e: Export) -> Answer:
    return {"now": cl.purchase_summary(log, as_of=e.as_of), "then": cl.purchase_summary(log, as_of=e.earlier)}


def _rfm(log: cl.OrderLog, e: Export) -> Answer:
    by = "community" if log.has("community") else None
    rfm = cl.RFM(cuts=_CUTS, by=by, min_group_users=5).fit(log, as_of=e.earlier)
    cuts = [{"group": "", **{f"{d}{k}": c for d, cs in rfm.cuts.items() for k, c in enumerate(cs)}}]
    cuts += [
        {"group": g.group, **{f"{d}{k}": c for d, cs in g.cuts.items() for k, c in enumerate(cs)}}
        for g in rfm.group_cuts
    ]
    summary = rfm.summary(log, as_of=e.as_of)
    before, after = rfm.transform(log, as_of=e.earlier), rfm.transform(log, as_of=e.as_of)
    return {
        "cuts": pd.DataFrame(cuts),
        "users": after,
        "segments": summary.table,
        "grid": summary.grid,
        "drift": rfm.drift(log, as_of=e.as_of).table,
        "migration": cl.migration(before, after).table,
        "mean": cl.RFM(n_bins=3, monetary="mean", lookback="90D", cuts={"frequency": [1, 3]})
        .fit(log, as_of=e.as_of)
        .transform(log, as_of=e.as_of),
    }


def _lifecycle(log: cl.OrderLog, e: Export) -> Answer:
    life = _LIFE.fit(log, as_of=e.as_of) if log.has("community") else _MONTHS.fit(log, as_of=e.as_of)
    answer = {"states": life.states, "counts": life.counts, "transitions": life.transitions, "growth": life.growth}
    if log.has("community"):
        by = cl.Lifecycle(period="28D", churned_after=3, washout="28D", by="community", lang="zh").fit(
            log, as_of=e.as_of
        )
        answer |= {"states_by": by.states, "counts_by": by.counts, "transitions_by": by.transitions}
    return answer


def _indices(log: cl.OrderLog, e: Export) -> Answer:
    value = cl.ValueIndex(rfm=cl.RFM(n_bins=3, cuts={"frequency": [1, 3]})).fit(log, as_of=e.as_of)
    loyalty = cl.Loyalty(period="week", n_periods=8).fit(log, as_of=e.as_of).index
    valued = value.transform(log, as_of=e.as_of)
    parted = cl.quadrants(valued, loyalty)
    return {"loyalty": loyalty, "value": valued, "quadrants": parted.table, "users": parted.users}


def _calls(log: cl.OrderLog, e: Export) -> Answer:
    lists = cl.contact_lists(log, as_of=e.as_of, lifecycle=_LIFE)
    return {
        "calls": cl.call_back_list(log, as_of=e.as_of, lifecycle=_LIFE, states=("silent", "churned")),
        "returns": cl.return_curve(log, as_of=e.as_of, period="week", within=2).table,
        "new": lists.new,
        "silent": lists.silent,
        "newcomers": lists.newcomers,
        "sizes": lists.table,
    }


def _cohorts(log: cl.OrderLog, e: Export) -> Answer:
    asked: dict[str, dict[str, Any]] = {
        "retention": {"period": "month"},
        "weeks": {"period": "week", "max_age": 8},
        "unbounded": {"period": "28D", "measure": "unbounded"},
        "streak": {"period": "month", "measure": "streak"},
        "bracket": {"period": "month", "measure": "bracket", "brackets": (0, 1, 3)},
        "churn": {"period": "month", "measure": "churn"},
        "recall": {"period": "month", "measure": "recall"},
        "repurchase": {"period": "quarter", "measure": "repurchase"},
        "orders": {"period": "month", "measure": "orders"},
        "aov": {"period": "month", "measure": "aov"},
        "revenue": {"period": "month", "measure": "cumulative_revenue"},
        "active": {"period": "month", "cohort": "active", "max_age": 3},
    }
    if e.as_of < "2030":
        asked["rolling"] = {"period": "month", "measure": "rolling", "window": "14D"}
    if log.has("community"):
        asked["by"] = {"period": "month", "by": "community", "washout": "14D"}
    if log.has("coupon_id"):
        asked["subsidised"] = {"period": "month", "by": ("subsidised", "channel"), "measure": "revenue"}
        asked["category"] = {"period": "month", "cohort": "category"}
    return {name: cl.cohort_table(log, as_of=e.as_of, **how).to_frame() for name, how in asked.items()}


def _accounting(log: cl.OrderLog, e: Export) -> Answer:
    answer = {"months": cl.growth_accounting(log, as_of=e.as_of, period="month")}
    if log.has("community"):
        answer["by"] = cl.growth_accounting(log, as_of=e.as_of, period="28D", by="community", washout="28D")
    return answer


def _alerts(log: cl.OrderLog, e: Export) -> Answer:
    table = cl.cohort_table(log, as_of=e.as_of, period="7D", by="community")
    alerts = cl.retention_alerts(table, level=0.1)
    answer = {"tested": alerts.tested, "alerts": alerts.to_frame()}
    return answer | {"users": alerts.users(log), "drill": alerts.drill(log, by="channel")}


def _metrics(log: cl.OrderLog, e: Export) -> Answer:
    months = cl.business_metrics(log, as_of=e.as_of, period="month")
    answer = {"months": months.table, "rates": months.rates}
    if log.has("community"):
        weeks = cl.business_metrics(log, as_of=e.as_of, period="week", by="community", last=8)
        answer |= {"by": weeks.table, "rates by": weeks.rates}
    if log.has("quantity"):
        answer["units"] = cl.units_per_order(log, as_of=e.as_of, by="community")
        answer["heat"] = cl.product_heat(log, as_of=e.as_of, top=10)
        answer["attach"] = cl.attach_rate(log, as_of=e.as_of, anchor="veg", addon="fruit", level="category").to_frame()
    return answer


def _panel(log: cl.OrderLog, e: Export) -> Answer:
    panel = cl.SilencePanel(horizon="14D", active_within="28D", snapshots=2).build(log, as_of=e.as_of)
    now = cl.SilencePanel(horizon="14D", active_within="28D").now(log, as_of=e.as_of)
    return {"panel": panel.to_frame(), "now": now.to_frame()}


def _horizon(log: cl.OrderLog, e: Export) -> Answer:
    return {"returns": cl.suggest_horizon(log, as_of=e.as_of).to_frame()}


def _user_table(log: cl.OrderLog, e: Export) -> Answer:
    rfm = cl.RFM(cuts=_CUTS).fit(log, as_of=e.as_of)
    return {"users": cl.user_table(log, as_of=e.as_of, rfm=rfm, lifecycle=_LIFE.fit(log, as_of=e.as_of))}


def _tags(log: cl.OrderLog, e: Export) -> Answer:
    tags = cl.user_tags(log, as_of=e.as_of, window="56D", history=3, min_orders=2, min_gaps=2)
    answer = {"users": tags.users, "tags": tags.tags}
    if tags.due is not None:
        answer["due"] = tags.due
        answer["cycles"] = cl.repurchase_cycles(log, as_of=e.as_of, min_gaps=2)
    return answer


def _kinds(log: cl.OrderLog, e: Export) -> Answer:
    types = cl.BehaviourTypes(n_types=2).fit(log, as_of=e.as_of)
    answer = {"types": types.table, "members": types.transform(log, as_of=e.as_of)}
    if log.has("category"):
        groups = cl.interest_groups(log, as_of=e.as_of, max_size=10, min_orders=2, permutations=19)
        answer |= {"groups": groups.table, "grouped": groups.users}
    called = pd.DataFrame({"user_id": e.people[::3], "called_at": pd.Timestamp(f"{e.earlier} 10:00")})
    read = cl.outreach_readout(like(log, called), log, as_of=e.as_of, channel=None, outcome=None, cost=1.0)
    return answer | {"read": read.table, "balance": read.balance}


def _events(e: Export) -> pd.DataFrame:
    """What users did beside ordering: visits of all, registrations of most, some twice and some too late."""
    rng = np.random.default_rng(7)
    people = np.array(e.people, dtype=object)[rng.integers(0, len(e.people), 400)]
    first = pd.Timestamp(e.as_of) - pd.Timedelta(days=170)
    frame = pd.DataFrame(
        {
            "user_id": people,
            "event": np.array(["visit", "visit", "register", "refer", "noise"])[rng.integers(0, 5, 400)],
            "time": (first + pd.to_timedelta(rng.integers(0, 170 * 24, 400), unit="h")).astype("datetime64[us]"),
            "way": np.array(["app", "小程序"])[rng.integers(0, 2, 400)],
        }
    )
    return frame.astype({"user_id": type(e.people[0])})


def _funnel(log: cl.OrderLog, e: Export) -> Answer:
    events = like(log, _events(e))
    way = cl.funnel(
        events, steps=["visit", "register", "first_order", "order"], as_of=e.as_of, log=log, window="56D", by="way"
    )
    alone = cl.funnel(log, steps=["first_order", "second_order"], as_of=e.as_of, window={"second_order": "28D"})
    answer = {"way": way.table, "unentered": way.unentered, "orders": alone.table}
    if log.has("community"):
        by = cl.funnel(log, steps=["first_order", "second_order", "order"], as_of=e.as_of, by="community")
        answer["by"] = by.table
    seen = cl.business_metrics(log, as_of=e.as_of, period="month", events=events)
    return answer | {"activity": seen.table, "activity rates": seen.rates}


def _invitations(log: cl.OrderLog, e: Export) -> Answer:
    rng = np.random.default_rng(8)
    many = np.array(e.people, dtype=object)
    sent = pd.DataFrame(
        {
            "inviter": many[rng.integers(0, len(many), 300)],
            "invitee": many[rng.integers(0, len(many), 300)],
            "time": (
                pd.Timestamp(e.as_of) - pd.Timedelta(days=180) + pd.to_timedelta(rng.integers(0, 4_000, 300), unit="h")
            ).astype("datetime64[us]"),
        }
    ).astype({"inviter": type(e.people[0]), "invitee": type(e.people[0])})
    told = cl.k_factor(like(log, sent), log, as_of=e.as_of, period="month", n_boot=20)
    return {"cohorts": told.table, "aside": told.set_aside}


def _revenue(log: cl.OrderLog, e: Export) -> Answer:
    answer = {"month": cl.revenue_tree(log, as_of=e.as_of).table}
    if log.has("community"):
        by = cl.revenue_tree(log, as_of=e.as_of, period="28D", against=2, by="community")
        answer |= {"by": by.table, "total": by.total}
    return answer


def _shelf(log: cl.OrderLog, e: Export) -> Answer:
    days = pd.date_range(end=e.as_of, periods=17, freq="7D").astype("datetime64[us]")
    items = sorted(e.frame[e.columns["item_id"]].dropna().unique())[:12]
    stock = pd.DataFrame({"item_id": np.repeat(items, len(days)), "day": np.tile(days, len(items))})
    stock["on_hand"] = np.random.default_rng(9).integers(0, 60, len(stock)).astype(float)
    prices = pd.DataFrame({"item_id": items, "original_price": 30.0, "payable_price": np.arange(len(items)) * 4.0})
    few = {"min_periods": 8, "min_price_spread": 0.01}
    elastic = cl.price_elasticity(log, as_of=e.as_of, period="14D", **few)
    kinds = cl.price_elasticity(log, as_of=e.as_of, level="category", period="14D", **few)
    return {
        "through": cl.sell_through(log, like(log, stock), as_of=e.as_of, last=6).table,
        "days": cl.days_of_stock(log, like(log, stock), as_of=e.as_of).table,
        "items": elastic.table,
        "refused": elastic.refused,
        "categories": kinds.table,
        "prices": cl.PriceGuard().audit_prices(log, like(log, prices), as_of=e.as_of),
    }


def _baskets(log: cl.OrderLog, e: Export) -> Answer:
    sets = cl.frequent_itemsets(log, as_of=e.as_of, level="item_id", min_count=3)
    kinds = cl.frequent_itemsets(log, as_of=e.as_of, level="category", min_support=0.05, keep="closed")
    rules = cl.association_rules(sets, min_confidence=0.05)
    return {"itemsets": sets.to_frame(), "kinds": kinds.to_frame(), "rules": rules.to_frame()}


def _later_baskets(log: cl.OrderLog, e: Export) -> Answer:
    early = cl.frequent_itemsets(log, as_of=e.earlier, level="category", min_count=3)
    rules = cl.association_rules(early, min_confidence=0.05)
    later = cl.holdout_rules(rules, log, since=e.earlier, as_of=e.as_of, level="category")
    told = cl.evaluate_cross_sell(rules, log, since=e.earlier, as_of=e.as_of, level="category", n_bootstrap=100)
    return {
        "contrast": cl.contrast_itemsets(log, as_of=e.as_of, by="community", level="category", min_count=3, min_len=1),
        "bundles": cl.bundles(log, as_of=e.as_of, since=e.earlier, min_count=3, max_q=1.0),
        "pulls": cl.hot_pulls(log, as_of=e.as_of, hot=3, profitable=2, level="category"),
        "holdout": later,
        "evaluation": told.table,
    }


def _value(log: cl.OrderLog, e: Export) -> Answer:
    summary = cl.purchase_summary(log, as_of=e.earlier)
    bg, gg = cl.BetaGeo().fit(summary, time_unit="7D"), cl.GammaGamma().fit(summary)
    values = cl.lifetime_value(bg, gg, summary, horizon="91D", annual_discount=0.1, margin=0.2)
    on_log = cl.BetaGeo().fit(log, as_of=e.earlier, time_unit="7D")
    tracked = cl.tracking_check(on_log, log, as_of=e.as_of).table
    # Predictions stand in the order of the summary, and a lazy one has none.
    alive, values = (plain(frame).sort_values("user_id", ignore_index=True) for frame in (bg.p_alive(summary), values))
    return {"alive": alive, "value": values, "tracking": tracked}


def _trial(log: cl.OrderLog, e: Export) -> Answer:
    dealt = pd.DataFrame({"user_id": e.people, "arm": np.where(np.arange(len(e.people)) % 2, "half", "none")})
    read = cl.readout(
        log, like(log, dealt), as_of=e.as_of, start=e.earlier, window="28D", assignment="adjusted", by=["community"],
        coupons=sorted(e.frame[e.columns["coupon_id"]].dropna().unique())[:2], margin=0.3,
    )  # fmt: skip
    return {"read": read.to_frame()}


def _campaign(log: cl.OrderLog, e: Export) -> Answer:
    read = cl.campaign_readout(
        log, "2025-05-26", "2025-06-09", as_of=e.as_of, treated="C03", before="28D", washout="28D", confidence_level=0.5
    )
    return {"read": read.to_frame()}


def _silence(log: cl.OrderLog, e: Export) -> Answer:
    model = cl.SilenceModel(horizon="14D", active_within="56D", snapshots=2, n_trees=20, refits=2, resamples=10)
    fitted = model.fit(log, as_of=e.as_of)
    return {
        "evaluation": fitted.evaluation,
        "drivers": fitted.drivers(),
        "predict": fitted.predict(log, as_of=e.as_of),
        "features": fitted.feature_table(log, as_of=e.as_of),
        "reasons": fitted.reasons(log, as_of=e.as_of, k=2),
        "riskiest": fitted.reasons(log, as_of=e.as_of, k=2, users=0.3, lang="zh"),
        "drift": fitted.drift(log, as_of=e.as_of).to_frame(),
    }


def _state(log: cl.OrderLog, e: Export) -> Answer:
    question = cl.CohortQuestion(as_of=e.as_of, period="month", washout="28D")
    state = cl.LogState.start(log, as_of=e.as_of, follow=[cl.Lifecycle(period="week", washout="28D"), question])
    life = state.lifecycle()
    return {"summary": state.purchase_summary(), "states": life.states, "cohorts": state.cohort_table().to_frame()}


def like(log: cl.OrderLog, table: pd.DataFrame) -> Any:
    """A host's small frame beside the log, in the log's own kind."""
    kind = log._frame.implementation
    if kind is nw.Implementation.POLARS:
        import polars as pl

        return pl.from_pandas(table)
    if kind in {nw.Implementation.PYARROW, nw.Implementation.DUCKDB}:
        import pyarrow as pa

        made = pa.Table.from_pandas(table, preserve_index=False)
        if kind is nw.Implementation.PYARROW:
            return made
        import duckdb

        return duckdb.connect().from_arrow(made)
    if kind is nw.Implementation.DASK:
        import dask.dataframe as dd

        return dd.from_pandas(table, npartitions=2)
    if kind is nw.Implementation.PYSPARK:
        return spark_table(nw.to_native(log._frame).sparkSession, table)
    return table


def spark_table(spark: Any, table: pd.DataFrame) -> Any:
    """Rows on Spark: TIMESTAMP_NTZ for naive times, TIMESTAMP for instants."""
    from pyspark.sql import types

    kinds = {"i": types.LongType(), "f": types.DoubleType(), "M": types.TimestampNTZType()}
    fields = []
    for name in table.columns:
        instant = isinstance(table[name].dtype, pd.DatetimeTZDtype)
        kind = types.TimestampType() if instant else kinds.get(table[name].dtype.kind, types.StringType())
        fields.append(types.StructField(name, kind))
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    for row in rows:
        row |= {name: value.to_pydatetime() for name, value in row.items() if isinstance(value, pd.Timestamp)}
    return spark.createDataFrame(rows, types.StructType(fields))


CALLS: dict[str, Callable[[cl.OrderLog, Export], Answer]] = {
    "lines": _lines,
    "cleaning": _cleaning,
    "features": _features,
    "rfm": _rfm,
    "lifecycle": _lifecycle,
    "indices": _indices,
    "calls": _calls,
    "tags": _tags,
    "kinds": _kinds,
    "cohorts": _cohorts,
    "accounting": _accounting,
    "alerts": _alerts,
    "metrics": _metrics,
    "panel": _panel,
    "horizon": _horizon,
    "user_table": _user_table,
    "funnel": _funnel,
    "invitations": _invitations,
    "revenue": _revenue,
    "shelf": _shelf,
    "baskets": _baskets,
    "later_baskets": _later_baskets,
    "value": _value,
    "trial": _trial,
    "campaign": _campaign,
    "silence": _silence,
    "state": _state,
}
_NEED_ITEMS = {"baskets", "later_baskets"}
_NEED_USERS = {"shelf", "value", "trial", "silence", "campaign"}
#: Calls that need more columns, or more users, than the smaller exports have.
_NOT_ON = {
    "market": {"alerts", *_NEED_USERS},
    "clock_changes": {"cleaning", "alerts", "user_table", *_NEED_ITEMS, *_NEED_USERS},
    "far_dates": {"cleaning", "calls", "alerts", "panel", "horizon", "user_table", "indices", "tags", "kinds"}
    | {"funnel", "invitations", "state", *_NEED_ITEMS, *_NEED_USERS},
    "fallen_retention": set(CALLS) - {"alerts"},
    "town": set(CALLS) - _NEED_USERS,
}


#: Calls that take seconds.
LONG = {"silence", "trial", "later_baskets", "user_table", "kinds"}


def cases(*, small: bool = False) -> list[tuple[str, str]]:
    """Exports and calls that go together; ``small`` leaves out what another case shows already."""
    pairs = [(export, call) for export in EXPORTS for call in CALLS if call not in _NOT_ON.get(export, ())]
    if not small:
        return pairs
    return [(e, call) for e, call in pairs if e in ("market", "town") or call in ("lines", "features", "alerts")]


def ask(call: str, log: cl.OrderLog, export: Export) -> Answer:
    """The answer, with the log's own caveats (few values for RFM, lives cut off) heard elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        return CALLS[call](log, export)


def assert_equal(seen: Answer, wanted: Answer) -> None:
    """Integers and labels exactly, money to the cent, floats to 1e-9; rows of lazy frames in the order of their keys."""
    assert list(seen) == list(wanted)
    for name, frame in seen.items():
        lazy = isinstance(nw.from_native(frame), nw.LazyFrame)
        given, expected = plain(frame), plain(wanted[name])
        assert list(given.columns) == list(expected.columns), name
        if lazy:
            keys = [column for column in expected.columns if expected[column].dtype != np.float64]
            given = given.sort_values(keys, ignore_index=True)
            expected = expected.sort_values(keys, ignore_index=True)
        pd.testing.assert_frame_equal(given, expected, check_exact=False, rtol=1e-9, atol=1e-9, obj=name)


def plain(native: Any) -> pd.DataFrame:
    """Any frame as pandas with three kinds of column: float64 where there are fractions or nulls, int64, text."""
    table = collect(nw.from_native(native))
    return pd.DataFrame({name: _plain(table[name]) for name in table.columns})


def _plain(column: pd.Series[Any]) -> Any:
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.infer_dtype(column) in ("date", "datetime"):
        return pd.to_datetime(column).astype("datetime64[us]").to_numpy()
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(column.dtype):
        whole = pd.api.types.is_integer_dtype(column.dtype) and not column.isna().any()
        return column.to_numpy(dtype=np.int64 if whole else np.float64)
    values = np.empty(len(column), dtype=object)
    values[:] = [None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in column.tolist()]
    return values
