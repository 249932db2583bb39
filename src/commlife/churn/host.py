"""The host's own features, joined as of a snapshot; what carries later information is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.churn.catalogue import CATALOGUE, Feature
from commlife.churn.scores import roc_auc
from commlife.errors import ConfigError, EngineError
from commlife.orders.calendar import day_text

if TYPE_CHECKING:
    from commlife.churn.panel import Panel, Snapshot
    from commlife.orders import OrderLog

__all__ = ["HostFeatures", "cut", "join_host", "refuse_implausible"]

#: A single feature that ranks users as well as this alone, and this much better than every feature of ours, has seen
#: the answer. (One aggregate over a whole log measures .91 to .98; recency alone .64 to .76.)
_IMPLAUSIBLE, _BETTER_BY = 0.90, 0.10


@dataclass(frozen=True)
class HostFeatures:
    """A host's own features as of any day.

    Args:
        make: A function of a log and an ISO day that returns a frame with ``user_id`` and the columns, from what was
            known before that day alone. It is called with the whole log and with the log cut at the day: answers that
            differ show that it looks ahead, and are refused.
        features: The columns, each a :class:`~commlife.churn.Feature` with its unit, kind and labels.

    Examples:
        >>> visits = HostFeatures(lambda log, day: log, (Feature("visits", "visits", "state", "visits", "访问次数"),))
        >>> visits.names
        ('visits',)
    """

    make: Callable[[OrderLog, str], Any]
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise ConfigError(
                "HostFeatures.make is a function of (log, day); seen "
                f"{type(self.make).__name__}. A frame without a day cannot say what was known when: use "
                "HostFeatures.from_history(frame, known_at=...)."
            )
        taken = {feature.name for feature in CATALOGUE} | {"user_id", "silent", "snapshot", "role"}
        clash = sorted(taken & set(self.names))
        odd = [name for name in self.names if not name.isidentifier()]
        if odd:
            raise ConfigError(f"HostFeatures: {odd[0]!r} is no name of a feature; use letters, digits and underscores.")
        if clash or not self.features or len(set(self.names)) != len(self.features):
            raise ConfigError(
                f"HostFeatures needs one or more features with names of their own; seen {list(self.names)}"
                + (f", of which {clash} are taken." if clash else ".")
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(feature.name for feature in self.features)

    @classmethod
    def from_history(cls, frame: Any, *, known_at: str, labels: Mapping[str, Feature] | None = None) -> HostFeatures:
        """Features from a table of values with the day from which each row was known.

        For each user the newest row known before the snapshot counts (strictly before its midnight).

        Args:
            frame: An eager frame with ``user_id``, the column ``known_at`` and numeric columns.
            known_at: Name of the column with the time at which the row became known.
            labels: Unit, kind and labels of columns; others go by their name.

        Raises:
            ConfigError: If a column is missing, or times or values cannot be read.
        """
        try:
            table = _engine.collect_rows(nw.from_native(frame), call="HostFeatures.from_history")
        except TypeError:
            raise ConfigError(f"HostFeatures.from_history takes a frame; seen {type(frame).__name__}.") from None
        for name in ("user_id", known_at):
            if name not in table.columns:
                raise ConfigError.unknown_name("HostFeatures.from_history: the column", name, map(str, table.columns))
        times = pd.to_datetime(table[known_at], errors="coerce", format="ISO8601")
        if times.isna().any():
            raise ConfigError(
                f"HostFeatures.from_history: {int(times.isna().sum())} values of {known_at!r} are no time."
                " Give dates or timestamps."
            )
        names = [str(name) for name in table.columns if name not in {"user_id", known_at}]
        told = labels or {}
        features = tuple(told.get(name, Feature(name, "as given", "state", name, name)) for name in names)
        ordered = table.assign(_known=times.astype("datetime64[us]")).sort_values("_known", kind="stable")
        if ordered.duplicated(["user_id", "_known"]).any():
            raise ConfigError(f"HostFeatures.from_history: a user has two rows with the same {known_at!r}; keep one.")

        def newest(log: OrderLog, day: str) -> pd.DataFrame:
            del log
            known = ordered[ordered["_known"] < pd.Timestamp(day)]
            return known.drop_duplicates("user_id", keep="last")[["user_id", *names]]

        return cls(newest, features)


def cut(log: OrderLog, day: int) -> OrderLog:
    """The log as if nothing had been seen at or after ``day``."""
    shorter = copy.copy(log)
    shorter._frame = log._frame.filter(nw.col("day") < day)
    shorter._memory = {}
    return shorter


def join_host(snapshot: Snapshot, host: HostFeatures, log: OrderLog, day: int) -> pd.DataFrame:
    """The snapshot's features and the host's.

    Raises:
        ConfigError: If the host's values change when later rows of the log are cut off.
    """
    told = _host_values(host, log, snapshot)
    honest = _host_values(host, cut(log, day), snapshot)
    for column, name in enumerate(host.names):
        if not np.array_equal(told[:, column], honest[:, column], equal_nan=True):
            differing = int((~np.isclose(told[:, column], honest[:, column], equal_nan=True)).sum())
            raise ConfigError(
                f"the host's feature {name!r} carries later information: at the snapshot {day_text(day)} it changes "
                f"for {max(differing, 1):,} of {len(snapshot):,} users when orders at or after that day are cut off. "
                "Compute it from log and day alone, with orders strictly before the day."
            )
    return pd.concat([snapshot.features, pd.DataFrame(told, columns=list(host.names))], axis=1)


def _host_values(host: HostFeatures, log: OrderLog, snapshot: Snapshot) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        table = _engine.collect_rows(nw.from_native(host.make(log, snapshot.day)), call="HostFeatures.make")
    except TypeError as error:
        raise EngineError(
            f"HostFeatures.make returns a frame with user_id and {list(host.names)}: {str(error).rstrip('.')}. "
            "Return both."
        ) from None
    for name in ("user_id", *host.names):
        if name not in table.columns:
            raise ConfigError.unknown_name("HostFeatures.make: the column", name, map(str, table.columns))
    if table["user_id"].duplicated().any():
        raise ConfigError("HostFeatures.make: user_id stands twice in the frame; give one row a user.")
    wanted = table.set_index("user_id")[list(host.names)].reindex(snapshot.users.to_numpy())
    for name in host.names:
        if not pd.api.types.is_numeric_dtype(wanted[name]):
            raise ConfigError(f"the host's feature {name!r} is {wanted[name].dtype}; features are numbers. Convert it.")
    values = wanted.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise ConfigError("the host's features hold infinite values; use null where there is no value.")
    return values


def refuse_implausible(panel: Panel) -> None:
    """Refuse a host feature that alone ranks the users better than any honest one could.

    Each labelled snapshot is looked at by itself: what was filled in later tells most about the latest of them.

    Raises:
        ConfigError: If a host feature has an implausible AUC on one of the snapshots.
    """
    ours = {feature.name for feature in CATALOGUE}
    for snapshot in panel.snapshots:
        silent = snapshot.silent
        if silent is None or silent.min() == silent.max():
            continue
        table = snapshot.features
        strength = {str(name): _one_feature_auc(table[name].to_numpy(), silent) for name in table.columns}
        best = max((value for name, value in strength.items() if name in ours), default=0.5)
        for name, value in strength.items():
            if name not in ours and value >= _IMPLAUSIBLE and value >= best + _BETTER_BY:
                raise ConfigError(
                    f"the host's feature {name!r} alone has an AUC of {value:.3f} at {snapshot.day}, the best honest "
                    f"feature {best:.3f}: it seems to have seen the answer (a value filled in later, a status set on "
                    "leaving). Leave it out, or give it as it was known before each snapshot."
                )


def _one_feature_auc(values: np.ndarray[Any, Any], silent: np.ndarray[Any, Any]) -> float:
    """The better of both directions, and of missing against present."""
    filled = np.where(np.isnan(values), -np.inf, values)
    area = roc_auc(silent, filled)
    there = roc_auc(silent, np.isnan(values).astype(np.float64))
    return max(area, 1 - area, there, 1 - there)
