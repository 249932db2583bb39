"""Bootstrap over users: how far the parameters, and what follows from them, would move with other users."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.histories import Histories, read_summary
from commlife.value.purchase_model import PurchaseModel, in_unit

__all__ = ["bootstrap"]


def bootstrap(
    spec: PurchaseModel,
    data: Any,
    *,
    n_samples: int = 200,
    time_unit: str = "7D",
    seed: int = 0,
    as_of: Timestamp | None = None,
) -> pd.DataFrame:
    """Fit a model again on resampled users.

    Whole users are drawn with replacement, as counts of distinct histories, and each fit begins at the estimate for
    all users; so a sample costs a fraction of a fit.

    Args:
        spec: A BetaGeo, ModifiedBetaGeo or ParetoNBD.
        data: A purchase summary, or an OrderLog with ``as_of``.
        n_samples: Number of samples, 1 to 10,000.
        time_unit: Unit of the time parameters.
        seed: Seed of the draw.
        as_of: Local business day; for a log alone.

    Returns:
        A frame with ``sample`` (0 to n_samples - 1) and one column for each parameter. Its quantiles are intervals:
        ``frame["r"].quantile([0.025, 0.975])``. Samples without a maximum are left out, with a ModelWarning.

    Raises:
        InsufficientDataError: If the model cannot be fitted on all users.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("BetaGeo", {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5},
        ...                                  n_users=2000, T="273D", seed=1)
        >>> value.bootstrap(value.BetaGeo(), summary, n_samples=5).shape
        (5, 5)
    """
    if not isinstance(spec, PurchaseModel):
        raise ConfigError(f"bootstrap takes a BetaGeo, ModifiedBetaGeo or ParetoNBD spec; seen {type(spec).__name__}.")
    if isinstance(n_samples, bool) or not isinstance(n_samples, int) or not 1 <= n_samples <= 10_000:
        raise ConfigError(f"n_samples is a whole number from 1 to 10,000; seen {n_samples!r}.")
    unit = Duration(time_unit)
    summary = read_summary(data, as_of=as_of, ids=False, what="bootstrap")
    histories = Histories.of(summary)
    whole, scale = spec.maximum(histories)
    factors = in_unit(spec.kernel, scale / unit.days)
    rng = np.random.default_rng(seed)
    shares = histories.counts / histories.users
    rows: dict[int, Any] = {}
    for sample in range(n_samples):
        counts = rng.multinomial(len(summary.x), shares).astype(np.float64)
        try:
            found, _ = spec.maximum(histories.weighted(counts), start=whole.logs, scale=scale)
        except InsufficientDataError:
            continue
        rows[sample] = np.exp(found.logs) * factors
    if len(rows) < n_samples:
        warn(
            f"bootstrap: {n_samples - len(rows):,} of {n_samples:,} samples of {len(summary.x):,} users do not "
            "determine the parameters and are left out: the intervals are too narrow. Use more users, or prior='weak'.",
            ModelWarning,
        )
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(spec.kernel.box.names))
    return frame.rename_axis("sample").reset_index()
