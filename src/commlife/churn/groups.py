"""Groups of correlated features: what moves together is explained together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["correlation_groups"]

#: Features whose rank correlation is above this on average across two clusters come together.
THRESHOLD = 0.6
#: Rows that are enough to tell correlations.
_ROWS = 20_000


def correlation_groups(features: pd.DataFrame, *, threshold: float = THRESHOLD) -> tuple[tuple[str, ...], ...]:
    """Group features by rank correlation.

    Spearman's rank correlation (missing values ranked lowest, since a missing rhythm is itself a state of the user),
    then agglomerative clustering with average linkage on ``1 - |rho|``, cut at ``1 - threshold``. No draw is involved;
    groups stand in the order of their first feature, features in the order of the table.

    Args:
        features: One column a feature; beyond 20,000 rows every so-manieth row is used.
        threshold: Mean ``|rho|`` above which clusters are merged.

    Examples:
        >>> import numpy as np, pandas as pd
        >>> x = np.arange(50.0)
        >>> table = pd.DataFrame({"a": x, "b": x**2, "c": np.tile([0.0, 1.0], 25)})
        >>> correlation_groups(table)
        (('a', 'b'), ('c',))
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    names = [str(name) for name in features.columns]
    if len(names) == 1:
        return ((names[0],),)
    stride = max(1, len(features) // _ROWS)
    ranks = features.iloc[::stride].fillna(-np.inf).rank().to_numpy()
    ranks = ranks - ranks.mean(axis=0)
    norm = np.sqrt((ranks**2).sum(axis=0))
    scaled = np.divide(ranks, norm, out=np.zeros_like(ranks), where=norm > 0)
    # Rounded, so that the last bits of a sum over rows decide nothing.
    rho: np.ndarray[Any, Any] = np.round(np.abs(scaled.T @ scaled), 9)
    distance = np.clip(1.0 - rho, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    merged = linkage(squareform(distance, checks=False), method="average")
    label = fcluster(merged, t=1.0 - threshold, criterion="distance")
    found: dict[int, list[str]] = {}
    for name, group in zip(names, label.tolist(), strict=True):
        found.setdefault(group, []).append(name)
    return tuple(tuple(members) for members in found.values())
