"""The sections of the weekly page: what each one says, as plain data that a template can lay out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from commlife._figures.colours import BASE, STATES, heat
from commlife._figures.svg import sparkline, stacked_columns
from commlife._text import labels
from commlife.errors import InsufficientDataError
from commlife.report._format import integer, money, number, percent, points
from commlife.report._layout import Cell, Page, Section, Table, Tile, Write, date, make_table, of, text
from commlife.report.users import segment_label

__all__ = ["sections"]

WEEKS_SHOWN = 13
COHORTS_SHOWN = 14
AGES_SHOWN = 9
ROWS_SHOWN = 15
#: Alarms look at the weeks in which a newcomer is won or lost; more of them would only raise the bar for each.
ALERT_AGES = (1, 2, 3, 4)


def sections(page: Page) -> list[Section]:
    """All sections, in the order of the page."""
    makers: Sequence[Callable[[Page], Section]] = (
        _numbers, _lifecycle, _communities, _retention, _segments, _calls, _risks, _drivers, _rules, _coupons, _notes,
    )  # fmt: skip
    return [make(page) for make in makers]


def _numbers(page: Page) -> Section:
    """The week's numbers against the four weeks before."""
    from commlife.metrics import METRICS, business_metrics

    ways: dict[str, tuple[Callable[[Any], str], int]] = {
        "net": (money, 1), "orders": (integer, 1), "payers": (integer, 1), "new_payers": (integer, 1),
        "aov": (number, 1), "arppu": (number, 1), "repurchase_rate": (percent, 1), "units_per_order": (number, 1),
        "refund_rate": (percent, -1), "price_realisation": (percent, 0), "margin_rate": (percent, 1),
    }  # fmt: skip
    log = page.log.whole
    told = [name for name in ways if not METRICS[name].lacks(log)]
    table = business_metrics(
        log, as_of=page.today, period="7D", last=WEEKS_SHOWN, metrics=told, n_boot=0,
        washout=page.models.followed.spec.washout,
    ).to_frame()  # fmt: skip
    tiles = tuple(
        _tile(page, name, table[name].to_numpy(), *ways[name])
        for name in ways
        if name in table.columns and table[name].notna().any() and not (table[name].dropna() == 0).all()
    )
    w = page.words
    lead = w["numbers_lead"].format(weeks=min(WEEKS_SHOWN, len(table)))
    shown = {"period": date, **{name: of(ways[name][0]) for name in ways if name in table.columns}}
    newest_first = table[list(shown)].iloc[::-1].reset_index(drop=True)
    held = make_table(page, newest_first, "numbers", shown, top=WEEKS_SHOWN)
    return Section("numbers", w["numbers"], lead, w["whole"], tiles=tiles, tables=(held,))


def _tile(page: Page, name: str, values: np.ndarray[Any, Any], write: Callable[[Any], str], good: int) -> Tile:
    now, before = values[-1], values[-5:-1]
    mean = float(np.nanmean(before)) if np.isfinite(before).any() else float("nan")
    change = now / mean - 1 if mean else float("nan")
    # Less than a twentieth up or down is a week like any other.
    tone = (
        "flat"
        if not np.isfinite(change) or abs(change) < 0.05 or not good
        else ("good" if change * good > 0 else "bad")
    )
    shown = "" if not np.isfinite(change) else f"{change:+.0%}"
    title = f"{page.name(name)}: {write(now)}"
    # A mean of small counts is no whole number: 1.5, not 2.
    write_mean = number if write is integer and abs(mean) < 10 else write
    said = page.words["before"].format(mean=write_mean(mean)) if np.isfinite(mean) else ""
    return Tile(page.name(name), write(now), said, shown, tone, sparkline(values.tolist(), title=title))


def _lifecycle(page: Page) -> Section:
    """Stocks and flows week by week."""
    flows = page.models.followed.growth
    counts = page.models.followed.wide()
    recent = flows.tail(26).reset_index(drop=True)
    ticks = [f"{pd.Timestamp(day):%m-%d}" for day in recent["period"]]
    columns = {state: "retained" if state == "active" else state for state in BASE}
    above = {state: recent[column].fillna(0).tolist() for state, column in columns.items() if column in recent.columns}
    w = page.words
    figure = stacked_columns(
        above, {"lapsed": recent["lapsed"].fillna(0).tolist()}, ticks=ticks, labels=labels(page.lang), colours=STATES,
        title=w["lifecycle"],
    )  # fmt: skip
    stocks = counts.iloc[::-1].reset_index()
    stocks.columns = pd.Index([str(name) for name in stocks.columns])
    shown = {"period": date, **{name: of(integer) for name in stocks.columns if name != "period"}}
    return Section(
        "lifecycle", w["lifecycle"], w["lifecycle_lead"], w["cleaned"], figure=figure,
        tables=(make_table(page, stocks, "lifecycle", shown, top=5),),
    )  # fmt: skip


def _weekly_cohorts(page: Page, *, by: str | None) -> Any:
    from commlife.cohorts import cohort_table

    return cohort_table(page.log, as_of=page.today, period="7D", by=by, washout=page.models.followed.spec.washout)


def _retention(page: Page) -> Section:
    """The triangle of first weeks against weeks later."""
    table = _weekly_cohorts(page, by=None)
    rate, size = table.wide("rate").tail(COHORTS_SHOWN), table.wide("size").tail(COHORTS_SHOWN)
    ages = [age for age in rate.columns if 1 <= age <= AGES_SHOWN]
    largest = float(np.nanmax(rate[ages].to_numpy())) if rate[ages].notna().any().any() else 1.0
    rows = []
    for cohort, row in rate.iterrows():
        sizes = size.loc[cohort].dropna()
        cells = [date(cohort), Cell(integer(sizes.iloc[0] if len(sizes) else np.nan))]
        cells += [_heat(row[age], largest) for age in ages]
        rows.append(tuple(cells))
    pooled = table.pooled().set_index("age")["rate"]
    total = [Cell(page.words["pooled"]), Cell("")] + [_heat(pooled.get(age, np.nan), largest) for age in ages]
    w = page.words
    columns = (page.name("cohort"), page.name("size"), *(str(age) for age in ages))
    held = Table(
        columns, (*rows, tuple(total)), (False, *([True] * (len(columns) - 1))), table.to_frame(), "retention",
        caption=page.name("age"),
    )  # fmt: skip
    return Section("retention", w["retention"], w["retention_lead"], w["cleaned"], tables=(held,))


def _heat(rate: float, largest: float) -> Cell:
    if not np.isfinite(rate):
        return Cell("")
    background, colour = heat(rate / largest if largest else 0.0)
    return Cell(percent(rate), background, colour)


def _communities(page: Page) -> Section:
    """Communities whose newest weeks are out of line."""
    w = page.words
    if not page.log.has("community"):
        return Section("communities", w["communities"], w["communities_unnamed"], w["cleaned"])
    from commlife.cohorts import retention_alerts

    try:
        alerts = retention_alerts(_weekly_cohorts(page, by="community"), ages=ALERT_AGES)
    except InsufficientDataError:
        return Section("communities", w["communities"], w["communities_short"], w["cleaned"])
    alarms = alerts.to_frame()
    shown: dict[str, Write] = {
        "community": text, "cohort": date, "age": of(integer), "expected": of(percent), "observed": of(percent),
        "users_lost": of(number), "direction": lambda value: Cell(w.get(str(value), str(value))),
        "q_value": of(points),
    }  # fmt: skip
    if alarms.empty:
        nearest = alerts.tested.sort_values(["p_value", "cohort", "age"], ignore_index=True)
        held = make_table(page, nearest.rename(columns={"group": "community"}), "communities", shown, top=5)
        return Section("communities", w["communities"], w["communities_none"], w["cleaned"], tables=(held,))
    tables = [make_table(page, alarms.rename(columns={"group": "community"}), "communities", shown, top=8)]
    causes = [name for name in ("category", "channel", "coupon_id") if page.log.has(name)]
    if causes and (alarms["direction"] == "drop").any():
        parts = alerts.drill(page.log, by=causes).rename(columns={"group": "community"})
        each: dict[str, Write] = {
            "community": text, "cohort": date, "by": lambda value: Cell(page.name(str(value))), "value": text,
            "size": of(integer), "rate_before": of(percent), "rate": of(percent),
            "points": lambda value: Cell(f"{value:+.1f}"),
        }  # fmt: skip
        made = make_table(page, parts, "communities_behind", each, top=8)
        named = tuple(w.get(f"drill_{name}", page.name(name)) for name in each)
        tables.append(replace(made, columns=named, caption=w["drill"]))
    return Section("communities", w["communities"], w["communities_lead"], w["cleaned"], tables=tuple(tables))


def _segments(page: Page) -> Section:
    """Segments with their share of users and money."""
    users = page.users
    grouped = (
        users.groupby("segment", sort=False).agg(users=("user_id", "size"), monetary=("monetary", "sum")).reset_index()
    )
    order = {segment.name: i for i, segment in enumerate(page.models.rfm.segment_map.segments)}
    grouped = grouped.assign(_order=grouped["segment"].map(order).fillna(99)).sort_values("_order", ignore_index=True)
    actions = users.groupby("segment")["next_action"].agg(
        lambda column: column.mode().iloc[0] if column.notna().any() else ""
    )
    grouped["next_action"] = grouped["segment"].map(_segment_actions(page)).fillna(grouped["segment"].map(actions))
    grouped["share_users"] = grouped["users"] / grouped["users"].sum()
    grouped["share_money"] = grouped["monetary"] / grouped["monetary"].sum()
    grouped["segment"] = [segment_label(name, page.models, page.lang) for name in grouped["segment"]]
    w = page.words
    largest = float(max(grouped["share_users"].max(), grouped["share_money"].max()))
    shown: dict[str, Write] = {
        "segment": text, "users": of(integer), "share_users": lambda v: Cell(percent(v), bar=v / largest),
        "monetary": of(money), "share_money": lambda v: Cell(percent(v), bar=v / largest), "next_action": text,
    }  # fmt: skip
    table = make_table(page, grouped.drop(columns="_order"), "segments", shown, top=20)
    columns = tuple(w.get(name, page.name(name)) for name in shown)
    held = replace(table, columns=columns)
    return Section("segments", w["segments"], w["segments_lead"], w["cleaned"], tables=(held,))


def _segment_actions(page: Page) -> dict[str, str]:
    return {
        segment.name: segment.next_action_zh if page.lang == "zh" else segment.next_action_en
        for segment in page.models.rfm.segment_map.segments
    }


def _calls(page: Page) -> Section:
    """Silent users worth a call."""
    silent = page.users[page.users["state"] == "silent"]
    worth = "expected_spend_91d" if silent["expected_spend_91d"].notna().any() else "monetary"
    ranked = silent.sort_values([worth, "user_id"], ascending=[False, True], ignore_index=True).head(200)
    ranked = ranked.assign(
        user=ranked["user_id"].map(page.user),
        segment=[segment_label(s, page.models, page.lang) for s in ranked["segment"]],
    )
    renamed = ranked.rename(columns={"expected_spend_91d": "expected_value"})
    shown: dict[str, Write] = {"user_id": lambda v: Cell(page.user(v))}
    if "community" in renamed.columns:
        shown["community"] = text
    shown |= {
        "segment": text, "recency_days": of(integer), "frequency": of(integer), "monetary": of(money),
        "expected_value": of(money), "next_action": text,
    }  # fmt: skip
    w = page.words
    lead = w["calls_lead"].format(shown=min(len(ranked), ROWS_SHOWN), all=integer(len(silent)))
    table = make_table(page, renamed[list(shown)], "call_back", shown, top=ROWS_SHOWN)
    return Section("calls", w["calls"], lead, w["cleaned"], tables=(table,) if len(ranked) else ())


def _risks(page: Page) -> Section:
    """Active users most likely to fall silent, with the main reason."""
    w = page.words
    if page.models.silence is None:
        return Section("risks", w["risks"], w["drivers_none"], w["cleaned"])
    risky = page.users[page.users["p_silent"].notna() & (page.users["state"] != "silent")]
    ranked = risky.sort_values(
        ["p_silent", "monetary", "user_id"], ascending=[False, False, True], ignore_index=True
    ).head(200)
    shown: dict[str, Write] = {"user_id": lambda v: Cell(page.user(v))}
    if "community" in ranked.columns:
        shown["community"] = text
    shown |= {"frequency": of(integer), "monetary": of(money), "p_silent": of(percent), "reason": text}
    table = make_table(page, ranked.rename(columns={"reason_1": "reason"})[list(shown)], "risks", shown, top=ROWS_SHOWN)
    lead = w["risks_lead"].format(shown=min(len(ranked), ROWS_SHOWN))
    return Section("risks", w["risks"], lead, w["cleaned"], tables=(table,))


def _drivers(page: Page) -> Section:
    """What goes together with silence."""
    w = page.words
    model = page.models.silence
    if model is None:
        return Section("drivers", w["drivers"], w["drivers_none"], w["cleaned"])
    table = model.drivers(lang=page.lang)
    groups = table[table["level"] == "group"].sort_values("rank", ignore_index=True)
    largest = float(groups["effect_pp"].abs().max() or 1.0)
    shown: dict[str, Write] = {
        "label": text,
        "effect_pp": lambda v: Cell(f"{100 * v:+.1f}", bar=abs(v) / largest),
        "sentence": text,
    }
    held = make_table(page, groups, "drivers", shown, top=8)
    columns = (page.name("driver"), page.name("effect_pp"), w["in_words"])
    lead = w["drivers_lead"].format(horizon=model.spec.horizon.days)
    verdict = model.verdict_zh if page.lang == "zh" else model.verdict
    return Section(
        "drivers", w["drivers"], lead, w["cleaned"], remarks=(verdict,),
        tables=(replace(held, columns=columns, full=table),),
    )  # fmt: skip


def _rules(page: Page) -> Section:
    """Pairs worth a bundle."""
    from commlife.basket import association_rules, frequent_itemsets

    w = page.words
    level = "item_id" if page.log.has("item_id") else "category"
    none = Section("rules", w["rules"], w["rules_none"], w["cleaned"])
    if not page.log.has(level):
        return none
    orders = page.log.n_orders
    # Seen in at least one order in 250, and never fewer than 20 times: below that chance makes pairs of its own.
    sets = frequent_itemsets(page.log, as_of=page.today, level=level, min_count=max(20, orders // 250), max_len=2)
    rules = association_rules(sets, min_confidence=0.1, min_lift=1.2, p_values=True, adjust="bh", max_p=0.01).to_frame()
    if rules.empty:
        return none
    # One direction of each pair, the surer one; pairs by how much they exceed chance in orders (leverage).
    pair = [tuple(sorted((*a, *c), key=str)) for a, c in zip(rules["antecedent"], rules["consequent"], strict=True)]
    best = rules.assign(pair=pd.Series(pair, index=rules.index)).sort_values(
        ["leverage", "confidence"], ascending=False, kind="stable"
    )
    best = best.drop_duplicates("pair").drop(columns="pair")
    # What everybody buys goes with everything: three pairs of it say so, and leave room for the others.
    best = best[best.groupby(best["consequent"].map(str)).cumcount() < 3].reset_index(drop=True)
    shown = {
        "antecedent": text, "consequent": text, "count": of(integer), "confidence": of(percent), "lift": of(number),
    }  # fmt: skip
    held = make_table(page, best, "rules", shown, top=10)
    return Section("rules", w["rules"], w["rules_lead"], w["cleaned"], tables=(held,))


def _coupons(page: Page) -> Section:
    """Who gets what, and what it costs."""
    plan, w = page.plan, page.words
    outcomes = plan.users["outcome"].value_counts()
    largest = money(plan.largest_cost) if np.isfinite(plan.largest_cost) else w["unbounded"]
    lead = w["coupons_lead"].format(
        given=integer(outcomes.get("given", 0)), users=integer(len(plan.users)),
        held=integer(outcomes.get("holdout", 0)),
        cost=money(plan.expected_cost), largest=largest,
        budget=w["no_budget"] if page.budget is None else w["budget"].format(budget=money(page.budget)),
    )  # fmt: skip
    given = plan.users[plan.users["outcome"] == "given"]
    by_coupon = given.groupby(["coupon_id", "rule"], as_index=False).agg(
        users=("user_id", "size"), expected_cost=("expected_cost", "sum")
    )
    offers = {coupon.coupon_id: coupon.describe(page.lang) for coupon in page.models.policy.coupons}
    by_coupon.insert(1, "offer", by_coupon["coupon_id"].map(offers))
    shown = {"coupon_id": text, "offer": text, "rule": _rule(page), "users": of(integer), "expected_cost": of(money)}
    named = tuple(w.get(name, page.name(name)) for name in shown)
    tables = [replace(make_table(page, by_coupon, "coupons", shown, top=10), columns=named)] if len(by_coupon) else []
    listed = given[["user_id", "coupon_id", "reason", "expected_cost"]].reset_index(drop=True)
    if len(listed):
        each = {
            "user_id": lambda v: Cell(page.user(v)),
            "coupon_id": text,
            "reason": text,
            "expected_cost": of(number),
        }
        tables.append(make_table(page, listed, "coupon_users", each, top=6))
    return Section("coupons", w["coupons"], lead, w["cleaned"], tables=tuple(tables))


def _rule(page: Page) -> Write:
    from commlife.coupons.targeting import RULES_ZH

    names = RULES_ZH if page.lang == "zh" else {}
    return lambda name: Cell(names.get(str(name), str(name).replace("_", " ")))


def _notes(page: Page) -> Section:
    """What was counted, fitted, cleaned and found."""
    log, w = page.log, page.words
    counted = w["log"].format(
        rows=integer(log.whole.n_rows), orders=integer(log.whole.n_orders), users=integer(log.whole.n_users),
        first=log.whole.first_day, last=log.whole.last_day, timezone=log.timezone,
        aside=integer(log.whole.n_rows - log.n_rows),
    )  # fmt: skip
    cleaning: dict[str, Write] = {
        "rule": text, "action": text, "rows": of(integer), "orders": of(integer), "users": of(integer),
        "amount": of(money),
    }  # fmt: skip
    faults: dict[str, Write] = {
        "fault": text, "column": text, "rows": of(integer), "policy": text, "fix": text,
    }  # fmt: skip
    held = [
        replace(make_table(page, table, name, shown, top=10), caption=w[name])
        for name, table, shown in (("cleaning", log.audit, cleaning), ("faults", log.whole.faults, faults))
        if len(table)
    ]
    remarks = [counted, *page.models.notes, *([w["masked"]] if page.mask_users else [])]
    return Section("notes", w["notes"], "", "", tables=tuple(held), remarks=tuple(remarks))
