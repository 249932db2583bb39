"""RFM: scores by frozen cuts, the same on every engine and for every order of rows."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.segments import RFM, FittedRFM, SegmentMap
from commlife.segments.cuts import quantile_cuts

#: A log for each example is dear: a quarter of the profile's examples.
FEWER = settings(max_examples=max(settings.default.max_examples // 4, 10))

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m"}
ATTRIBUTES = {"community": "c"}


def cdnow() -> pd.DataFrame:
    package = importlib.util.find_spec("lifetimes")
    assert package is not None
    path = Path(str(package.origin)).parent / "datasets" / "CDNOW_sample.txt"
    frame = pd.read_csv(path, sep=r"\s+", header=None, names=["master", "u", "day", "cds", "m"])
    return frame.assign(t=pd.to_datetime(frame["day"].astype(str)))[["u", "t", "m"]]


def export(seed: int = 0, n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    users = rng.integers(0, 90, n)
    return pd.DataFrame(
        {
            "u": [f"u{user:03d}" for user in users],
            "o": rng.integers(0, 400, n),
            "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 60 * 24 * 90, n), unit="min"),
            "m": rng.integers(-300, 5000, n) / 100,
            "c": np.array(["east", "west", "tiny"])[np.where(users < 3, 2, users % 2)],
        }
    )


def by_definition(frame: pd.DataFrame, as_of: str, n_bins: int = 5) -> pd.DataFrame:
    """Plain pandas and NumPy, straight from the definitions."""
    frame = frame[frame["t"] < pd.Timestamp(as_of)].assign(minor=lambda f: (f["m"] * 100).round().astype(int))
    orders = frame.groupby(["u", "o"]).agg(t=("t", "min"), net=("minor", "sum"), low=("minor", "min")).reset_index()
    orders["counts"] = (orders["net"] > 0) | ((orders["net"] == 0) & (orders["low"] >= 0))
    counting = orders[orders["counts"]]
    users = counting.groupby("u").agg(last=("t", "max"), frequency=("t", "size"))
    users["monetary"] = orders.groupby("u")["net"].sum() / 100
    users["recency_days"] = (pd.Timestamp(as_of) - users["last"].dt.normalize()).dt.days
    levels = np.arange(1, n_bins) / n_bins
    for column, score in (("recency_days", "r_score"), ("frequency", "f_score"), ("monetary", "m_score")):
        cuts = np.quantile(users[column], levels)
        below = (users[column].to_numpy()[:, None] > cuts + 1e-9).sum(axis=1)
        users[score] = n_bins - below if score == "r_score" else below + 1
    return users.reset_index().rename(columns={"u": "user_id"}).drop(columns="last")


def fit(spec: RFM, log: cl.OrderLog, as_of: str) -> FittedRFM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.FewerBinsWarning)
        return spec.fit(log, as_of=as_of)


@pytest.mark.parametrize("n_bins", [2, 5, 9])
def test_scores_follow_the_definition(n_bins):
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    given_back = fit(RFM(n_bins=n_bins), log, "2025-03-15").transform(log, as_of="2025-03-15")
    wanted = by_definition(export(), "2025-03-15", n_bins)
    pd.testing.assert_frame_equal(given_back[wanted.columns], wanted, check_dtype=False)
    assert given_back["rfm_code"].str.fullmatch(f"[1-{n_bins}]{{3}}").all()
    assert given_back["segment"].notna().all()


def test_the_mean_and_the_weighted_score_follow_the_definition(engine, as_pandas):
    """Monetary "mean" is net spend an order that counts; the score is the weighted mean of the three."""
    spec = RFM(n_bins=4, monetary="mean", weights={"recency": 1, "frequency": 2, "monetary": 5})
    log = cl.OrderLog.from_frame(engine(export()), **NAMES, order_id="o")
    table = as_pandas(fit(spec, log, "2025-03-15").transform(log, as_of="2025-03-15"))
    wanted = by_definition(export(), "2025-03-15")
    np.testing.assert_allclose(table["monetary"], wanted["monetary"] / wanted["frequency"], rtol=1e-12)
    weighted = (table["r_score"] + 2 * table["f_score"] + 5 * table["m_score"]) / 8
    np.testing.assert_allclose(table["rfm_score"], weighted, rtol=1e-12)


SPECS = [
    RFM(),
    RFM(n_bins=4, monetary="mean", lookback="30D", lang="en", weights={"recency": 1, "frequency": 2, "monetary": 4}),
    RFM(n_bins=3, by="community", min_group_users=10, segment_map="grid_3x3", lang="zh"),
    RFM(cuts={"frequency": [1, 2, 4, 8]}, by="community", min_group_users=10_000),
]


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_engines_agree(engine, as_pandas, spec):
    expected_log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o", **ATTRIBUTES)
    expected = fit(spec, expected_log, "2025-03-15")
    log = cl.OrderLog.from_frame(engine(export()), **NAMES, order_id="o", **ATTRIBUTES)
    fitted = fit(spec, log, "2025-03-15")
    assert fitted == expected
    scored = fitted.transform(log, as_of="2025-03-20")
    wanted = as_pandas(expected.transform(expected_log, as_of="2025-03-20"))
    pd.testing.assert_frame_equal(as_pandas(scored), wanted, check_dtype=False)
    drift = fitted.drift(log, as_of="2025-02-01")
    pd.testing.assert_frame_equal(drift.shares, expected.drift(expected_log, as_of="2025-02-01").shares)


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_the_scalar_score_is_that_of_the_frame(spec):
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o", **ATTRIBUTES)
    fitted = fit(spec, log, "2025-03-15")
    for row in fitted.transform(log, as_of="2025-03-15").head(40).itertuples():
        group = getattr(row, "community", None)
        one = fitted.score(recency_days=row.recency_days, frequency=row.frequency, monetary=row.monetary, group=group)
        assert (one.r_score, one.f_score, one.m_score) == (row.r_score, row.f_score, row.m_score)
        assert (one.rfm_code, one.segment) == (row.rfm_code, row.segment)
        assert one.next_action


def test_json_brings_back_the_same_scores():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o", **ATTRIBUTES)
    for spec in SPECS:
        fitted = fit(spec, log, "2025-03-15")
        again = FittedRFM.from_json(fitted.to_json())
        assert again == fitted
        pd.testing.assert_frame_equal(
            again.transform(log, as_of="2025-03-15"), fitted.transform(log, as_of="2025-03-15")
        )
        assert RFM.from_json(spec.to_json()) == spec


def test_a_damaged_state_is_refused():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    text = fit(RFM(), log, "2025-03-15").to_json()
    for path, wrong in (("cuts", {"recency": [1]}), ("n_bins", 4)):
        envelope = json.loads(text)
        envelope["state"][path] = wrong
        with pytest.raises(cl.PersistenceError):
            FittedRFM.from_json(json.dumps(envelope))
    envelope = json.loads(text)
    envelope["state"]["n_bins"] = 4
    envelope["state"]["cuts"] = {name: [1.0, 2.0, 3.0] for name in ("recency", "frequency", "monetary")}
    with pytest.raises(cl.PersistenceError, match="segment map has 5"):
        FittedRFM.from_json(json.dumps(envelope))


@FEWER
@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([1, 3, 7]), st.integers(2, 9))
def test_laws_of_scores(seed, n, copies, n_bins):
    """Row order, relabelled ids and a change of currency change nothing; equal customers are equal."""
    frame = (
        pd.concat([export(seed, n)] * copies, keys=range(copies))
        .reset_index(level=0, names="copy")
        .reset_index(drop=True)
    )
    frame["u"] = frame["u"] + "-" + frame["copy"].astype(str)
    frame["m"] = frame["m"].abs()
    rng = np.random.default_rng(seed)
    base_log = cl.OrderLog.from_frame(frame, **NAMES, order_id="o")
    base = fit(RFM(n_bins=n_bins), base_log, "2025-04-15")
    scored = base.transform(base_log, as_of="2025-04-15").set_index("user_id")
    originals = scored.index.str.split("-").str[0]
    assert (scored.groupby([originals, "recency_days", "frequency", "monetary"])["rfm_code"].nunique() == 1).all()

    labels = frame["u"].unique()
    names = dict(zip(labels, rng.permutation(len(labels)), strict=True))
    other = frame.assign(u=frame["u"].map(names), m=frame["m"] * 4).sample(frac=1, random_state=seed)
    other_log = cl.OrderLog.from_frame(other, **NAMES, order_id="o")
    scaled = fit(RFM(n_bins=n_bins), other_log, "2025-04-15").transform(other_log, as_of="2025-04-15")
    scaled = scaled.set_index("user_id")["rfm_code"]
    assert [scaled[names[user]] for user in scored.index] == scored["rfm_code"].tolist()


@FEWER
@given(st.integers(0, 1000))
def test_what_comes_later_changes_nothing(seed):
    frame = export(seed, 200)
    early = frame[frame["t"] < "2025-02-15"]
    logs = [cl.OrderLog.from_frame(each, **NAMES, order_id="o") for each in (frame, early)]
    fits = [fit(RFM(), log, "2025-02-15") for log in logs]
    assert fits[0].cuts == fits[1].cuts
    one, two = (each.transform(log, as_of="2025-02-15") for each, log in zip(fits, logs, strict=True))
    pd.testing.assert_frame_equal(one, two)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.integers(2, 9))
def test_cuts_are_type_7_quantiles(values, n_bins):
    distinct, rows = np.unique(values, return_counts=True)
    cuts = quantile_cuts(distinct, rows, n_bins)
    assert cuts == pytest.approx(np.quantile(values, np.arange(1, n_bins) / n_bins), abs=1e-9)
    assert list(cuts) == sorted(cuts)


def test_cdnow_warns_of_one_time_buyers():
    """Half of the CDNOW sample bought once: the lower frequency scores cannot all be filled."""
    log = cl.OrderLog.from_frame(cdnow(), **NAMES)
    with pytest.warns(
        cl.FewerBinsWarning, match=r"frequency has \d+ distinct values, but too many ties for 5 bins.*One-time buyers"
    ) as caught:
        rfm = RFM().fit(log, as_of="1998-07-01")
    assert "[1, 2, 4, 8]" in str(caught[0].message)
    assert caught[0].filename == __file__
    scored = rfm.transform(log, as_of="1998-07-01")
    assert len(scored) == 2357
    assert scored.groupby(["recency_days", "frequency", "monetary"])["rfm_code"].nunique().max() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RFM(cuts={"frequency": [1, 2, 4, 8]}).fit(log, as_of="1998-07-01")


def test_few_distinct_values_are_told():
    frame = pd.DataFrame({"u": range(12), "t": ["2025-01-01"] * 12, "m": [5.0] * 6 + [6.0] * 6})
    log = cl.OrderLog.from_frame(frame, **NAMES)
    with pytest.warns(cl.FewerBinsWarning) as caught:
        RFM().fit(log, as_of="2025-01-09")
    told = [str(each.message) for each in caught]
    assert told[0].startswith(
        "recency has 1 distinct values, too few for 5 bins: scores 5 occur, 1, 2, 3, 4 stay empty"
    )
    assert "The value 8 belongs to 100% of users" in told[0]
    assert "One-time buyers are 100%" in told[1]
    assert "n_bins=2" in told[2]


def test_a_refund_neither_counts_nor_refreshes():
    frame = pd.DataFrame(
        {
            "u": ["a", "a", "b", "c"],
            "t": ["2025-01-01", "2025-01-20", "2025-01-02", "2025-01-03"],
            "m": [9.0, -4.0, 5.0, -1.0],
        }
    )
    log = cl.OrderLog.from_frame(frame, **NAMES)
    scored = fit(RFM(n_bins=2), log, "2025-01-31").transform(log, as_of="2025-01-31")
    assert scored[["user_id", "recency_days", "frequency", "monetary"]].to_numpy().tolist() == [
        ["a", 30, 1, 5.0],
        ["b", 29, 1, 5.0],
    ]


def test_small_groups_fall_back():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o", **ATTRIBUTES)
    rfm = fit(RFM(by="community", min_group_users=10), log, "2025-03-15")
    assert [group.group for group in rfm.group_cuts] == ["east", "west"]
    assert "2 groups by community" in repr(rfm)
    assert rfm.score(recency_days=5, frequency=2, monetary=20.0, group="tiny") == rfm.score(
        recency_days=5, frequency=2, monetary=20.0
    )
    assert sum(rfm.score_counts["monetary"]) == rfm.fitted_on.users


def test_cuts_that_are_given_hold_in_every_group_and_the_others_are_the_groups_own():
    frame = export()
    spec = RFM(n_bins=4, by="community", min_group_users=10, cuts={"frequency": [1, 3, 9]})
    fitted = fit(spec, cl.OrderLog.from_frame(frame, **NAMES, order_id="o", **ATTRIBUTES), "2025-03-15")
    groups = {each.group: each.cuts for each in fitted.group_cuts}
    assert set(groups) == {"east", "west"}
    for group, cuts in groups.items():
        assert tuple(cuts["frequency"]) == (1, 3, 9)
        own = by_definition(frame[frame["c"] == group], "2025-03-15", 4)
        assert cuts["monetary"] == pytest.approx(np.quantile(own["monetary"], [0.25, 0.5, 0.75]), abs=1e-9)


def test_drift_tells_when_to_refit():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    rfm = fit(RFM(), log, "2025-03-15")
    same = rfm.drift(log, as_of="2025-03-15")
    assert same.table["psi"].tolist() == [0, 0, 0]
    assert not same.needs_refit
    richer = export().assign(m=lambda f: f["m"] * 30)
    later = rfm.drift(cl.OrderLog.from_frame(richer, **NAMES, order_id="o"), as_of="2025-03-15")
    assert later.to_frame().set_index("dimension")["verdict"].to_dict() == {
        "recency": "stable", "frequency": "stable", "monetary": "refit",
    }  # fmt: skip
    assert later.needs_refit
    assert "monetary" in repr(later)


def test_a_moderate_shift_is_called_so():
    """PSI by hand: 500/500 against 650/350 users is sum((q-p) ln(q/p)) = 0.15 * ln(13/7) = 0.0929; 700/300: 0.1695."""
    from commlife.segments.drift import score_drift

    drift = score_drift(
        {"monetary": (500, 500)}, {"monetary": [700, 300]}, fitted_as_of="2025-01-01", as_of="2025-02-01"
    )
    assert drift.table["psi"].iloc[0] == pytest.approx(0.2 * np.log(7 / 3), abs=2e-3)
    assert drift.table["verdict"].iloc[0] == "shifted"


def test_drift_is_told_apart_from_chance_by_the_size_of_both_samples():
    """Two samples of one population have a PSI of about chi2 (bins - 1) times 1/n + 1/m (Yurdakul 2018): by hand."""
    from scipy import stats

    from commlife.segments.drift import score_drift

    def read(before, now):
        table = score_drift(
            {"monetary": before}, {"monetary": now}, fitted_as_of="2025-01-01", as_of="2025-02-01"
        ).table
        return table.iloc[0]

    row = read((40, 40, 40), [30, 10, 10])
    assert row["noise"] == pytest.approx(stats.chi2.ppf(0.95, 2) * (1 / 120 + 1 / 50))
    # The same shares: a shift where there are users enough, chance where there are not.
    assert read((4000, 4000), [6200, 3800])["verdict"] == "stable"
    assert read((4000, 4000), [7000, 3000])["verdict"] == "shifted"
    assert read((10, 10), [14, 6])["verdict"] == "stable"
    # An empty bin on both sides is no bin.
    assert read((40, 0, 40), [30, 0, 20])["noise"] == pytest.approx(stats.chi2.ppf(0.95, 1) * (1 / 80 + 1 / 50))
    # Of two samples of one population one in twenty is called farther apart than chance.
    rng = np.random.default_rng(1)
    samples = rng.multinomial(400, [0.1, 0.2, 0.3, 0.4], size=(600, 2))
    apart = [row["psi"] > row["noise"] for row in (read(tuple(one), list(two)) for one, two in samples)]
    assert 0.02 < np.mean(apart) < 0.08


def test_nobody_to_score():
    frame = pd.DataFrame({"u": ["a"], "t": ["2025-01-05"], "m": [-5.0]})
    log = cl.OrderLog.from_frame(frame, **NAMES)
    with pytest.raises(cl.InsufficientDataError, match="RFM needs at least one user"):
        RFM().fit(log, as_of="2025-01-31")
    sound = fit(RFM(), cl.OrderLog.from_frame(frame.assign(m=5.0), **NAMES), "2025-01-31")
    assert len(sound.transform(log, as_of="2025-01-31")) == 0
    with pytest.raises(cl.InsufficientDataError):
        sound.drift(log, as_of="2025-01-31")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n_bins": 1}, "n_bins"),
        ({"n_bins": 10}, "n_bins"),
        ({"n_bins": True}, "n_bins"),
        ({"n_bins": 4, "segment_map": "standard_11"}, "Use n_bins=5"),
        ({"n_bins": 2, "segment_map": "grid_3x3"}, "octants"),
        ({"segment_map": "standard"}, "standard_11"),
        ({"segment_map": SegmentMap.from_rules({}, n_bins=3, otherwise="all")}, "3 scores, n_bins is 5"),
        ({"cuts": {"freq": [1]}}, "frequency"),
        ({"cuts": {"frequency": [1, 2]}}, "4 cuts; seen 2"),
        ({"cuts": {"frequency": [1, 2, 1, 4]}}, "ascend"),
        ({"cuts": {"frequency": [1, 2, 3, float("nan")]}}, "finite"),
        ({"cuts": {"frequency": [True, 2, 3, 4]}}, "finite"),
        ({"cuts": {"frequency": "1234"}}, "list of finite"),
        ({"cuts": [1, 2, 3, 4]}, "mapping"),
        ({"weights": {"recency": 0}}, "above 0"),
        ({"weights": {"recency": -1}}, "weights"),
        ({"weights": {"r": 1}}, "weights"),
        ({"lookback": "3 weeks"}, "duration"),
        ({"monetary": "median"}, "monetary"),
        ({"n_bin": 5}, "Did you mean 'n_bins'"),
    ],
)
def test_wrong_specs_are_refused(wrong, told):
    with pytest.raises(cl.ConfigError, match=told):
        RFM(**wrong)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "3", None, True])
def test_scores_of_no_numbers_are_refused(wrong):
    rfm = fit(RFM(), cl.OrderLog.from_frame(export(), **NAMES, order_id="o"), "2025-03-15")
    with pytest.raises(cl.ConfigError, match="recency_days is a finite number"):
        rfm.score(recency_days=wrong, frequency=1, monetary=1.0)


@pytest.mark.parametrize("name", ["recency_days", "frequency"])
def test_days_and_orders_below_zero_are_refused_and_money_below_zero_is_not(name):
    rfm = fit(RFM(), cl.OrderLog.from_frame(export(), **NAMES, order_id="o"), "2025-03-15")
    values = {"recency_days": 3, "frequency": 1, "monetary": -1.0}
    assert rfm.score(**values).m_score == 1
    with pytest.raises(cl.ConfigError, match=f"{name} is 0 or more; seen -1"):
        rfm.score(**values | {name: -1})
    # Whoever ordered today, and whoever has no order that counts, has a score.
    assert rfm.score(**values | {name: 0}).rfm_code


def test_a_missing_column_is_told():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    with pytest.raises(cl.ConfigError, match="community"):
        RFM(by="community").fit(log, as_of="2025-03-15")
    with pytest.raises(cl.ConfigError, match="as_of"):
        RFM().fit(log, as_of="15.03.2025")


def test_money_is_equal_to_the_last_bit(engine, as_pandas):
    """Polars divides by a number through its reciprocal: one amount in seven would be off in the last bit."""
    cents = np.arange(1, 3000)
    frame = pd.DataFrame({"u": cents, "t": "2025-01-01", "m": cents / 100})
    log = cl.OrderLog.from_frame(engine(frame), **NAMES)
    cuts = {"recency": [1], "frequency": [1], "monetary": [0.29]}
    scored = as_pandas(RFM(n_bins=2, cuts=cuts).fit(log, as_of="2025-01-02").transform(log, as_of="2025-01-02"))
    assert (scored["monetary"] == cents / 100).all()
    assert (scored["m_score"] == np.where(cents > 29, 2, 1)).all()


def test_groups_whose_cuts_coincide_are_told():
    frame = export()
    frame = pd.concat(
        [
            frame,
            pd.DataFrame(
                {
                    "u": [f"x{k}" for k in range(30)],
                    "o": range(1000, 1030),
                    "t": pd.Timestamp("2025-03-01"),
                    "m": 5.0,
                    "c": "flat",
                }
            ),
        ]
    )
    log = cl.OrderLog.from_frame(frame, **NAMES, order_id="o", **ATTRIBUTES)
    with pytest.warns(cl.FewerBinsWarning) as caught:
        RFM(by="community", min_group_users=20, n_bins=3).fit(log, as_of="2025-03-15")
    told = [str(warning.message) for warning in caught if "coincide" in str(warning.message)]
    assert len(told) == 1
    assert "recency in 1 of 3 groups" in told[0]


def test_what_to_do_is_said_in_the_language_asked_for():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    said = {
        lang: fit(RFM(lang=lang), log, "2025-03-15").score(recency_days=3, frequency=2, monetary=9.0)
        for lang in ("en", "zh")
    }
    assert said["en"].next_action.isascii()
    assert not said["zh"].next_action.isascii()
    assert not said["zh"].segment.isascii()


def test_drift_advises_in_chinese():
    log = cl.OrderLog.from_frame(export(), **NAMES, order_id="o")
    fitted = fit(RFM(lang="zh"), log, "2025-03-15")
    assert fitted.drift(log, as_of="2025-03-15").table["advice"].tolist() == ["沿用现有切点。"] * 3
