"""Drivers: what goes together with falling silent, how strongly, how surely, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.churn._explained import explain, membership
from commlife.churn.curves import accumulated, joint_effect

if TYPE_CHECKING:
    from commlife.churn.calibration import AffineMap
    from commlife.churn.catalogue import Feature
    from commlife.churn.forest import Forest

__all__ = ["COLUMNS", "Measured", "Population", "Refit", "driver_table", "measure_drivers"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Ranks = np.ndarray[Any, np.dtype[np.int64]]

COLUMNS = (
    "scope", "level", "group", "driver", "label", "kind", "rank", "rank_low", "rank_high", "tier", "direction",
    "mean_abs_shap", "effect_pp", "effect_low", "effect_high", "sign_stability", "share_pushed_up", "users_pushed_up",
    "n", "horizon", "as_of", "sentence",
)  # fmt: skip

#: Users at risk are the riskiest fifth; a driver pushes a user up if it adds half a point or more.
AT_RISK, PUSH = 0.20, 0.005
#: Users by which a refitted model is compared with the full one: enough for ranks and signs.
_COMMITTEE_ROWS = 500
#: Halves of these users, for what another sample of users would change in the table of the same model.
_HALVES = 10
#: 97.5% quantiles of Student's t by degrees of freedom, for few refits.
_T = (np.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
_T_MANY = 2.0


@dataclass(frozen=True)
class Population:
    """The users that a driver table speaks of: a sample, stratified by risk.

    Attributes:
        scope: What they are called.
        X: Features, ``(sample, features)``.
        users: Number of users that the sample stands for.
        at_risk: Probability from which on a user is among the riskiest fifth of all.
    """

    scope: str
    X: Array
    users: int
    at_risk: float


@dataclass(frozen=True)
class Refit:
    """A forest grown on half of the users, with a straight line of its own.

    Attributes:
        forest: The trees.
        calibration: Learned from users that the trees have not seen.
    """

    forest: Forest
    calibration: AffineMap


@dataclass(frozen=True)
class _Rows:
    """One level (groups or features) of a table, as arrays along the drivers."""

    importance: Array
    effect: Array
    mixed: np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Measured:
    """The numbers of a driver table, before they are put into words.

    Attributes:
        population: The users that it speaks of.
        groups: One row a group, in the order of the groups.
        features: One row a feature, in the order of the features.
        leaders: Place of each group's leading feature.
    """

    population: Population
    groups: pd.DataFrame
    features: pd.DataFrame
    leaders: tuple[int, ...]


def measure_drivers(
    population: Population,
    *,
    forest: Forest,
    committee: tuple[Refit, ...],
    committee_scale: float,
    calibration: AffineMap,
    names: tuple[str, ...],
    groups: tuple[tuple[str, ...], ...],
) -> Measured:
    """Importance, effect and rank of groups and features, each with its interval."""
    belongs = membership(names, groups)
    X = population.X
    explained = explain(forest, calibration, X)
    by_group = explained.points @ belongs
    whole_importance = np.abs(explained.log_odds).mean(axis=0)
    leaders = _leaders(groups, names, whole_importance)
    group_rows, feature_rows = _levels(forest, calibration, X, groups, names, leaders)
    stride = max(1, -(-len(X) // _COMMITTEE_ROWS))
    few = X[::stride]
    told = [_levels(member.forest, member.calibration, few, groups, names, leaders) for member in committee]
    here = _levels(forest, calibration, few, groups, names, leaders) if committee else (group_rows, feature_rows)
    sampling = _sampling_variance(forest, calibration, few, groups, names, leaders, len(X)) if committee else (0.0, 0.0)
    levels = []
    for level, points, rows, others, same, drawn in (
        ("group", by_group, group_rows, [t[0] for t in told], here[0], sampling[0]),
        ("feature", explained.points, feature_rows, [t[1] for t in told], here[1], sampling[1]),
    ):
        levels.append(_level(level, points, explained.p, rows, others, same, population, committee_scale, drawn))
    return Measured(population, levels[0], levels[1], tuple(leaders))


def driver_table(
    measured: Measured,
    *,
    features: tuple[Feature, ...],
    groups: tuple[tuple[str, ...], ...],
    horizon: str,
    as_of: str,
    lang: str,
) -> pd.DataFrame:
    """Groups, each with its features under it, by rank."""
    names = tuple(feature.name for feature in features)
    population = measured.population
    table = _assemble(measured.groups, measured.features, groups, names, list(measured.leaders), features, lang)
    low, high = np.nanquantile(population.X, [0.1, 0.9], axis=0, method="inverted_cdf")
    ends = {name: (low[k], high[k]) for k, name in enumerate(names)}
    table = table.assign(scope=population.scope, n=population.users, horizon=horizon, as_of=as_of)
    table["sentence"] = [_sentence(row, ends, lang) for row in table.to_dict("records")]
    return table.drop(columns="leader")[list(COLUMNS)]


def _leaders(groups: tuple[tuple[str, ...], ...], names: tuple[str, ...], importance: Array) -> list[int]:
    """The feature of each group that weighs most; it gives the group its name."""
    return [max((names.index(name) for name in members), key=lambda k: (importance[k], -k)) for members in groups]


def _levels(
    forest: Forest,
    calibration: AffineMap,
    X: Array,
    groups: tuple[tuple[str, ...], ...],
    names: tuple[str, ...],
    leaders: list[int],
) -> tuple[_Rows, _Rows]:
    """Importance and effect of groups and of features by one forest."""
    log_odds = forest.contributions(X)[0] * calibration.slope
    group_effect, effect, mixed = _effects(forest, calibration, X, groups, names, leaders)
    belongs = membership(names, groups)
    return (
        _Rows(np.abs(log_odds @ belongs).mean(axis=0), group_effect, mixed[leaders]),
        _Rows(np.abs(log_odds).mean(axis=0), effect, mixed),
    )


def _effects(
    forest: Forest,
    calibration: AffineMap,
    X: Array,
    groups: tuple[tuple[str, ...], ...],
    names: tuple[str, ...],
    leaders: list[int],
) -> tuple[Array, Array, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Effects of groups and of features by one forest, and which of the curves turn."""

    def forecast(table: Array) -> Array:
        return calibration.probability(forest.margin(table))

    curves = accumulated(X, list(range(len(names))), forecast)
    effect = np.array([curve.total for curve in curves])
    mixed = np.array([curve.is_mixed for curve in curves], dtype=bool)
    group_effect = effect[leaders]
    for g, members in enumerate(groups):
        if len(members) > 1:
            group_effect[g] = joint_effect(X, [names.index(name) for name in members], leaders[g], forecast)
    return group_effect, effect, mixed


def _sampling_variance(
    forest: Forest,
    calibration: AffineMap,
    few: Array,
    groups: tuple[tuple[str, ...], ...],
    names: tuple[str, ...],
    leaders: list[int],
    rows: int,
) -> tuple[Array, Array]:
    """Variance of the effects over samples of ``rows`` users, the model held fast: from halves of a few of them."""
    rng = np.random.default_rng(3)
    half = max(2, len(few) // 2)
    drawn = [
        _effects(forest, calibration, few[np.sort(rng.permutation(len(few))[:half])], groups, names, leaders)
        for _ in range(_HALVES)
    ]
    shrink = len(few) / rows
    return tuple(np.var([told[level] for told in drawn], axis=0, ddof=1) * shrink for level in (0, 1))


def _level(
    level: str,
    points: Array,
    p: Array,
    rows: _Rows,
    others: list[_Rows],
    same: _Rows,
    population: Population,
    scale: float,
    drawn: Array | float,
) -> pd.DataFrame:
    """One level's numbers, by driver."""
    rank = _ranks(rows.importance)
    if others:
        ranks = np.array([_ranks(other.importance) for other in others] + [rank])
        low = np.quantile(ranks, 0.05, axis=0, method="lower").astype(np.int64)
        high = np.quantile(ranks, 0.95, axis=0, method="higher").astype(np.int64)
        effects = np.array([other.effect for other in others])
        half = _half_width(effects, scale, drawn)
        stable = (np.sign(effects) == np.sign(same.effect)).mean(axis=0)
    else:
        low = high = rank
        half = np.full(len(rank), np.nan)
        stable = np.full(len(rank), np.nan)
    risky = p >= population.at_risk
    share = (points[risky] >= PUSH).mean(axis=0) if risky.any() else np.full(len(rank), np.nan)
    at_risk_users = population.users * risky.mean()
    return pd.DataFrame(
        {
            "level": level,
            "rank": rank,
            "rank_low": np.minimum(low, rank),
            "rank_high": np.maximum(high, rank),
            "tier": _tiers(rank, np.minimum(low, rank), np.maximum(high, rank)),
            "direction": _direction(rows),
            "mean_abs_shap": rows.importance,
            "effect_pp": rows.effect,
            "effect_low": rows.effect - half,
            "effect_high": rows.effect + half,
            "sign_stability": stable,
            "share_pushed_up": share,
            "users_pushed_up": np.rint(np.nan_to_num(share) * at_risk_users).astype(np.int64),
        }
    )


def _half_width(effects: Array, scale: float, drawn: Array | float) -> Array:
    """Half the interval in which the effect of a model refitted to as many other users would lie, 95 times of 100.

    The spread over refits to m of n users drawn without replacement, times sqrt(m / (n - m)), is the spread of the
    full fit (Politis & Romano 1994; Shao & Wu 1989 for the scale). To its variance comes that of the users on whom
    the effect is read off. Twice the sum, since both models vary.

    Args:
        effects: Effects by refit, ``(refits, drivers)``.
        scale: The factor of the spread.
        drawn: Variance from the sample of users.
    """
    if len(effects) < 2:
        return np.full(effects.shape[1], np.nan)
    t = _T[len(effects) - 1] if len(effects) - 1 < len(_T) else _T_MANY
    return np.asarray(t * np.sqrt(2.0 * (scale**2 * effects.var(axis=0, ddof=1) + drawn)))


def _ranks(importance: Array) -> Ranks:
    """1 for the largest; equal ones keep the order of the catalogue."""
    rank = np.empty(len(importance), dtype=np.int64)
    rank[np.argsort(-importance, kind="stable")] = np.arange(1, len(importance) + 1)
    return rank


def _tiers(rank: Ranks, low: Ranks, high: Ranks) -> Ranks:
    """Drivers whose rank interval reaches up to that of their tier's first cannot be told apart from it."""
    tier = np.zeros(len(rank), dtype=np.int64)
    current, reach = 0, -1
    for k in np.argsort(rank):
        if current == 0 or low[k] > reach:
            current, reach = current + 1, int(high[k])
        tier[k] = current
    return tier


def _direction(rows: _Rows) -> list[str]:
    """up: higher values go with more silence; down: with less; mixed: the curve turns; none: nothing to see."""
    return [
        "none" if abs(effect) < 1e-4 and not mixed else "mixed" if mixed else "up" if effect > 0 else "down"
        for effect, mixed in zip(rows.effect.tolist(), rows.mixed.tolist(), strict=True)
    ]


def _assemble(
    of_groups: pd.DataFrame,
    of_features: pd.DataFrame,
    groups: tuple[tuple[str, ...], ...],
    names: tuple[str, ...],
    leaders: list[int],
    features: tuple[Feature, ...],
    lang: str,
) -> pd.DataFrame:
    """Group rows by rank, each followed by its features by rank."""
    leader_names = [names[k] for k in leaders]
    of_groups = of_groups.assign(group=leader_names, driver=leader_names, leader=leader_names)
    of_groups["kind"] = [features[k].kind for k in leaders]
    of_groups["label"] = [
        _group_label(features[k].label(lang), len(members), lang) for k, members in zip(leaders, groups, strict=True)
    ]
    home = {name: leader for leader, members in zip(leader_names, groups, strict=True) for name in members}
    of_features = of_features.assign(driver=list(names), leader=list(names), group=[home[name] for name in names])
    of_features["kind"] = [feature.kind for feature in features]
    of_features["label"] = [feature.label(lang) for feature in features]
    both = pd.concat([of_groups, of_features], ignore_index=True)
    place = dict(zip(leader_names, of_groups["rank"].tolist(), strict=True))
    keys = pd.DataFrame({"place": both["group"].map(place), "below": both["level"] == "feature", "rank": both["rank"]})
    return both.loc[keys.sort_values(["place", "below", "rank"]).index].reset_index(drop=True)


def _group_label(leader: str, members: int, lang: str) -> str:
    if members == 1:
        return leader
    return f"{leader}等{members}项相关特征" if lang == "zh" else f"{leader} (with {members - 1} correlated)"


def _sentence(row: dict[Any, Any], ends: dict[str, tuple[float, float]], lang: str) -> str:
    low, high = ends[row["leader"]]
    effect, users = 100 * row["effect_pp"], row["users_pushed_up"]
    interval = (
        "" if np.isnan(row["effect_low"]) else f" [{100 * row['effect_low']:+.1f}, {100 * row['effect_high']:+.1f}]"
    )
    if lang == "zh":
        if row["direction"] == "none":
            return f"{row['label']}：与沉默看不出关联。"
        shape = "（曲线有升有降）" if row["direction"] == "mixed" else ""
        return (
            f"{row['label']}从{low:.4g}到{high:.4g}，与未来{row['horizon'][:-1]}天沉默概率 {effect:+.1f} 个百分点相关"
            f"{interval}{shape}；推高了{users:,}名高风险用户的概率。"
        )
    if row["direction"] == "none":
        return f"{row['label']}: no association with silence to be seen."
    shape = " (the curve turns)" if row["direction"] == "mixed" else ""
    return (
        f"{row['label']}: going from {low:.4g} to {high:.4g} is associated with {effect:+.1f} points of the "
        f"probability of {row['horizon'][:-1]} silent days{interval}{shape}; it pushes up {users:,} users at risk."
    )
