"""Campaign readout: known effects are recovered, nothing is found where nothing was, and too little is refused."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import optimize, stats

import commlife as cl
from commlife.effects import CampaignReadout, campaign_readout
from commlife.effects._synthetic import DONOR_WINDOWS, against_weeks, convex_weights, mix, neighbours

mpl.use("Agg")

NAMES = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community")}
START, END, AS_OF = "2025-06-30", "2025-07-14", "2025-07-28"
TREATED = ("C02", "C05", "C07")


def panel(seed: int, units: int = 9, periods: int = 26) -> np.ndarray:
    """Sales of communities of several sizes that share a season, each more or less, and have swings of their own."""
    rng = np.random.default_rng(seed)
    level, load = rng.uniform(50, 300, units), rng.uniform(0.5, 1.5, units)
    season = 0.15 * np.sin(np.arange(periods) / 3) + 0.5 * rng.normal(0, 0.05, periods).cumsum()
    swings, own = rng.normal(0, 0.05, (units, periods)), np.zeros((units, periods))
    for t in range(1, periods):
        own[:, t] = 0.6 * own[:, t - 1] + swings[:, t]
    return rng.poisson(np.maximum(level[:, None] * (1 + load[:, None] * season + own), 1)).astype(float)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """30 weeks of 8 communities in which nothing happened."""
    world = cl.datasets.make_community(n_users=4000, n_weeks=30, drop_community=None, coupon_effect=0.0, seed=3)
    return world.frame[[*NAMES]]


def make_log(frame: pd.DataFrame) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame, **NAMES, observed_from="2024-12-30")


def read(frame: pd.DataFrame, **asked) -> CampaignReadout:
    return campaign_readout(make_log(frame), START, END, as_of=AS_OF, **{"treated": TREATED, **asked})


def in_campaign(frame: pd.DataFrame) -> pd.Series:
    there = frame["community"].isin(TREATED) & (frame["amount"] > 0)
    return there & (frame["ordered_at"] >= START) & (frame["ordered_at"] < END)


# -- the mixture --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_weights_meet_a_general_optimiser(seed):
    rng = np.random.default_rng(seed)
    donors, target, ridge = rng.normal(1, 0.2, (8, 6)), rng.normal(1, 0.2, 8), 0.05

    def loss(w):
        return ((donors @ w - target) ** 2).sum() + ridge * (w**2).sum()

    total = {"type": "eq", "fun": lambda w: w.sum() - 1}
    found = optimize.minimize(
        loss, np.full(6, 1 / 6), bounds=[(0, 1)] * 6, constraints=[total], options={"ftol": 1e-14, "maxiter": 1000}
    )
    weights = convex_weights(donors, target, ridge)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights.min() >= 0
    assert loss(weights) <= found.fun + 1e-7
    assert weights == pytest.approx(found.x, abs=1e-3)


def test_a_mixture_by_hand():
    """Half of a small donor and half of a large one before; during the campaign a fifth more than they say."""
    small, large = np.array([10.0, 12, 8, 10, 11, 9]), np.array([200.0, 160, 240, 200, 180, 220])
    expected = 50 * (small / 10 + large / 200) / 2
    unit = expected * np.array([1, 1, 1, 1, 1.2, 1.2])
    found = mix(unit, np.array([small, large]), 4, 2)
    assert found.weights == pytest.approx([0.5, 0.5], abs=1e-6)
    assert found.level == pytest.approx(50)
    assert found.expected == pytest.approx(expected, rel=1e-6)
    assert found.gap == pytest.approx(0.2 * expected[4:].mean() / 50, rel=1e-6)
    assert found.error < 1e-6


def test_nothing_is_found_at_the_nominal_rate():
    """200 worlds without an effect, one community: p <= .05 in about 5% (the binomial's 99.9% bound is 5.7 times 3)."""
    rejected = 0
    for seed in range(200):
        series = panel(seed)
        one = mix(series[0, 16:], series[1:, 16:], 8, 2)
        ratios = np.abs([each.ratio for each in neighbours(series, 0, 24, 8, 2)])
        rejected += (1 + (ratios >= abs(one.gap / one.error)).sum()) / (len(ratios) + 1) <= 0.05
    assert rejected <= stats.binom.ppf(0.999, 200, 0.05)
    assert rejected >= 1


def test_intervals_hold_a_known_effect_at_their_rate():
    """200 worlds in which sales rise by a quarter: the 95% interval holds what the campaign added."""
    held = 0
    for seed in range(200):
        series = panel(1_000 + seed)
        added = 0.25 * series[0, 24:]
        series[0, 24:] += added
        one = mix(series[0, 16:], series[1:, 16:], 8, 2)
        ratios = np.sort(np.abs([each.ratio for each in neighbours(series, 0, 24, 8, 2)]))
        half = ratios[int(np.ceil(0.95 * (len(ratios) + 1))) - 1] * one.error
        held += abs(one.gap - added.mean() / one.level) <= half
    assert held >= stats.binom.ppf(0.001, 200, 0.95)


def test_weeks_stay_quiet_at_the_nominal_rate():
    """The same where the mixture is made of earlier windows of one shop."""
    rejected = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        swings, own = rng.normal(0, 0.05, 60), np.zeros(60)
        for t in range(1, 60):
            own[t] = 0.6 * own[t - 1] + swings[t]
        series = rng.poisson(1_000 * (1 + own)).astype(float)
        found = against_weeks(series, 58, 8, 2)
        assert found is not None
        one, placebos, begins = found
        assert len(begins) == DONOR_WINDOWS
        ratios = np.abs([each.ratio for each in placebos])
        rejected += (1 + (ratios >= abs(one.gap / one.error)).sum()) / (len(ratios) + 1) <= 0.05
    assert 1 <= rejected <= stats.binom.ppf(0.999, 200, 0.05)


def test_placebos_never_touch_the_campaign():
    """Donors of a placebo at the campaign's time are free of it, and earlier windows end before it begins."""
    series = panel(5)
    quiet = neighbours(series, 0, 24, 8, 2)
    series[0, 24:] *= 100
    loud = neighbours(series, 0, 24, 8, 2)
    assert quiet == loud
    assert {(each.unit, each.start) for each in quiet if each.start == 24} == {(unit, 24) for unit in range(1, 9)}
    assert {each.start for each in quiet} == set(range(24, 7, -2))


# -- from the log on ----------------------------------------------------------------------------------------------------


def test_dearer_baskets_are_read_as_gmv_and_revenue_per_payer(frame):
    raised = frame.copy()
    chosen = in_campaign(frame)
    raised.loc[chosen, "amount"] = (raised.loc[chosen, "amount"] * 1.5).round(2)
    found = read(raised)
    effects = found.to_frame().set_index("outcome")
    true = raised["amount"].sum() - frame["amount"].sum()
    gmv, arppu = effects.loc["gmv"], effects.loc["arppu"]
    assert gmv["low"] <= true <= gmv["high"]
    assert gmv["effect"] == pytest.approx(true, rel=0.5)
    assert gmv["observed"] == pytest.approx(raised.loc[chosen, "amount"].sum())
    assert (gmv["p_value"] <= 0.05, arppu["p_value"] <= 0.05) == (True, True)
    assert gmv["low"] > 0
    assert effects.loc["new_payers", "p_value"] > 0.05
    assert effects.loc["returned", "p_value"] > 0.05


def test_new_payers_and_woken_users_are_read_as_such(frame):
    """Ninety newcomers, and every fourth user who had been silent for five weeks: both are known by number."""
    orders = frame.loc[frame["amount"] > 0]
    there = orders.loc[orders["community"].isin(TREATED) & (orders["ordered_at"] < START)]
    last = there.groupby("user_id")["ordered_at"].max()
    away = orders.loc[orders["ordered_at"] >= START, "user_id"].unique()
    silent = last.loc[(last < pd.Timestamp(START) - pd.Timedelta(days=35)) & ~last.index.isin(away)].index[::4]
    number = np.arange(90 + len(silent))
    users = np.concatenate([900_000 + np.arange(90), silent.to_numpy()])
    own = there.groupby("user_id")["community"].first()
    more = pd.DataFrame(
        {
            "user_id": users,
            "order_id": -1 - number,
            "ordered_at": pd.Timestamp(START) + pd.to_timedelta(number % 14 * 24 + 9, unit="h"),
            "amount": 20.0,
            "community": np.concatenate([np.array(TREATED, dtype=object)[np.arange(90) % 3], own[silent].to_numpy()]),
        }
    )
    assert len(silent) > 60
    effects = read(pd.concat([frame, more], ignore_index=True)).to_frame().set_index("outcome")
    for outcome, added in (("new_payers", 90), ("returned", len(silent))):
        row = effects.loc[outcome]
        assert row["low"] <= added <= row["high"], outcome
        assert row["p_value"] <= 0.05, outcome
        assert row["effect"] == pytest.approx(added, rel=0.6), outcome
    before = read(frame).to_frame().set_index("outcome")
    # A woken user counts once, in the week in which he comes.
    assert effects.loc["new_payers", "observed"] - before.loc["new_payers", "observed"] == 90
    assert effects.loc["returned", "observed"] - before.loc["returned", "observed"] == len(silent)


def test_a_quiet_fortnight_stays_quiet_and_is_told_so(frame):
    found = read(frame)
    assert (found.effects["adjusted_p"] > 0.05).all()
    assert found.basis == "communities"
    assert found.treated == TREATED
    assert found.unjudged.empty
    assert (found.effects["adjusted_p"] >= found.effects["p_value"]).all()
    assert found.sentences()[0].startswith("GMV: ")
    assert "no more than happens by itself" in found.sentences()[0]
    assert found.sentences("zh")[0].startswith("交易总额：实际 ")
    assert len(found.sentences("zh")) == 4
    assert repr(found).startswith("CampaignReadout(gmv ")
    assert "<table" in found._repr_html_()


def test_the_parts_agree_with_each_other(frame):
    found = read(frame)
    metrics = cl.business_metrics(make_log(frame), as_of=AS_OF, period="7D", by="community").to_frame()
    mine = metrics.loc[metrics["community"].isin(TREATED)].groupby("period")
    gmv = found.periods.loc[found.periods["outcome"] == "gmv"].set_index("period")
    assert gmv["observed"].to_numpy() == pytest.approx(mine["gmv"].sum()[gmv.index].to_numpy())
    assert gmv["phase"].tolist() == ["before"] * 8 + ["during"] * 2 + ["after"] * 2
    arppu = found.periods.loc[found.periods["outcome"] == "arppu"].set_index("period")
    net = mine.apply(lambda rows: (rows["arppu"] * rows["payers"]).sum() / rows["payers"].sum())
    assert arppu["observed"].to_numpy() == pytest.approx(net[arppu.index].to_numpy())
    for outcome, rows in found.periods.groupby("outcome"):
        effect = found.effects.set_index("outcome").loc[outcome]
        during = rows.loc[rows["phase"] == "during", ["observed", "expected"]]
        summed = during.mean() if outcome == "arppu" else during.sum()
        assert summed["observed"] == pytest.approx(effect["observed"]), outcome
        assert summed["expected"] == pytest.approx(effect["expected"]), outcome
    assert (effect["observed"] - effect["expected"]) == pytest.approx(effect["effect"])
    weights = found.donors.groupby("outcome")["weight"]
    assert weights.sum().to_numpy() == pytest.approx(1)
    assert not found.donors["donor"].isin(TREATED).any()
    # The interval lies clear of 0 just where the p-value says so.
    clear = (found.effects["low"] > 0) | (found.effects["high"] < 0)
    assert clear.tolist() == (found.effects["p_value"] <= 0.05 + 1e-12).tolist()


def test_everywhere_is_set_against_earlier_weeks():
    world = cl.datasets.make_community(n_users=4000, n_weeks=52, drop_community=None, coupon_effect=0.0, seed=4)
    frame = world.frame[[*NAMES]].copy()
    chosen = (frame["ordered_at"] >= "2025-12-15") & (frame["ordered_at"] < "2025-12-22") & (frame["amount"] > 0)
    asked = {"start": "2025-12-15", "end": "2025-12-22", "as_of": "2025-12-29", "washout": "28D"}
    quiet = campaign_readout(make_log(frame), **asked)
    assert quiet.basis == "weeks"
    assert (quiet.effects["adjusted_p"] > 0.05).all()
    before = frame["amount"].sum()
    frame.loc[chosen, "amount"] = (frame.loc[chosen, "amount"] * 1.6).round(2)
    found = campaign_readout(make_log(frame), **asked)
    gmv = found.effects.set_index("outcome").loc["gmv"]
    assert gmv["p_value"] <= 0.05
    assert gmv["low"] <= frame["amount"].sum() - before <= gmv["high"]
    rows = found.periods.loc[found.periods["outcome"] == "gmv"]
    assert rows["expected"].isna().tolist() == (rows["phase"] == "after").tolist()
    days = found.donors.loc[found.donors["outcome"] == "gmv", "donor"]
    assert pd.to_datetime(days).max() == pd.Timestamp("2025-12-08")
    assert len(days) == DONOR_WINDOWS


def test_a_washout_answers_the_caveat_of_a_log_that_begins_in_the_middle_of_lives():
    """Seen on real data: the inner count of payers warned all the same."""
    rng = np.random.default_rng(5)
    begins = pd.Timestamp("2024-12-30")
    joined = np.concatenate([np.zeros(400, dtype=int), rng.integers(0, 52, 500)])
    user, week = np.nonzero((rng.random((900, 52)) < 0.5) & (np.arange(52) >= joined[:, None]))
    early = np.arange(400)
    user, week = np.concatenate([early, user]), np.concatenate([early * 0, week])
    frame = pd.DataFrame({"user_id": user, "ordered_at": begins + pd.to_timedelta(7 * week, unit="D"), "amount": 10.0})
    log = cl.OrderLog.from_frame(frame, user_id="user_id", ordered_at="ordered_at", amount="amount")
    asked = {"start": "2025-12-15", "end": "2025-12-22", "as_of": "2025-12-29"}
    with pytest.warns(cl.LeftTruncatedWarning):
        campaign_readout(log, **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("error", cl.LeftTruncatedWarning)
        campaign_readout(log, **asked, washout="28D")


# -- laws ---------------------------------------------------------------------------------------------------------------


def test_rows_names_money_and_the_future_do_not_matter(frame):
    wanted = read(frame)
    shuffled = frame.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(read(shuffled).effects, wanted.effects)
    later = frame.tail(50).assign(ordered_at=pd.Timestamp("2025-08-20"), order_id=-1 - np.arange(50))
    pd.testing.assert_frame_equal(read(pd.concat([frame, later])).effects, wanted.effects)
    renamed = frame.assign(
        user_id=10_000_000 - frame["user_id"], community=frame["community"].map(lambda name: f"Z{99 - int(name[1:])}")
    )
    again = read(renamed, treated=[f"Z{99 - int(name[1:])}" for name in TREATED])
    pd.testing.assert_frame_equal(again.effects, wanted.effects, rtol=1e-6)
    doubled = read(frame.assign(amount=frame["amount"] * 2)).effects.set_index("outcome")
    plain = wanted.effects.set_index("outcome")
    assert (doubled["effect"] / plain["effect"]).to_numpy() == pytest.approx([2, 2, 1, 1])
    assert doubled["p_value"].to_numpy() == pytest.approx(plain["p_value"].to_numpy())


def test_every_engine_reads_the_same(engine, frame):
    given = campaign_readout(
        cl.OrderLog.from_frame(engine(frame), **NAMES, observed_from="2024-12-30"),
        START,
        END,
        as_of=AS_OF,
        treated="C02",
    )
    pd.testing.assert_frame_equal(given.effects, read(frame, treated="C02").effects)


# -- what is refused, what is told --------------------------------------------------------------------------------------


def test_a_small_donor_pool_is_refused(frame):
    few = frame.loc[frame["community"].isin(["C01", "C02", "C03"])]
    with pytest.raises(cl.errors.InsufficientDataError, match="2 other communities were there all the time, 3 are"):
        read(few, treated="C02")
    five = frame.loc[frame["community"].isin(["C01", "C02", "C03", "C04", "C05"])]
    with pytest.raises(cl.errors.InsufficientDataError, match="4 donors and the history before give 14 placebos, 19"):
        read(five, treated="C02", before="147D")
    assert read(five, treated="C02", before="147D", silent_after=1, confidence_level=0.8).effects[
        "placebos"
    ].tolist() == [14, 14, 14, 9]


def test_a_short_history_is_refused(frame):
    with pytest.raises(cl.errors.InsufficientDataError, match="earlier windows can stand in for the campaign, 19 are"):
        read(frame, treated=None)
    with pytest.raises(cl.errors.InsufficientDataError, match="fitted on 40 periods before the campaign"):
        read(frame, before="280D")


def test_what_cannot_be_known_is_left_out_and_told(frame):
    with pytest.warns(cl.errors.ModelWarning, match="returned: the control is fitted on 8 periods"):
        found = read(frame, silent_after=20)
    assert found.unjudged["outcome"].tolist() == ["returned"]
    assert found.effects["outcome"].tolist() == ["gmv", "arppu", "new_payers"]


def test_a_community_that_is_unlike_all_others_is_told(frame):
    rng = np.random.default_rng(0)
    week = (frame["ordered_at"] - pd.Timestamp("2024-12-30")).dt.days // 7
    swing = rng.choice([0.1, 4.0], size=40)[week]
    wild = frame.assign(
        amount=np.where(frame["community"] == "C02", (frame["amount"] * swing).round(2), frame["amount"])
    )
    with pytest.warns(cl.errors.ModelWarning, match="before the campaign the control misses by"):
        read(wild, treated="C02")


def test_a_young_community_is_no_donor(frame):
    young = frame.loc[(frame["community"] != "C01") | (frame["ordered_at"] >= "2025-06-20")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.errors.ModelWarning)
        found = read(young)
    assert "C01" not in found.donors.loc[found.donors["outcome"] == "arppu", "donor"].tolist()


def test_the_picture(frame):
    figure = read(frame).plot("gmv")
    left, right = figure.axes
    assert left.get_title(loc="left").startswith("GMV: ")
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["campaign", "what came", "control"]
    assert right.get_title(loc="left").startswith("p = ")
    plt.close(figure)
    with pytest.raises(cl.errors.ConfigError, match="plot: the outcome 'orders' is unknown"):
        read(frame).plot("orders")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"end": "2025-07-12"}, "are 12 days, a period has 7"),
        ({"end": START}, "lasts a whole number of periods"),
        ({"as_of": "2025-07-07"}, "Use a later as_of"),
        ({"before": "21D"}, "before is a whole number of periods, 4 or more"),
        ({"before": "60D"}, "before is a whole number of periods"),
        ({"treated": "C99"}, "treated: the community 'C99' is unknown"),
        ({"treated": []}, "Seen an empty list"),
        ({"treated": [f"C0{k}" for k in range(1, 9)]}, "treated names every community"),
        ({"by": "category"}, "campaign_readout: by 'category' is unknown"),
        ({"by": "channel"}, "needs the column channel"),
        ({"silent_after": 0}, "silent_after is a whole number of periods"),
        ({"confidence_level": 1.0}, "confidence_level lies from"),
        ({"period": "week"}, "a duration is a whole number of days"),
    ],
)
def test_bad_arguments(frame, wrong, message):
    asked = {"start": START, "end": END, "as_of": AS_OF, "treated": TREATED, **wrong}
    with pytest.raises(cl.errors.ConfigError, match=message):
        campaign_readout(make_log(frame), **asked)


def test_no_log():
    with pytest.raises(cl.errors.ConfigError, match="takes an OrderLog; seen a DataFrame"):
        campaign_readout(pd.DataFrame(), START, END, as_of=AS_OF)
