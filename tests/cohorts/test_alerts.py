"""Alerts: what a drop is, how often chance looks like one, what stands behind it, and whom to call."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import commlife as cl
from commlife._figures import fonts
from commlife.cohorts import CohortQuestion, CohortTable, cohort_table, retention_alerts
from commlife.cohorts._expectation import beta_binomial_tails, expect
from commlife.datasets import make_community

mpl.use("Agg")


def simulated(seed, *, groups=8, weeks=18, newcomers=300, ages=3, drop=None, rho=0.0, rate=0.40, **asked):
    """A table as a shop would have it, drawn cell by cell; ``drop`` is the rate of C03's last but one cohort at age 1."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        mean = rate + 0.06 * (2 * group / max(groups - 1, 1) - 1)
        for week in range(weeks):
            size = newcomers
            for age in range(min(ages + 1, weeks - week)):
                p = 1.0 if age == 0 else mean * 0.85 ** (age - 1)
                if drop is not None and group == 3 and week == weeks - 2 and age == 1:
                    p = drop
                if rho and 0 < p < 1:
                    p = rng.beta(p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho)
                rows.append((f"C{group:02d}", week, age, float(rng.binomial(size, p)), float(size)))
    cells = pd.DataFrame(rows, columns=["community", "week", "age", "users", "size"])
    cells["cohort"] = (np.datetime64("2025-01-06", "D") + 7 * cells["week"].to_numpy()).astype("datetime64[us]")
    cells["rate"] = cells["users"] / cells["size"]
    cells[["low", "high"]] = np.nan
    columns = ["community", "cohort", "age", "users", "size", "rate", "low", "high"]
    question = CohortQuestion(as_of="2026-01-01", period="7D", by="community", **asked)
    return CohortTable(cells[columns], question, 0, pd.DataFrame())


# -- the operating figures, in a form that CI can afford (bench/bench_cohorts.py measures the rest) ---------------------------


def test_recall_of_the_injected_drop():
    """From 40% to 25% in one of 8 communities with 300 newcomers a week: found, and in the right place."""
    seeds = 40
    found = 0
    for seed in range(seeds):
        frame = retention_alerts(simulated(seed, drop=0.25)).to_frame()
        found += ((frame["group"] == "C03") & (frame["age"] == 1) & (frame["direction"] == "drop")).any()
    assert found >= 0.95 * seeds - 2  # two standard errors of 40 seeds below the criterion


@pytest.mark.parametrize("rho", [0.0, 0.005])
def test_healthy_weeks_are_quiet(rho):
    alarms = [len(retention_alerts(simulated(1_000 + seed, rho=rho))) for seed in range(50)]
    assert sum(alarms) <= 4  # the criterion is 1 in 50; 5 or more of 50 happen once in 300 runs then


def test_p_values_are_uniform_where_nothing_happened():
    rng = np.random.default_rng(7)
    values = []
    for _ in range(60):
        p = rng.beta(40, 60, (8, 21))
        size = np.full((8, 21), 400.0)
        users = rng.binomial(400, p).astype(float)
        values.append(expect(users[:, :-1], size[:, :-1], users[:, -1], size[:, -1], min_history=6).p_value)
    p_values = np.concatenate(values)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    assert abs((p_values < 0.05).mean() - 0.05) < 0.035


def test_overdispersion_is_recovered():
    rng = np.random.default_rng(1)
    for rho in (0.002, 0.02, 0.1):
        p = rng.beta(0.3 * (1 - rho) / rho, 0.7 * (1 - rho) / rho, (20, 40))
        users = rng.binomial(500, p).astype(float)
        size = np.full((20, 40), 500.0)
        found = expect(users[:, :-1], size[:, :-1], users[:, -1], size[:, -1], min_history=6)
        assert found.rho.mean() == pytest.approx(rho, rel=0.25)
        assert found.rate.mean() == pytest.approx(0.3, abs=0.03)


def test_a_swing_that_is_usual_there_is_no_alert():
    """The same drop in a shop whose cohorts swing by 8 points anyway."""
    quiet = retention_alerts(simulated(5, drop=0.25))
    restless = retention_alerts(simulated(5, drop=0.25, rho=0.03))
    assert len(quiet) == 1
    assert len(restless) == 0


def test_a_rise_is_told_too():
    frame = retention_alerts(simulated(2, drop=0.60)).to_frame()
    assert frame["direction"].tolist() == ["rise"]
    assert frame["users_lost"].iloc[0] < -40


def test_columns_and_identities():
    alerts = retention_alerts(simulated(0, drop=0.2))
    frame = alerts.to_frame()
    assert frame.columns.tolist()[:9] == [
        "group", "cohort", "age", "expected", "observed", "users_lost", "p_value", "q_value", "direction",
    ]  # fmt: skip
    row = frame.iloc[0]
    assert row["users_lost"] == pytest.approx((row["expected"] - row["observed"]) * row["size"])
    assert (alerts.tested["q_value"] >= alerts.tested["p_value"] / 3).all()
    assert len(alerts) == len(frame)
    assert len(alerts.tested) == 8 * 3
    assert "1 drop, " in repr(alerts)
    assert "<table" in alerts._repr_html_()


def test_the_documentation_shows_what_was_measured():
    """The table of the explanation is the benchmark's kept output, and keeps the two promises."""
    root = Path(__file__).parents[2]
    kept = pd.read_csv(root / "bench" / "results" / "alerts.csv")
    spec = importlib.util.spec_from_file_location("bench_cohorts", root / "bench" / "bench_cohorts.py")
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():  # the bench sets filters of its own
        spec.loader.exec_module(bench)
    assert bench.operating_table(kept) in (root / "docs" / "explanation" / "retention.md").read_text(encoding="utf-8")
    asked = kept.loc[(kept["newcomers"] == 300) & (kept["rho"] == 0.0)].iloc[0]
    assert asked["found_at_0.25"] / asked["weeks"] >= 0.95
    # One false alarm in 50 healthy weeks, as far as chance allows in so many weeks.
    assert (kept["false_alarms"] <= stats.poisson.ppf(0.999, 0.02 * kept["weeks"])).all()


# -- the beta-binomial ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.01, 0.99), st.floats(1e-4, 0.5))
def test_tails_meet_scipy(x, more, mean, rho):
    n = x + more
    if n == 0:
        return
    a, b = mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho
    low, high = beta_binomial_tails(*(np.array([float(v)]) for v in (x, n, mean, rho)))
    assert low[0] == pytest.approx(stats.betabinom.cdf(x, n, a, b), abs=1e-8)
    assert high[0] == pytest.approx(stats.betabinom.sf(x - 1, n, a, b), abs=1e-8)


def test_large_cohorts_use_a_beta():
    x, n, mean, rho = (np.array([v]) for v in (2_350.0, 6_000.0, 0.4, 1e-3))
    low, high = beta_binomial_tails(x, n, mean, rho)
    a, b = 0.4 * 999, 0.6 * 999
    assert low[0] == pytest.approx(stats.betabinom.cdf(2350, 6000, a, b), abs=2e-3)
    assert high[0] == pytest.approx(stats.betabinom.sf(2349, 6000, a, b), abs=2e-3)


# -- short histories -------------------------------------------------------------------------------------------------------------


def test_a_young_group_leans_on_the_others():
    table = simulated(3)
    young = (table.cells["community"] == "C07") & (table.cells["cohort"] < np.datetime64("2025-04-28"))
    short = CohortTable(table.cells[~young].reset_index(drop=True), table.question, 0, pd.DataFrame())
    tested = retention_alerts(short, ages=[1]).tested.set_index("group")
    assert tested.loc["C07", "history"] < 6
    assert 0.38 < tested.loc["C07", "expected"] < 0.48
    few = short.cells["community"].isin(["C00", "C07"])
    alone = CohortTable(short.cells[few].reset_index(drop=True), table.question, 0, pd.DataFrame())
    result = retention_alerts(alone, ages=[1])
    assert result.untested[["group", "reason"]].to_numpy().tolist() == [["C07", "too short a history"]]


def test_a_group_without_newcomers_is_untested():
    table = simulated(3)
    gone = (table.cells["community"] == "C02") & (table.cells["cohort"] >= np.datetime64("2025-04-28"))
    rest = CohortTable(table.cells[~gone].reset_index(drop=True), table.question, 0, pd.DataFrame())
    untested = retention_alerts(rest, ages=[1]).untested
    assert untested[["group", "reason"]].to_numpy().tolist() == [["C02", "no cohort of that period"]]


@settings(max_examples=15)
@given(st.integers(0, 1_000))
def test_names_and_order_of_groups_do_not_matter(seed):
    table = simulated(seed, groups=4, weeks=10, ages=2)
    other = table.cells.sample(frac=1.0, random_state=seed)
    other["community"] = other["community"].map({"C00": "Z", "C01": "Y", "C02": "X", "C03": "W"})
    a = retention_alerts(table).tested.sort_values(["p_value", "age"])
    b = retention_alerts(CohortTable(other, table.question, 0, pd.DataFrame())).tested.sort_values(["p_value", "age"])
    assert a["p_value"].to_numpy() == pytest.approx(b["p_value"].to_numpy(), rel=1e-9)
    assert a["q_value"].to_numpy() == pytest.approx(b["q_value"].to_numpy(), rel=1e-9)


# -- the chain on a world with known truth ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return make_community(
        newcomers_per_week=120,
        n_communities=3,
        n_weeks=12,
        drop_week=10,
        drop_retention=0.1,
        seed=3,
        bait=True,
        trial_share=0,
    )


@pytest.fixture(scope="module")
def alerts(world):
    return retention_alerts(cohort_table(world.log, as_of=world.as_of, period="7D", by="community"))


def test_the_leak_is_found_in_the_right_place(world, alerts):
    frame = alerts.to_frame()
    drop = world.truth.drop
    assert frame[["group", "age", "direction"]].to_numpy().tolist() == [[drop.community, 1, "drop"]]
    assert str(frame["cohort"].iloc[0])[:10] == drop.first_day


def test_the_bait_is_found(world, alerts):
    items = alerts.drill(world.log, by="item_id")
    assert items["value"].iloc[0] == world.truth.drop.bait
    assert items["rate"].iloc[0] < 0.1
    change = items["points"] + items["rest_points"]
    assert np.ptp(change) < 1e-9


@pytest.mark.parametrize("by", ["channel", "coupon_id", "subsidised", "address_id"])
def test_parts_sum_to_the_change(world, alerts, by):
    parts = alerts.drill(world.log, by=by, alert=0)
    assert parts["points"].sum() == pytest.approx(parts["points"].iloc[0] + parts["rest_points"].iloc[0])
    row = alerts.row(0)
    cells = alerts.table.cells
    mine = cells[(cells["community"] == row["group"]) & (cells["age"] == 1) & (cells["cohort"] < row["cohort"])]
    change = row["observed"] - mine["users"].sum() / mine["size"].sum()
    assert parts["points"].sum() == pytest.approx(100 * change)
    assert parts["size"].sum() == row["size"]
    assert (parts["mix_points"] + parts["rate_points"]).to_numpy() == pytest.approx(parts["points"].to_numpy())


def test_drill_by_hand():
    """Half of the users move from a part with 50% to one with 10%, whose rate falls to 0."""
    rows = []
    user = 0
    for week in range(7):
        new = week == 5
        for part, size, back in (("a", 40 if not new else 20, 0.5), ("b", 20 if not new else 40, 0.0 if new else 0.1)):
            for place in range(size):
                user += 1
                rows.append((user, week * 7, part))
                if place < back * size:
                    rows.append((user, week * 7 + 7, part))
    frame = pd.DataFrame(rows, columns=["user", "day", "part"])
    frame["at"] = pd.Timestamp("2025-01-06") + pd.to_timedelta(frame["day"], unit="D")
    log = cl.OrderLog.from_frame(frame.assign(paid=1.0), user_id="user", ordered_at="at", amount="paid", channel="part",
                                 category="part")  # fmt: skip
    found = retention_alerts(cohort_table(log, as_of="2025-02-24", period="week"), min_history=4, level=0.9, ages=[1])
    parts = found.drill(log, by=["channel", "category"])
    channel = parts[parts["by"] == "channel"].set_index("value")
    level = (22 / 60 + 10 / 60) / 2
    assert channel.loc["a", "mix_points"] == pytest.approx(100 * (1 / 3 - 2 / 3) * (0.5 - level))
    assert channel.loc["a", "rate_points"] == pytest.approx(0.0)
    assert channel.loc["b", "mix_points"] == pytest.approx(100 * (2 / 3 - 1 / 3) * (0.05 - level))
    assert channel.loc["b", "rate_points"] == pytest.approx(100 * 0.5 * -0.1)
    assert channel["points"].sum() == pytest.approx(100 * (10 - 22) / 60)
    held = parts[parts["by"] == "category"].set_index("value")
    assert held["points"].to_dict() == pytest.approx(channel["points"].to_dict())
    assert found.to_frame()["group"].tolist() == ["all"]


def test_whom_to_call(world, alerts):
    users = alerts.users(world.log)
    row = alerts.row(0)
    assert len(users) == row["size"] - round(row["observed"] * row["size"])
    truth = world.truth.users.set_index("user_id").loc[users["user_id"]]
    assert set(truth["community"]) == {row["group"]}
    gone = truth["hit_by_drop"].sum()
    assert gone == world.truth.users["hit_by_drop"][world.truth.users["born_at"] < "2025-03-17"].sum()
    assert users["user_id"].is_monotonic_increasing


def test_the_chain_is_the_same_on_every_engine(engine, as_pandas, world, alerts):
    names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community", "channel", "item_id")}
    log = cl.OrderLog.from_frame(engine(world.frame[list(names)]), **names, observed_from=world.world.start)
    table = cohort_table(log, as_of=world.as_of, period="7D", by="community")
    pd.testing.assert_frame_equal(table.cells, alerts.table.cells, check_dtype=False)
    found = retention_alerts(table)
    for by in ("channel", "item_id"):
        given, wanted = found.drill(log, by=by), alerts.drill(world.log, by=by)
        key = ["by", "value"]
        pd.testing.assert_frame_equal(
            given.sort_values(key, ignore_index=True),
            wanted.sort_values(key, ignore_index=True),
            check_dtype=False,
        )
    assert as_pandas(found.users(log))["user_id"].tolist() == alerts.users(world.log)["user_id"].tolist()


def test_no_alert_no_users(world):
    calm = retention_alerts(cohort_table(world.log, as_of="2025-03-10", period="7D", by="community"), level=1e-6)
    assert len(calm) == 0
    assert len(calm.users(world.log)) == 0
    assert calm.drill(world.log, by="channel").empty


def test_several_attributes_make_tuples(world):
    table = cohort_table(world.log, as_of=world.as_of, period="7D", by=["community", "channel"])
    found = retention_alerts(table, level=0.5)
    row = found.to_frame().iloc[0]
    assert isinstance(row["group"], tuple)
    assert found.drill(world.log, by="item_id", alert=0)["rest_points"].notna().all()
    users = found.users(world.log, alert=0)
    assert len(users) == round((1 - row["observed"]) * row["size"])


def test_orders_without_numbers_can_be_drilled():
    world = make_community(newcomers_per_week=60, n_communities=2, n_weeks=12, drop_week=10, seed=2, bait=True,
                           trial_share=0, drop_retention=0.05)  # fmt: skip
    names = {name: name for name in ("user_id", "ordered_at", "amount", "community", "item_id")}
    log = cl.OrderLog.from_frame(world.frame[list(names)], **names, observed_from=world.world.start)
    found = retention_alerts(cohort_table(log, as_of=world.as_of, period="7D", by="community"))
    assert found.drill(log, by="item_id", alert=0)["value"].iloc[0] == world.truth.drop.bait


def test_the_picture(alerts):
    axes = alerts.plot(0)
    assert axes.get_title(loc="left").startswith("C01: ")
    assert alerts.plot(0, ax=axes) is axes


def test_the_pictures_speak_chinese(world, alerts, monkeypatch):
    monkeypatch.setattr(
        fonts, "chinese_family", lambda: "Noto Sans CJK SC"
    )  # the texts are meant here, not the letters
    axes = alerts.plot(0, lang="zh")
    assert axes.get_title(loc="left").startswith("C01：")
    assert axes.get_xlabel() == "同期群"
    assert "预期" in [text.get_text() for text in axes.get_legend().get_texts()]
    axes = alerts.plot_drill(world.log, by="channel", lang="zh")
    assert all(label.get_text().startswith("渠道: ") for label in axes.get_yticklabels())
    assert "变化来自哪些用户" in axes.get_title(loc="left")
    with pytest.raises(cl.ConfigError, match="lang"):
        alerts.plot(0, lang="fr")


def test_the_picture_of_a_drill(world, alerts):
    parts = alerts.drill(world.log, by=["item_id", "channel"], alert=0).sort_values("points", kind="stable")
    axes = alerts.plot_drill(world.log, by=["item_id", "channel"], most=5)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        f"{by}: {value}" for by, value in parts[["by", "value"]].head(5).itertuples(index=False)
    ]
    bars = [bar.get_width() for bar in axes.patches]
    assert sum(bars) == pytest.approx(parts["points"].head(5).sum())
    assert "age 1: whose return made the change" in axes.get_title(loc="left")
    with pytest.raises(cl.ConfigError, match="most is a number of parts"):
        alerts.plot_drill(world.log, by="channel", most=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"level": 0}, "level"),
        ({"level": True}, "level"),
        ({"level": "low"}, "level"),
        ({"history": 2}, "history"),
        ({"min_history": True}, "min_history"),
        ({"min_history": 5.0}, "min_history"),
        ({"ages": 1}, "ages"),
        ({"ages": []}, "ages"),
        ({"ages": [99]}, "ages"),
        ({"ages": [True]}, "ages"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(cl.ConfigError, match=message):
        retention_alerts(simulated(0, groups=2), **wrong)


def test_bad_tables(world, alerts):
    with pytest.raises(cl.ConfigError, match="CohortTable"):
        retention_alerts(pd.DataFrame())
    with pytest.raises(cl.ConfigError, match="unbounded"):
        retention_alerts(cohort_table(world.log, as_of=world.as_of, period="7D", measure="unbounded"))
    with pytest.raises(cl.ConfigError, match="by date"):
        retention_alerts(cohort_table(world.log, as_of=world.as_of, period="7D", cohort="community"))
    with pytest.raises(cl.InsufficientDataError, match="history"):
        retention_alerts(cohort_table(world.log, as_of=world.as_of, period="month"))
    for call, message in (
        (lambda: alerts.drill(world.log, by="comunity"), "community"),
        (lambda: alerts.drill(world.log, by="community"), "already"),
        (lambda: alerts.drill(world.log, by="channel", alert=5), "row of to_frame"),
        (lambda: alerts.users(world.log, alert=True), "row of to_frame"),
    ):
        with pytest.raises(cl.ConfigError, match=message):
            call()
    again = retention_alerts(cohort_table(world.log, as_of=world.as_of, period="7D", measure="repurchase"), level=0.9)
    with pytest.raises(cl.ConfigError, match="by first order"):
        again.drill(world.log, by="item_id")
    with pytest.raises(cl.ConfigError, match="by first order"):
        again.users(world.log)
