"""Loyalty, value and their quadrants."""

from __future__ import annotations

import re
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mpl.use("Agg")

import matplotlib.pyplot as plt

import commlife as cl
from commlife.segments import RFM, FittedValueIndex, Loyalty, ValueIndex, quadrants

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m"}
RULES = {"cuts": {"frequency": [1, 2, 4, 8]}}
FEWER = settings(max_examples=max(settings.default.max_examples // 6, 8))


def export(seed: int = 0, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "u": rng.integers(0, 60, n),
            "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 70, n), unit="D"),
            "m": rng.integers(-100, 3000, n) / 100,
        }
    )


def loyalty_by_hand(frame, as_of, n_periods, decay):
    frame = frame[(frame["t"] < as_of) & (frame["m"] >= 0)]
    ago = (pd.Timestamp(as_of) - frame["t"]).dt.days.sub(1) // 7
    bought = {user: set(part) for user, part in ago.groupby(frame["u"])}
    weights = decay ** np.arange(n_periods)
    return {user: sum(weights[k] for k in held if k < n_periods) / weights.sum() for user, held in bought.items()}


@FEWER
@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.3, 0.8, 1.0]))
def test_loyalty_follows_the_definition(seed, n_periods, decay):
    frame = export(seed)
    fitted = Loyalty(n_periods=n_periods, decay=decay).fit(cl.OrderLog.from_frame(frame, **NAMES), as_of="2025-03-10")
    index = fitted.index.set_index("user_id")
    wanted = loyalty_by_hand(frame, "2025-03-10", n_periods, decay)
    assert index["loyalty"].to_dict() == pytest.approx(wanted, abs=1e-9)
    assert ((index["loyalty"] + index["churn_index"]) == 1).all()


def test_engines_agree(engine, as_pandas):
    base, log = (cl.OrderLog.from_frame(each, **NAMES) for each in (export(), engine(export())))
    for spec in (Loyalty(), Loyalty(period="month", n_periods=2)):
        one, two = (spec.fit(each, as_of="2025-03-10").index for each in (base, log))
        pd.testing.assert_frame_equal(as_pandas(one), as_pandas(two), check_dtype=False)
    for method in ("weighted", "pca"):
        spec = ValueIndex(rfm=RFM(**RULES), method=method, weights={"recency": 1, "monetary": 2})
        one, two = (spec.fit(each, as_of="2025-03-10") for each in (base, log))
        assert one == two
        one, two = (
            as_pandas(spec.fit(each, as_of="2025-03-10").transform(each, as_of="2025-03-10")) for each in (base, log)
        )
        pd.testing.assert_frame_equal(one, two, check_dtype=False)


def test_loyalty_needs_its_periods():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    with pytest.raises(
        cl.InsufficientDataError, match=r"Loyalty needs 12 complete periods.*the log holds 9 .*n_periods=9"
    ):
        Loyalty(n_periods=12).fit(log, as_of="2025-03-10")
    refunds = cl.OrderLog.from_frame(export().assign(m=-1.0), **NAMES)
    with pytest.raises(cl.InsufficientDataError, match="order that counts"):
        Loyalty(n_periods=3).fit(refunds, as_of="2025-03-10")
    fitted = Loyalty().fit(log, as_of="2025-03-10")
    assert repr(fitted) == f"FittedLoyalty({len(fitted.to_frame())} users before 2025-03-10, 8 periods of 7D)"
    cells = re.findall(r"<td>(.*?)</td>", fitted._repr_html_())
    assert cells[::3] == ["0", "0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1"]
    told, index = [int(users) for users in cells[1::3]], fitted.to_frame()["loyalty"]
    assert sum(told) == len(index)
    assert (told[0], told[-1]) == ((index == 0).sum(), (index > 0.75).sum())


@pytest.mark.parametrize(
    "wrong", [{"n_periods": 0}, {"n_periods": True}, {"decay": 0}, {"decay": 1.1}, {"period": "7"}]
)
def test_wrong_loyalties_are_refused(wrong):
    with pytest.raises(cl.ConfigError):
        Loyalty(**wrong)


def test_the_first_component_is_that_of_numpy():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    value = ValueIndex(rfm=RFM(**RULES), method="pca").fit(log, as_of="2025-03-10")
    scores = value.rfm.transform(log, as_of="2025-03-10")[["r_score", "f_score", "m_score"]].to_numpy()
    _, sizes, axes = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
    loadings = np.array(list(value.loadings.values()))
    assert abs(loadings @ axes[0]) == pytest.approx(1)
    assert value.explained == pytest.approx(sizes[0] ** 2 / (sizes**2).sum())
    index = value.transform(log, as_of="2025-03-10")["value_index"]
    assert np.corrcoef(index, scores @ loadings)[0, 1] == pytest.approx(1)
    assert index.between(0, 1).all()
    assert "pca: recency" in repr(value)
    assert FittedValueIndex.from_json(value.to_json()) == value


def test_loadings_have_length_1_and_point_upwards_whichever_way_the_solver_turned_them():
    """The sign of an eigenvector is the solver's affair: among some logs it gives both."""
    for seed in range(8):
        log = cl.OrderLog.from_frame(export(seed), **NAMES)
        loadings = list(ValueIndex(rfm=RFM(**RULES), method="pca").fit(log, as_of="2025-03-10").loadings.values())
        assert np.linalg.norm(loadings) == pytest.approx(1.0)
        assert sum(loadings) > 0


def test_weights_alike_are_the_mean_score():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    value = ValueIndex(rfm=RFM(**RULES)).fit(log, as_of="2025-03-10")
    scored = value.rfm.transform(log, as_of="2025-03-10")
    mean = (scored[["r_score", "f_score", "m_score"]].mean(axis=1) - 1) / 4
    assert value.transform(log, as_of="2025-03-10")["value_index"].to_numpy() == pytest.approx(mean.to_numpy())


def test_a_negative_loading_counts_from_the_other_end():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    value = ValueIndex(rfm=RFM(**RULES)).fit(log, as_of="2025-03-10")
    turned = value.model_copy(update={"loadings": {"recency": -1.0, "frequency": 0.0, "monetary": 0.0}})
    scored = value.rfm.transform(log, as_of="2025-03-10")
    assert turned.transform(log, as_of="2025-03-10")["value_index"].tolist() == ((5 - scored["r_score"]) / 4).tolist()


def test_equal_users_have_no_component():
    frame = pd.DataFrame({"u": [1, 2], "t": ["2025-01-05"] * 2, "m": [5.0] * 2})
    log = cl.OrderLog.from_frame(frame, **NAMES)
    rfm = RFM(n_bins=2, cuts={"recency": [3], "frequency": [1], "monetary": [4]})
    with pytest.raises(cl.InsufficientDataError, match="all are equal"):
        ValueIndex(rfm=rfm, method="pca").fit(log, as_of="2025-01-09")
    assert ValueIndex(rfm=rfm).fit(log, as_of="2025-01-09").explained == 0
    with pytest.raises(cl.ConfigError, match="above 0"):
        ValueIndex(weights={"recency": 0})


VALUE = pd.DataFrame({"user_id": [1, 2, 3, 4, 5], "value_index": [0.9, 0.8, 0.1, 0.2, 0.5]})
CHURN = pd.DataFrame({"user_id": [5, 4, 3, 2, 1], "churn_index": [0.5, 0.9, 0.1, 0.7, 0.2]})


def test_quadrants(engine, as_pandas):
    made = quadrants(engine(VALUE), engine(CHURN))
    assert as_pandas(made.users)["quadrant"].tolist() == ["keep", "rescue", "grow", "let go", "grow"]
    assert made.to_frame()["users"].tolist() == [1, 1, 2, 1]
    assert (made.value_cut, made.churn_cut) == (0.5, 0.5)
    assert repr(made) == "Quadrants(1 keep, 1 rescue, 2 grow, 1 let go)"
    assert all(action.isascii() for action in made.table["next_action"]), "operators who read English"
    assert dict(made.to_frame()[["quadrant", "next_action"]].to_numpy()) == dict(
        as_pandas(made.users)[["quadrant", "next_action"]].to_numpy()
    )


def test_quadrants_by_given_cuts_and_their_figure():
    made = quadrants(VALUE, CHURN, value_cut=0.95, churn_cut=0.0, lang="zh")
    assert made.table["users"].tolist() == [0, 0, 0, 5]
    assert made.table["mean_value"].isna().tolist() == [True, True, True, False]
    assert set(made.users["next_action"]) == {"仅随大促触达。"}
    ax = made.plot()
    assert ax.get_ylabel() == "价值指数"
    told = [text.get_text().split("\n")[0] for text in ax.texts]
    assert told == [f"{name}: {n} ({n / 5:.0%})" for name, n in zip(made.table["name_zh"], [0, 0, 0, 5], strict=True)]
    plt.close("all")


@pytest.mark.parametrize(
    ("value", "churn", "more", "told"),
    [
        (VALUE.rename(columns={"value_index": "v"}), CHURN, {}, "value_index"),
        (VALUE, CHURN.assign(churn_index="x"), {}, "no numbers"),
        (VALUE, CHURN.assign(churn_index=np.nan), {}, "5 values"),
        (pd.concat([VALUE, VALUE]), CHURN, {}, "twice"),
        (VALUE.astype({"user_id": str}), CHURN, {}, "different types"),
        (VALUE, CHURN, {"value_cut": float("nan")}, "finite"),
        (VALUE, CHURN, {"churn_cut": True}, "finite"),
        (VALUE, CHURN, {"lang": "fr"}, "lang"),
    ],
)
def test_wrong_quadrants_are_refused(value, churn, more, told):
    with pytest.raises(cl.ConfigError, match=told):
        quadrants(value, churn, **more)


def test_nobody_in_both():
    with pytest.raises(cl.InsufficientDataError, match="share none"):
        quadrants(VALUE, CHURN.assign(user_id=CHURN["user_id"] + 10))


@FEWER
@given(st.integers(0, 10**6), st.sampled_from(["weighted", "pca"]), st.randoms())
def test_laws_of_the_indices(seed, method, rng):
    """Row order, other names, later rows and another currency change no loyalty and no value."""
    frame = export(seed)
    as_of = "2025-03-01"
    specs = (Loyalty(n_periods=6), ValueIndex(rfm=RFM(n_bins=3, cuts={"frequency": [1, 3]}), method=method))

    def read(rows, back=None):
        log = cl.OrderLog.from_frame(rows, **NAMES)
        loyalty = specs[0].fit(log, as_of=as_of).index
        fitted = specs[1].fit(log, as_of=as_of)
        value = fitted.transform(log, as_of=as_of)
        both = loyalty.merge(value, on="user_id")
        if back is not None:
            both["user_id"] = both["user_id"].map(back)
        return both.sort_values("user_id", ignore_index=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.FewerBinsWarning)
        one = read(frame)
        assert (frame["t"] >= as_of).any()
        pd.testing.assert_frame_equal(one, read(frame[frame["t"] < as_of]))
        pd.testing.assert_frame_equal(one, read(frame.sample(frac=1.0, random_state=rng.randrange(2**31))))
        users = list(range(60))
        rng.shuffle(users)
        back = {new: old for old, new in enumerate(users)}
        pd.testing.assert_frame_equal(one, read(frame.assign(u=np.array(users)[frame["u"]]), back))
        dear = read(frame.assign(m=(frame["m"] * 100).round()))
        pd.testing.assert_frame_equal(one, dear)


@FEWER
@given(st.integers(0, 10**6), st.randoms())
def test_quadrants_are_a_partition_that_no_name_decides(seed, rng):
    drawn = np.random.default_rng(seed)
    n = int(drawn.integers(1, 40))
    value = pd.DataFrame({"user_id": range(n), "value_index": drawn.integers(0, 5, n) / 4})
    churn = pd.DataFrame({"user_id": range(n), "churn_index": drawn.integers(0, 5, n) / 4})
    made = quadrants(value, churn)
    assert made.table["users"].sum() == n
    assert made.table["share"].sum() == pytest.approx(1)
    users = list(range(n))
    rng.shuffle(users)
    other = quadrants(value.assign(user_id=users), churn.assign(user_id=users).sample(frac=1.0, random_state=seed))
    assert made.table.equals(other.table)
    assert other.users.set_index("user_id").loc[users, "quadrant"].tolist() == made.users["quadrant"].tolist()
