"""Drivers: the regressions meet independent optimisers, recover known truth, and say what they cannot tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import commlife as cl
from commlife.cohorts import FittedRetentionDrivers, RetentionDrivers, cohort_table
from commlife.cohorts._glm import design_of, fit_glm, inflation


def history(seed=0, *, groups=6, weeks=30, effect=(0.5, 0.4), swing=0.0):
    """Truth: log new payers rises by ``effect[0]`` a unit of log(1 + spend / 300), logit retention by ``effect[1]`` a unit of rain."""
    rng = np.random.default_rng(seed)
    n = groups * weeks
    group = np.repeat(np.arange(groups), weeks)
    spend, rain = rng.uniform(0, 900, n), rng.normal(size=n)
    mean = np.exp(4.5 + 0.3 * (group - 2) / 2 + effect[0] * np.log1p(spend / 300) + swing * rng.normal(size=n))
    new = rng.poisson(mean)
    rate = 1 / (1 + np.exp(-(-0.6 + 0.1 * (group - 2) + effect[1] * rain + swing * rng.normal(size=n))))
    return pd.DataFrame(
        {"cohort": np.tile(np.arange(weeks), groups), "community": np.array(list("abcdefgh"))[group], "spend": spend,
         "rain": rain, "new_payers": new, "retained": rng.binomial(new, rate)}
    )  # fmt: skip


SPEC = RetentionDrivers(covariates=["spend", "rain"], log=["spend"])


@pytest.mark.parametrize("binomial", [False, True])
def test_newton_meets_a_general_optimiser(binomial):
    rng = np.random.default_rng(1)
    group, x = np.repeat([0, 1, 2], 20), rng.normal(size=(60, 2))
    design = design_of(group, 3, x, np.array([0.1, 0.0]), np.array([1.0, 4.0]))
    trials = rng.integers(20, 80, 60).astype(float) if binomial else None
    hits = (
        rng.binomial(50, 0.3, 60).clip(0, trials).astype(float)
        if binomial
        else rng.negative_binomial(4, 1 / 3, 60).astype(float)
    )
    fit = fit_glm(design, hits, trials, fixed=np.zeros(6, dtype=bool), what="test")

    def loss(beta):
        eta = design.matrix @ beta
        if binomial:
            minus = -stats.binom.logpmf(hits, trials, 1 / (1 + np.exp(-eta))).sum()
        else:
            shape, mean = 1 / fit.overdispersion, np.exp(eta)
            return -stats.nbinom.logpmf(hits, shape, shape / (shape + mean)).sum() + prior(beta)
        return minus / fit.dispersion + prior(beta)

    def prior(beta):
        return 0.5 * (design.prior_precision * (beta - design.prior_mean) ** 2).sum()

    other = optimize.minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
    assert fit.coefficients == pytest.approx(other, abs=2e-4)
    mean = np.exp(design.matrix @ fit.coefficients)
    p = mean / (1 + mean)
    # Fisher's information by hand.
    weight = trials * p * (1 - p) / fit.dispersion if binomial else mean / (1 + fit.overdispersion * mean)
    information = design.matrix.T @ (weight[:, None] * design.matrix) + np.diag(design.prior_precision)
    assert np.linalg.inv(fit.covariance) == pytest.approx(information, rel=1e-3, abs=1e-3)


def test_intervals_cover_the_truth_at_their_rate():
    inside = []
    for seed in range(60):
        frame = history(seed, swing=0.15, groups=4, weeks=20)
        fitted = SPEC.fit(frame)
        table = fitted.to_frame().set_index(["outcome", "covariate"])
        # The unit is the median spend, not 300: the elasticity at large spends is what both agree on, so compare rain.
        row = table.loc[("retention", "rain")]
        inside.append(row["low"] <= 0.4 <= row["high"])
        calm = table.loc[("new_payers", "rain")]
        inside.append(calm["low"] <= 0.0 <= calm["high"])
    assert 0.88 <= np.mean(inside) <= 1.0


def test_overdispersion_widens_intervals():
    calm, restless = (SPEC.fit(history(3, swing=swing)) for swing in (0.0, 0.4))
    assert calm.new_payers.dispersion < 1.5
    assert restless.new_payers.dispersion > 5
    width = [(f.to_frame()["high"] - f.to_frame()["low"]).iloc[0] for f in (calm, restless)]
    assert width[1] > 2 * width[0]


def test_a_negative_binomial_is_recovered():
    """Swings of 30% of the mean, communities of very different sizes: alpha .09; covered by the intervals of a mean."""
    alphas, inside = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        group, x = np.repeat(np.arange(5), 30), rng.normal(size=150)
        mean = np.exp(np.array([2.5, 3.5, 4.5, 5.5, 6.5])[group] + 0.3 * x)
        new = rng.poisson(mean * rng.gamma(1 / 0.09, 0.09, 150))
        frame = pd.DataFrame({"cohort": np.tile(np.arange(30), 5), "community": group.astype(str), "x": x,
                              "new_payers": new, "retained": new // 2})  # fmt: skip
        fitted = RetentionDrivers(covariates=["x"]).fit(frame)
        alphas.append(fitted.new_payers.overdispersion)
        row = fitted.to_frame().iloc[0]
        inside.append(row["low"] <= 0.3 <= row["high"])
    assert np.mean(alphas) == pytest.approx(0.09, abs=0.01)
    assert sum(inside) >= stats.binom.ppf(0.001, 40, 0.95)


def test_counts_without_swings_are_poisson():
    """No more than chance: alpha is 0, and the coefficients are those of a Poisson regression."""
    rng = np.random.default_rng(0)
    group, x = np.repeat([0, 1], 50), rng.normal(size=(100, 1))
    hits = np.round(np.exp(3 + 0.4 * x[:, 0] + 0.2 * group))
    design = design_of(group, 2, x, np.zeros(1), np.ones(1))
    fit = fit_glm(design, hits, None, fixed=np.zeros(4, dtype=bool), what="test")
    assert fit.overdispersion == 0
    assert fit.dispersion == 1

    def loss(beta):
        minus = -stats.poisson.logpmf(hits, np.exp(design.matrix @ beta)).sum()
        return minus + 0.5 * (design.prior_precision * beta**2).sum()

    other = optimize.minimize(loss, fit.coefficients + 0.01, method="BFGS", options={"gtol": 1e-7}).x
    assert fit.coefficients == pytest.approx(other, abs=1e-4)


def test_words_and_columns():
    fitted = SPEC.fit(history())
    table = fitted.to_frame()
    assert table["direction"].tolist()[0] == "more"
    assert table["direction"].tolist()[3] == "more"
    assert set(table["basis"]) == {"association"}
    assert "is associated with" in table["sentence"].iloc[0]
    assert (table["effect_low"] <= table["effect"]).all()
    spend = table.iloc[0]
    assert spend["effect"] == pytest.approx(100 * np.expm1(spend["coefficient"] * fitted.spread[0]))
    assert table.iloc[3]["unit"] == "points"
    assert FittedRetentionDrivers.from_json(fitted.to_json()) == fitted
    assert "2 covariates" in repr(fitted)
    assert str(fitted) == repr(fitted)


def test_elasticities_are_slopes_of_logarithms():
    """One percent more at the typical value, by a small difference: of new payers, and of retention."""
    frame = history().assign(rain=lambda each: each["rain"] + 10)
    fitted = SPEC.fit(frame)
    table = fitted.to_frame().set_index(["outcome", "covariate"])
    unit, step = fitted.unit[0], 1e-5

    def log_new(spend):
        return fitted.new_payers.coefficients[0] * np.log1p(spend / unit)

    slope = (log_new(unit * (1 + step)) - log_new(unit)) / step
    assert table.loc[("new_payers", "spend"), "elasticity"] == pytest.approx(slope, rel=1e-4)
    mean, rain = fitted.retention.mean, fitted.centre[1]
    logit = np.log(mean / (1 - mean))

    def log_kept(more):
        return -np.log1p(np.exp(-(logit + fitted.retention.coefficients[1] * rain * more)))

    slope = (log_kept(step) - log_kept(0.0)) / step
    row = table.loc[("retention", "rain")]
    assert row["elasticity"] == pytest.approx(slope, rel=1e-3)
    assert row["elasticity_low"] < row["elasticity"] < row["elasticity_high"]
    cold = SPEC.fit(frame.assign(rain=frame["rain"] - 20)).to_frame()
    assert cold["elasticity"].isna().tolist() == [False, True, False, True]


def test_rows_and_names_do_not_matter():
    frame = history()
    a = SPEC.fit(frame)
    b = SPEC.fit(frame.sample(frac=1, random_state=1))
    assert a == b


def test_an_experiment_replaces_an_association():
    """Confounded: spend went up where newcomers came anyway. The experiment says that it does nothing."""
    spec = RetentionDrivers(
        covariates=["spend", "rain"], log=["spend"], evidence={"new_payers": {"spend": (0.0, 0.001)}}
    )
    table = spec.fit(history()).to_frame()
    assert abs(table["coefficient"].iloc[0]) < 0.001
    assert table["basis"].tolist() == ["experiment", "association", "association", "association"]
    assert " brings " in table["sentence"].iloc[0]


def test_unknown_returns_are_left_out():
    frame = history()
    frame["retained"] = frame["retained"].astype("float64").where(frame["cohort"] < 29)
    assert SPEC.fit(frame).retention.mean == pytest.approx(
        frame["retained"].sum() / frame.loc[frame["cohort"] < 29, "new_payers"].sum()
    )


def test_from_a_cohort_table():
    world = cl.datasets.make_community(newcomers_per_week=40, n_communities=3, n_weeks=12, seed=1, trial_share=0)
    plain = cohort_table(world.log, as_of=world.as_of, period="7D", by="community")
    keys = plain.cells[["community", "cohort"]].drop_duplicates()
    beside = keys.assign(rain=np.random.default_rng(0).normal(size=len(keys)))
    table = cohort_table(world.log, as_of=world.as_of, period="7D", by="community", covariates=beside)
    fitted = RetentionDrivers(covariates=["rain"]).fit(table)
    newest = plain.pooled(by_group=False)
    assert fitted.retention.mean == pytest.approx(newest.loc[1, "rate"])
    with pytest.raises(cl.ConfigError, match="covariates"):
        RetentionDrivers(covariates=["rain"]).fit(plain)


def test_covariates_that_move_together_are_told():
    frame = history()
    with pytest.warns(cl.ModelWarning, match="variance inflation"):
        RetentionDrivers(covariates=["spend", "rain", "wet"]).fit(
            frame.assign(wet=frame["rain"] + 0.05 * np.random.default_rng(0).normal(size=len(frame)))
        )
    with pytest.raises(cl.InsufficientDataError, match="told apart"):
        RetentionDrivers(covariates=["spend", "rain", "wet"]).fit(frame.assign(wet=2 * frame["rain"]))
    with pytest.raises(cl.InsufficientDataError, match="constant"):
        RetentionDrivers(covariates=["spend", "size"]).fit(frame.assign(size=frame["community"].map(ord)))


def test_inflation_by_hand():
    x = np.random.default_rng(0).normal(size=(200, 2))
    x[:, 1] += x[:, 0]
    group = np.zeros(200, dtype=int)
    centred = x - x.mean(axis=0)
    r2 = np.corrcoef(centred.T)[0, 1] ** 2
    assert inflation(x, group, 1) == pytest.approx([1 / (1 - r2)] * 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="spend"), "needs spend"),
        (lambda f: f.assign(spend="x"), "numbers"),
        (lambda f: f.assign(spend=True), "numbers"),
        (lambda f: f.assign(spend=np.inf), "infinite"),
        (lambda f: f.assign(spend=np.nan), "null"),
        (lambda f: f.assign(spend=-1.0), "negative"),
        (lambda f: f.assign(retained=f["new_payers"] + 1), "holds in every row"),
        (lambda f: f.assign(cohort=0), "twice"),
        (lambda f: f.assign(community=None), "is null in some rows"),
        (lambda f: f.to_dict(), "pandas frame"),
    ],
)
def test_bad_histories(change, message):
    with pytest.raises(cl.ConfigError, match=message):
        SPEC.fit(change(history(groups=2)))


def test_a_fit_that_does_not_end_is_told(monkeypatch):
    monkeypatch.setattr("commlife.cohorts._glm._STEPS", 1)
    with pytest.raises(cl.InsufficientDataError, match="no maximum within reach"):
        SPEC.fit(history())


def test_nobody_ever_came_back():
    frame = history().assign(retained=0)
    assert SPEC.fit(frame).to_frame()["direction"].tolist()[2:] == ["unclear", "unclear"]


def test_short_histories():
    with pytest.raises(cl.InsufficientDataError, match="needs 14 rows"):
        SPEC.fit(history(groups=6, weeks=2))
    with pytest.raises(cl.InsufficientDataError, match="empty"):
        SPEC.fit(history().head(0))
    with pytest.raises(cl.InsufficientDataError, match="known yet"):
        SPEC.fit(history().assign(retained=np.nan))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"covariates": []}, "covariates"),
        ({"covariates": ["a", "a"]}, "once"),
        ({"covariates": ["a"], "log": ["b"]}, "unknown"),
        ({"covariates": ["a"], "prior_sd": 0}, "prior_sd"),
        ({"covariates": ["a"], "evidence": {"new_payers": {"b": (0.0, 1.0)}}}, "evidence"),
        ({"covariates": ["a"], "evidence": {"new_payers": {"a": (0.0, 0.0)}}}, "standard error"),
        ({"covariates": ["a"], "evidence": {"money": {"a": (0.0, 1.0)}}}, "evidence"),
    ],
)
def test_bad_specs(wrong, message):
    with pytest.raises(cl.ConfigError, match=message):
        RetentionDrivers(**wrong)
