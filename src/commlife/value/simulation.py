"""Simulated users with known truth: what a model would say its own data look like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from commlife.errors import ConfigError
from commlife.orders.calendar import Duration
from commlife.value.beta_geo import BetaGeo, ModifiedBetaGeo
from commlife.value.pareto_nbd import ParetoNBD

__all__ = ["simulate_summary"]

_MODELS = {"BetaGeo": BetaGeo, "ModifiedBetaGeo": ModifiedBetaGeo, "ParetoNBD": ParetoNBD}


def simulate_summary(
    model: str,
    params: Mapping[str, float],
    *,
    n_users: int,
    T: str,
    time_unit: str = "7D",
    first_within: str | None = None,
    whole_days: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """A purchase summary drawn from a model with known parameters, for tests, power checks and teaching.

    Args:
        model: ``"BetaGeo"``, ``"ModifiedBetaGeo"`` or ``"ParetoNBD"``.
        params: Its parameters, in ``time_unit``.
        n_users: Number of users.
        T: Longest time of observation, such as ``"273D"``.
        time_unit: Unit of the time parameters.
        first_within: First purchases are spread evenly over this time; by default all users are observed for ``T``.
        whole_days: Whether only days are told, as in a shop's log: the first purchase falls on any moment of its day,
            ``t_x`` and ``T`` are differences of days, and repeats on the first day alone are none. False gives moments,
            as the models know them. (Rounding up instead shifts a rate by half a day.)
        seed: Seed of the draw.

    Returns:
        A frame with ``user_id, x, t_x, T``; ``t_x`` and ``T`` in days.

    Raises:
        ConfigError: If the model or a parameter is unknown or not positive.

    Examples:
        >>> simulate_summary("ParetoNBD", {"r": 1, "alpha": 10, "s": 1, "beta": 10}, n_users=3, T="70D").shape
        (3, 4)
    """
    if model not in _MODELS:
        raise ConfigError.unknown_name("model", model, _MODELS)
    kernel = _MODELS[model].kernel
    names = kernel.box.names
    for name in params:
        if name not in names:
            raise ConfigError.unknown_name(f"parameter of {model}", name, names)
    values = [params.get(name, float("nan")) for name in names]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and 0 < v < float("inf") for v in values):
        raise ConfigError(f"{model} takes {', '.join(names)}, each above 0 and finite; seen {dict(params)}.")
    if isinstance(n_users, bool) or not isinstance(n_users, int) or n_users < 1:
        raise ConfigError(f"n_users is a whole number of at least 1; seen {n_users!r}.")
    unit, longest = Duration(time_unit).days, float(Duration(T).days)
    spread = 0.0 if first_within is None else float(Duration(first_within).days)
    if spread >= longest:
        raise ConfigError(
            f"first_within is shorter than T; seen first_within={first_within!r}, T={T!r}. Use a smaller one."
        )
    rng = np.random.default_rng(seed)
    observed = longest - spread * rng.random(n_users)
    p = np.array(values, dtype=np.float64)
    if not whole_days:
        x, t_x = kernel.draw(p, rng, observed / unit)
        t_x = np.minimum(t_x * unit, observed)
    else:
        observed = np.ceil(observed)
        moment = rng.random(n_users)
        x, t_x = kernel.draw(p, rng, (observed + 1.0 - moment) / unit)
        t_x = np.minimum(np.floor(t_x * unit + moment), observed)
        x = np.where(t_x > 0, x, 0.0)
        t_x, observed = t_x.astype(np.int64), observed.astype(np.int64)
    return pd.DataFrame({"user_id": np.arange(n_users), "x": x.astype(np.int64), "t_x": t_x, "T": observed})
