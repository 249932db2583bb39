"""Growth planner: from a goal back to the budget, from a budget to the best that it reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.cohorts._history import check_evidence, read_history
from commlife.cohorts._optimum import Response, Solution, cheapest, largest
from commlife.cohorts.drivers import Number, Outcome, Scaling, fit_outcomes, same_size
from commlife.cohorts.growth_plan import Goal, GrowthPlan
from commlife.errors import ConfigError, InsufficientDataError

__all__ = ["FittedGrowthPlanner", "GrowthPlanner"]

Bounds = Mapping[str, tuple[float, float]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

_DRAWS, _MOST_LEVERS = 2_000, 400
_QUANTILES = (0.025, 0.975)


class GrowthPlanner(Spec):
    """Learns what acquisition spend and discounts went together with, and plans with it.

    New payers of a community are exp(level) times a product of (1 + spend / unit) ** elasticity over levers; retention
    is a logit of the same logarithms. Returns diminish. Acquisition never lowers new payers, discounts never lower
    anything; where acquisition money lowers retention (bait), the plan counts with it. Elasticities are associations of
    the past; ``evidence`` replaces them by what experiments found.

    Args:
        acquisition: Columns of money spent on winning users in a community and period, one a channel.
        discounts: Columns of money given as discounts there, one a category.
        controls: Other columns that outcomes depend on (weather, holidays): held at their recent means in plans.
        group: The column of communities; None if there is one.
        new_payers: The column with the number of new payers of the cohort.
        retained: The column with how many of them came back; null where that is not known yet.
        age: The age of the retention where a CohortTable is given.
        recent: Cohorts, the newest ones, whose mean levers are "now".
        reach: A lever may go up to so many times the largest that its community has seen.
        prior_sd: Standard deviation of the prior of each standardised coefficient.
        evidence: Elasticities from experiments: for ``"new_payers"`` or ``"retention"`` a mapping from lever to
            (coefficient of log(1 + spend / unit), standard error).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> spend = rng.uniform(100, 900, 60)
        >>> off = rng.uniform(50, 500, 60)
        >>> new = rng.poisson(60 * (1 + spend / 500) ** 0.6)
        >>> history = pd.DataFrame({"cohort": np.tile(np.arange(30), 2), "community": np.repeat(["east", "west"], 30),
        ...     "app": spend, "vegetables": off, "new_payers": new,
        ...     "retained": rng.binomial(new, 0.3 + 0.0003 * off)})
        >>> fitted = GrowthPlanner(acquisition=["app"], discounts=["vegetables"]).fit(history)
        >>> plan = fitted.plan(Goal(new_payers=20, retention_points=2.0))
        >>> plan.reachable, plan.cost > plan.cost_now
        (True, True)
    """

    acquisition: Annotated[tuple[str, ...], Field(min_length=1)]
    discounts: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    group: str | None = "community"
    new_payers: str = "new_payers"
    retained: str = "retained"
    age: Annotated[int, Field(ge=1, strict=True)] = 1
    recent: Annotated[int, Field(ge=1, strict=True)] = 4
    reach: Annotated[float, Field(ge=1, le=10)] = 1.5
    prior_sd: Annotated[float, Field(gt=0, le=100)] = 1.0
    evidence: dict[Literal["new_payers", "retention"], dict[str, tuple[float, float]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _together(self) -> Self:
        names = (*self.levers, *self.controls)
        if len(set(names)) < len(names):
            raise ConfigError(f"acquisition, discounts and controls name each column once; seen {list(names)!r:.160}.")
        for outcome, found in self.evidence.items():
            check_evidence(found, self.levers, f"GrowthPlanner, {outcome}")
        return self

    @property
    def levers(self) -> tuple[str, ...]:
        """The columns of money, acquisition first."""
        return (*self.acquisition, *self.discounts)

    def fit(self, history: Any) -> FittedGrowthPlanner:
        """Learn the response curves.

        Args:
            history: One row a cohort and community with the columns named above; or a :class:`CohortTable` with the
                levers beside it as covariates.

        Raises:
            ConfigError: If columns are missing or hold what cannot be.
            InsufficientDataError: If there are too few cohorts, or levers that cannot be told apart.
        """
        names = (*self.levers, *self.controls)
        data = read_history(
            history, group=self.group, covariates=names, age=self.age, what="GrowthPlanner",
            new_payers=self.new_payers, retained=self.retained,
        )  # fmt: skip
        is_lever = np.arange(len(names)) < len(self.levers)
        scaling = Scaling.of(data, names, is_lever)
        # Acquisition wins users and may win worse ones; a discount may do no harm.
        signs = is_lever, is_lever & (np.arange(len(names)) >= len(self.acquisition))
        fits = fit_outcomes(data, scaling, names, self.prior_sd, self.evidence, "GrowthPlanner", signs)
        n_groups = len(data.names)
        if n_groups * len(self.levers) > _MOST_LEVERS:
            raise ConfigError(
                f"GrowthPlanner plans at most {_MOST_LEVERS} levers (communities times columns); seen "
                f"{n_groups} x {len(self.levers)}. Plan by region, or with fewer channels."
            )
        newest = [np.flatnonzero(data.group == group)[-self.recent :] for group in range(n_groups)]
        now = np.array([data.covariates[rows].mean(axis=0) for rows in newest])
        seen = np.array([data.covariates[data.group == group].max(axis=0) for group in range(n_groups)])
        return FittedGrowthPlanner(
            spec=self,
            groups=data.names,
            unit=tuple(scaling.unit[is_lever].tolist()),
            new_payers=fits[0],
            retention=fits[1],
            now=_nested(now),
            largest_seen=_nested(seen[:, is_lever]),
            fitted_on=FittedOn(
                as_of=None, rows=len(data.group), users=int(data.new_payers.sum()), version=library_version()
            ),
        )

    def backtest(self, history: pd.DataFrame, *, last: int = 4) -> pd.DataFrame:
        """Promise against outcome: fitted without the newest cohorts, asked about them at the levers actually used.

        Args:
            history: As for :meth:`fit`, a frame.
            last: How many of the newest cohorts are held back.

        Returns:
            One row a held-back cohort, community and outcome: ``cohort, group, outcome, promised, low, high``
            (95%), ``observed, inside``; rows whose retention is not known yet are left out.

        Raises:
            ConfigError: If ``last`` is not a whole number from 1, or the history is no frame.
        """
        if not isinstance(history, pd.DataFrame):
            raise ConfigError(f"backtest takes a pandas frame; seen {type(history).__name__}.")
        if isinstance(last, bool) or not isinstance(last, int) or last < 1:
            raise ConfigError(f"last is a number of cohorts, 1 or more; seen {last!r:.40}.")
        names = (*self.levers, *self.controls)
        data = read_history(
            history, group=self.group, covariates=names, age=self.age, what="GrowthPlanner.backtest",
            new_payers=self.new_payers, retained=self.retained,
        )  # fmt: skip
        cohorts = np.unique(data.cohort)
        if len(cohorts) <= last:
            raise InsufficientDataError(
                f"backtest(last={last}) leaves no cohort to learn from; there are {len(cohorts)}. Use a smaller last."
            )
        fitted = self.fit(history.loc[history["cohort"] < cohorts[-last]])
        later = (data.cohort >= cohorts[-last]) & np.isin(np.array(data.names)[data.group], fitted.groups)
        place = np.array([fitted.groups.index(name) if name in fitted.groups else -1 for name in data.names])
        return fitted._judged(data, np.flatnonzero(later), place[data.group])


def _nested(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


class FittedGrowthPlanner(Fitted):
    """Response curves, ready to plan with.

    Attributes:
        spec: The spec that was fitted.
        groups: The communities.
        unit: Of each lever, the money at which its effect has reached elasticity * log 2.
        new_payers, retention: The regressions; their coefficients are those of the levers, then of the controls.
        now: Recent means of levers and controls, by community.
        largest_seen: The largest value of each lever, by community.
    """

    spec: GrowthPlanner
    groups: tuple[str, ...]
    unit: tuple[Annotated[Number, Field(gt=0, le=1e15)], ...]
    new_payers: Outcome
    retention: Outcome
    now: tuple[tuple[Annotated[Number, Field(ge=-1e15, le=1e15)], ...], ...]
    largest_seen: tuple[tuple[Annotated[Number, Field(ge=0, le=1e15)], ...], ...]

    @model_validator(mode="after")
    def _together(self) -> Self:
        n_groups, n_levers = len(self.groups), len(self.spec.levers)
        wide = n_levers + len(self.spec.controls)
        if len(self.unit) != n_levers:
            raise ValueError(f"unit holds a number for each of the {n_levers} levers")
        for name, table, n in (("now", self.now, wide), ("largest_seen", self.largest_seen, n_levers)):
            if len(table) != n_groups or any(len(row) != n for row in table):
                raise ValueError(f"{name} holds {n} numbers for each of the {n_groups} communities")
        if not n_groups or any(value < 0 for row in self.now for value in row[:n_levers]):
            raise ValueError("now holds the money of each lever, 0 or more, in one community or more")
        same_size((self.new_payers, self.retention), n_groups=n_groups, n_covariates=wide)
        return self

    def __repr__(self) -> str:
        """One line."""
        return f"FittedGrowthPlanner({len(self.spec.levers)} levers in {len(self.groups)} communities)"

    def __str__(self) -> str:
        return repr(self)

    def plan(self, goal: Goal, *, bounds: Bounds | None = None, seed: int = 0) -> GrowthPlan:
        """The least-cost split of the budget that reaches a goal.

        Args:
            goal: What is wanted beyond what the recent levers bring.
            bounds: For a lever the least and the most money a period in each community: ``{"app": (100.0, 800.0)}``.
                Without, from 0; never beyond ``reach`` times the largest that a community has seen.
            seed: Of the simulation behind the intervals.

        Returns:
            The :class:`GrowthPlan`; where the goal is out of reach, ``reachable`` is False and it comes near.
        """
        if not isinstance(goal, Goal):
            raise ConfigError(f"plan takes a Goal, such as Goal(new_payers=500); seen {type(goal).__name__}.")
        response, start = self._response(), self._levers_now
        new, kept = response.outcome(start)
        wanted = new + goal.new_payers, min(kept + goal.retention_points / 100.0, 0.9999)
        lower, upper = self._within(bounds)
        found = cheapest(response, *wanted, upper, np.clip(start, lower, upper), lower)
        return self._planned(found, (new, kept), wanted, seed)

    def best_within(
        self, budget: float, *, retention_points: float = 0.0, bounds: Bounds | None = None, seed: int = 0
    ) -> GrowthPlan:
        """The most new payers that a budget brings, with retention no lower than now plus ``retention_points``.

        Args:
            budget: Money a period over all levers and communities.
            retention_points: Percentage points that retention has to rise.
            bounds: As for :meth:`plan`.
            seed: Of the simulation behind the intervals.
        """
        if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not 0 <= budget < float("inf"):
            raise ConfigError(f"budget is an amount of money, 0 or more; seen {budget!r:.40}.")
        goal = Goal(retention_points=retention_points)
        response, start = self._response(), self._levers_now
        new, kept = response.outcome(start)
        floor = min(kept + goal.retention_points / 100.0, 0.9999)
        first = start * min(1.0, budget / start.sum()) if start.sum() > 0 else start
        lower, upper = self._within(bounds)
        found = largest(response, float(budget), floor, upper, np.clip(first, lower, upper), lower)
        return self._planned(found, (new, kept), (float("nan"), floor), seed)

    def frontier(
        self, budgets: Sequence[float], *, retention_points: float = 0.0, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Best new payers by budget: ``budget, cost, new_payers, retention, reachable``, a row a budget."""
        rows = []
        for budget in budgets:
            plan = self.best_within(budget, retention_points=retention_points, bounds=bounds)
            expected = plan.outcome["expected"].tolist()
            rows.append((float(budget), plan.cost, expected[0], expected[1], plan.reachable))
        return pd.DataFrame(rows, columns=["budget", "cost", "new_payers", "retention", "reachable"])

    def response(self, levers: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
        """Expected new payers and retention of each community at given levers.

        Args:
            levers: One row a community (in any order) with the group column and a column for each lever.
            seed: Of the simulation behind the intervals.

        Returns:
            ``group, new_payers, new_payers_low, new_payers_high, retention, retention_low, retention_high``: 95%
            intervals of the curves themselves, without the swings of a period.
        """
        name = self.spec.group or "group"
        needed = [name, *self.spec.levers] if self.spec.group else list(self.spec.levers)
        missing = [column for column in needed if not isinstance(levers, pd.DataFrame) or column not in levers.columns]
        if missing:
            raise ConfigError(f"response needs a pandas frame with {', '.join(needed)}. Give one.")
        given = levers if self.spec.group else levers.assign(**{name: "all"})
        if sorted(given[name].astype(str)) != sorted(self.groups):
            raise ConfigError(f"response needs one row for each of {', '.join(self.groups)!s:.160}. Keep one of each.")
        ordered = given.assign(_name=given[name].astype(str)).set_index("_name").loc[list(self.groups)]
        values = ordered[list(self.spec.levers)].to_numpy(dtype=np.float64)
        new, kept = self._response().parts(values)
        inputs = np.hstack([values, np.array(self.now)[:, len(self.spec.levers) :]])
        columns: dict[str, Any] = {"group": list(self.groups)}
        curves = self._curves(inputs, np.arange(len(self.groups)), seed)
        for name, expected, drawn in zip(("new_payers", "retention"), (new, kept), curves, strict=True):
            low, high = np.quantile(drawn, _QUANTILES, axis=0)
            columns |= {name: expected, f"{name}_low": low, f"{name}_high": high}
        return pd.DataFrame(columns)

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _levers_now(self) -> Floats:
        return np.array(self.now)[:, : len(self.spec.levers)]

    @property
    def _upper(self) -> Floats:
        return self.spec.reach * np.array(self.largest_seen)

    def _within(self, bounds: Bounds | None) -> tuple[Floats, Floats]:
        """The least and the most of each lever in each community."""
        upper = self._upper
        lower = np.zeros_like(upper)
        for name, pair in (bounds or {}).items():
            if name not in self.spec.levers:
                raise ConfigError.unknown_name("bounds: the lever", name, self.spec.levers)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not 0 <= pair[0] <= pair[1]:
                raise ConfigError(
                    f"bounds of {name!r} are the least and the most, such as (0.0, 800.0); seen {pair!r:.40}."
                )
            place = self.spec.levers.index(name)
            reached = float(upper[:, place].min())
            if pair[0] > reached:
                raise ConfigError(
                    f"bounds of {name!r}: at least {pair[0]:,.2f} is asked for, and a community reaches {reached:,.2f} "
                    f"({self.spec.reach:g} times the largest that it has seen). Use a smaller least, or a larger reach."
                )
            lower[:, place] = pair[0]
            upper[:, place] = np.minimum(upper[:, place], pair[1])
        return lower, upper

    def _response(self, betas: tuple[Floats, Floats] | None = None) -> Response:
        """The curves at the estimates, or at one draw of them."""
        n_groups, n_levers = len(self.groups), len(self.spec.levers)
        controls = np.array(self.now)[:, n_levers:]
        levels, slopes = [], []
        for beta in betas or (_vector(self.new_payers), _vector(self.retention)):
            of_levers = beta[1 + n_groups : 1 + n_groups + n_levers]
            levels.append(beta[0] + beta[1 : 1 + n_groups] + controls @ beta[1 + n_groups + n_levers :])
            slopes.append(of_levers)
        return Response(levels[0], levels[1], slopes[0], slopes[1], np.array(self.unit))

    def _draws(self, seed: int) -> tuple[Floats, Floats]:
        """Coefficients that the history leaves possible, a row a draw; effects that cannot be negative are not."""
        rng = np.random.default_rng(seed)
        n_groups, n_levers = len(self.groups), len(self.spec.levers)
        drawn = []
        for fit, first in ((self.new_payers, 0), (self.retention, len(self.spec.acquisition))):
            root = _root(np.array(fit.covariance))
            beta = _vector(fit) + rng.standard_normal((_DRAWS, len(root))) @ root.T
            signed = slice(1 + n_groups + first, 1 + n_groups + n_levers)
            beta[:, signed] = np.maximum(beta[:, signed], 0.0)
            drawn.append(beta)
        return drawn[0], drawn[1]

    def _curves(self, inputs: Floats, group: Any, seed: int) -> tuple[Floats, Floats]:
        """Mean new payers and retention in rows of levers and controls, a row a draw of the coefficients."""
        n_groups, n_levers = len(self.groups), len(self.spec.levers)
        logs = np.log1p(inputs[:, :n_levers] / np.array(self.unit))
        columns = np.hstack([np.ones((len(inputs), 1)), np.eye(n_groups)[group], logs, inputs[:, n_levers:]])
        new_beta, kept_beta = self._draws(seed)
        mean = np.exp(np.clip(new_beta @ columns.T, -30.0, 30.0))
        return mean, 1.0 / (1.0 + np.exp(-np.clip(kept_beta @ columns.T, -30.0, 30.0)))

    def _simulated(self, inputs: Floats, group: Any, seed: int) -> tuple[Floats, Floats]:
        """New payers and the rate of users kept there: coefficients and the swings of a period drawn."""
        rng = np.random.default_rng([seed, 1])
        mean, rate = self._curves(inputs, group, seed)
        alpha = self.new_payers.overdispersion
        swing = rng.gamma(1.0 / alpha, alpha, mean.shape) if alpha > 1e-9 else 1.0
        new = rng.poisson(np.minimum(mean * swing, 1e15)).astype(np.float64)
        error = np.sqrt(self.retention.dispersion * rate * (1.0 - rate) / np.maximum(new, 1.0))
        kept = np.clip(rate + error * rng.standard_normal(rate.shape), 0.0, 1.0)
        return new, kept

    def _planned(self, found: Solution, now: tuple[float, float], wanted: tuple[float, float], seed: int) -> GrowthPlan:
        n_groups, n_levers = len(self.groups), len(self.spec.levers)
        inputs = np.hstack([found.levers, np.array(self.now)[:, n_levers:]])
        new, kept = self._simulated(inputs, np.arange(n_groups), seed)
        total = new.sum(axis=1)
        rate = (new * kept).sum(axis=1) / np.maximum(total, 1e-9)
        ends = [np.quantile(values, _QUANTILES) for values in (total, rate)]
        outcome = pd.DataFrame(
            {
                "outcome": ["new_payers", "retention"],
                "now": list(now),
                "goal": list(wanted),
                "expected": list(self._response().outcome(found.levers)),
                "low": [float(end[0]) for end in ends],
                "high": [float(end[1]) for end in ends],
            }
        )
        seen = np.array(self.largest_seen)
        kinds = ["acquisition"] * len(self.spec.acquisition) + ["discount"] * len(self.spec.discounts)
        levers = pd.DataFrame(
            {
                "group": np.repeat(np.array(self.groups, dtype=object), n_levers),
                "lever": list(self.spec.levers) * n_groups,
                "kind": kinds * n_groups,
                "now": self._levers_now.ravel(),
                "planned": found.levers.ravel(),
                "change": (found.levers - self._levers_now).ravel(),
                "largest_seen": seen.ravel(),
                "extrapolated": (found.levers > seen * (1 + 1e-9)).ravel(),
            }
        )
        return GrowthPlan(levers, outcome, found.feasible, float(found.levers.sum()), float(self._levers_now.sum()))

    def _judged(self, data: Any, rows: Any, place: Any) -> pd.DataFrame:
        """Promises for rows of a history against what came."""
        new, kept = self._simulated(data.covariates[rows], place[rows], 0)
        parts = []
        rate = data.retained[rows] / np.where(data.new_payers[rows] > 0, data.new_payers[rows], np.nan)
        for outcome, drawn, observed in (("new_payers", new, data.new_payers[rows]), ("retention", kept, rate)):
            low, high = np.quantile(drawn, _QUANTILES, axis=0)
            parts.append(
                pd.DataFrame(
                    {
                        "cohort": data.cohort[rows],
                        "group": np.array(data.names, dtype=object)[data.group[rows]],
                        "outcome": outcome,
                        "promised": np.median(drawn, axis=0),
                        "low": low,
                        "high": high,
                        "observed": observed,
                        "inside": (observed >= low) & (observed <= high),
                    }
                )
            )
        judged = pd.concat(parts, ignore_index=True).dropna(subset=["observed"])
        return judged.sort_values(["cohort", "group", "outcome"], ignore_index=True)


def _root(covariance: Floats) -> Floats:
    """A matrix whose square is the covariance, also where rounding left a variance a hair below 0."""
    try:
        return np.asarray(np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance))), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _vector(fit: Outcome) -> Floats:
    return np.array([fit.intercept, *fit.groups, *fit.coefficients])
