"""Reference: the sample of users on which driver tables are made, whole or part by part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from commlife.churn.drivers import Population
from commlife.errors import ConfigError

__all__ = ["Reference"]

Array = np.ndarray[Any, np.dtype[np.float64]]
#: Users on which the table of all users is made, and the fewest on which that of a part is.
_TABLE_ROWS, _LEAST_ROWS = 2_000, 30
#: Users that stand for everybody in exact reasons.
_BACKGROUND = 100


@dataclass(frozen=True)
class Reference:
    """A sample of the users active at ``as_of`` of the fit, evenly along their risk.

    Attributes:
        X: Features of the sample.
        users: Number of users it stands for.
        community: Own communities of the sample, None where the log names none.
        community_users: Number of users by community.
        ids: User ids of the sample, None once the model has been saved: ids are not written to disk.
        at_risk: Probability from which on a user is among the riskiest fifth.
        typical: Median of each feature.
    """

    X: Array
    users: int
    community: tuple[str, ...] | None
    community_users: dict[str, int]
    ids: pd.Series[Any] | None
    at_risk: float
    typical: dict[str, float]

    def standing_for(self, users: float) -> Reference:
        """The same sample where each user that it was drawn from stands for so many."""
        sizes = {name: round(n * users) for name, n in self.community_users.items()}
        return replace(self, users=round(self.users * users), community_users=sizes)

    def background(self) -> Array:
        """Features of the users that stand for everybody in exact reasons."""
        return self.X[:: max(1, -(-len(self.X) // _BACKGROUND))]

    def all(self) -> Population:
        """Everybody."""
        return self._population("all", np.arange(len(self.X)), self.users)

    def _population(self, scope: str, rows: np.ndarray[Any, Any], users: int) -> Population:
        stride = max(1, -(-len(rows) // _TABLE_ROWS))
        return Population(scope, self.X[rows[::stride]], users, self.at_risk)

    def parts(self, by: Any) -> list[Population]:
        """The parts that a driver table is asked for: none, own communities, or the segments of a frame.

        Raises:
            ConfigError: If ``by`` is unknown, or needs what this sample does not hold.
        """
        if by is None:
            return []
        if isinstance(by, str):
            if by != "community":
                raise ConfigError.unknown_name("drivers: by", by, ["community"])
            if self.community is None:
                raise ConfigError(
                    'drivers(by="community") needs a log with a community; this model was fitted without.'
                    " Name community in OrderLog.from_frame and fit again."
                )
            label, name = pd.Series(self.community), "community"
            sizes = self.community_users
        else:
            label, name, sizes = self._segments(by)
        parts = []
        for value in sorted(set(label.dropna())):
            rows = np.flatnonzero((label == value).to_numpy(dtype=bool))
            if len(rows) >= _LEAST_ROWS:
                users = sizes.get(value, round(len(rows) / len(label) * self.users))
                parts.append(self._population(f"{name}: {value}", rows, users))
        return parts

    def _segments(self, by: Any) -> tuple[pd.Series[Any], str, dict[str, int]]:
        import narwhals.stable.v2 as nw

        from commlife import _engine

        try:
            table = _engine.collect_rows(nw.from_native(by), call="drivers(by=...)")
        except TypeError:
            raise ConfigError(f'drivers: by is None, "community" or a frame; seen {type(by).__name__}.') from None
        others = [str(name) for name in table.columns if name != "user_id"]
        if "user_id" not in table.columns or len(others) != 1 or table["user_id"].duplicated().any():
            raise ConfigError(
                "drivers: by is a frame with user_id (once each) and one column of segments; seen columns "
                f"{[str(name) for name in table.columns]}."
            )
        if self.ids is None:
            raise ConfigError(
                "drivers: a loaded model holds no user ids, so by cannot be a frame. Fit anew, or use None."
            )
        label = table.set_index("user_id")[others[0]].reindex(self.ids.to_numpy()).reset_index(drop=True)
        return label.astype("str").mask(label.isna()), others[0], {}
