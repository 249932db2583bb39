"""FittedBehaviourTypes: frozen types that tell any user's membership, by arithmetic alone."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import model_validator
from scipy import special

from commlife._model import Fitted, _Plain
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError
from commlife.features.behaviour import behaviours
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.orders import OrderLog
    from commlife.segments.behaviour_types import BehaviourTypes

__all__ = ["FittedBehaviourTypes", "Scale", "TypeShape", "named", "transformed"]

#: What users high and low in a number are called, in English and Chinese.
WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "recency_days": {"en": ("away for long", "here lately"), "zh": ("久未下单", "近期下单")},
    "orders_per_28d": {"en": ("frequent", "occasional"), "zh": ("高频", "低频")},
    "mean_order": {"en": ("large orders", "small orders"), "zh": ("大额订单", "小额订单")},
    "weekend_share": {"en": ("on weekends", "on weekdays"), "zh": ("周末下单", "工作日下单")},
    "units_per_order": {"en": ("full baskets", "single items"), "zh": ("多件", "少件")},
    "categories": {"en": ("many categories", "few categories"), "zh": ("品类广", "品类窄")},
    "discount_share": {"en": ("at a discount", "at full price"), "zh": ("爱折扣", "买原价")},
}
#: What the numbers themselves are called.
BEHAVIOUR_LABELS: dict[str, dict[str, str]] = {
    "recency_days": {"en": "days since\nlast order", "zh": "距上次\n下单天数"},
    "orders_per_28d": {"en": "orders in\n28 days", "zh": "28 天\n订单数"},
    "mean_order": {"en": "money\nan order", "zh": "客单价"},
    "weekend_share": {"en": "share on\nweekends", "zh": "周末\n占比"},
    "units_per_order": {"en": "units\nan order", "zh": "连带率"},
    "categories": {"en": "categories", "zh": "品类数"},
    "discount_share": {"en": "share at\na discount", "zh": "折扣\n占比"},
}
_MIDDLE = {"en": "in the middle", "zh": "居中"}
_JOIN = {"en": ", ", "zh": "、"}
#: Standard deviations from the mean of all users at which a number is worth a word.
_TELLING = 0.35


class Scale(_Plain):
    """How a number is standardised: a logarithm from ``floor`` upwards (None: as it is), less mean, over spread."""

    name: str
    floor: float | None
    mean: float
    spread: float
    bound: float


class TypeShape(_Plain):
    """One type: its number (1 = most worthwhile), names, weight in the mixture, mean and covariance (standardised)."""

    number: int
    name_en: str
    name_zh: str
    weight: float
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]


class FittedBehaviourTypes(Fitted):
    """Frozen types: the same behaviour gets the same membership today, next month and on every machine.

    Attributes:
        spec_json: The spec that learned them.
        behaviour: The numbers that they are told by.
        scales: How each is standardised.
        shares: Shares of all users towards which few orders are pulled.
        types: The types, the most worthwhile (orders in 28 days times mean order) first.
        criterion: Of each number of types tried: the number, the Bayesian information criterion, the smallest share.
        lang: Language of ``name``.
        users_of_type: How many users of the fit each type is the likeliest for.
        certainty: Mean probability of the likeliest type.
        fitted_on: When and on how many users they were learned; ``rows`` are those that the mixture saw.
    """

    spec_json: str
    behaviour: tuple[str, ...]
    scales: tuple[Scale, ...]
    shares: dict[str, float]
    types: tuple[TypeShape, ...]
    criterion: tuple[tuple[int, float, float], ...]
    lang: Literal["en", "zh"]
    users_of_type: tuple[int, ...]
    certainty: float

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        d = len(self.behaviour)
        sound = tuple(scale.name for scale in self.scales) == self.behaviour and len(self.types) > 0
        for each in self.types:
            square = np.array(each.covariance, dtype=np.float64)
            sound = sound and len(each.mean) == d and square.shape == (d, d) and bool(np.isfinite(square).all())
            sound = sound and each.weight > 0 and bool((np.linalg.eigvalsh(square) > 0).all())
        if not sound:
            raise ConfigError(
                "each type has a weight, a mean and a covariance over the same behaviour."
                " Give the text that to_json() returned."
            )
        _ = self.spec  # a damaged one is told on loading
        return self

    @property
    def spec(self) -> BehaviourTypes:
        """The spec that learned the types."""
        from commlife.segments.behaviour_types import BehaviourTypes

        return BehaviourTypes.from_json(self.spec_json)

    @property
    def table(self) -> pd.DataFrame:
        """A row a type: ``type, name, users, share``, and its centre in each number's own unit."""
        total = max(sum(self.users_of_type), 1)
        rows = {
            "type": [each.number for each in self.types],
            "name": self.names,
            "users": list(self.users_of_type),
            "share": [n / total for n in self.users_of_type],
        }
        for at, scale in enumerate(self.scales):
            raw = np.array([each.mean[at] for each in self.types]) * scale.spread + scale.mean
            rows[scale.name] = (raw if scale.floor is None else np.exp(raw)).tolist()
        return pd.DataFrame(rows)

    @property
    def bic(self) -> pd.DataFrame:
        """A row a number of types tried: ``n_types, bic`` (lower is better), ``smallest_share, chosen``."""
        table = pd.DataFrame(list(self.criterion), columns=["n_types", "bic", "smallest_share"])
        return table.assign(chosen=table["n_types"] == len(self.types))

    @property
    def names(self) -> list[str]:
        """The types' names, in their order."""
        return [each.name_zh if self.lang == "zh" else each.name_en for each in self.types]

    def transform(self, log: OrderLog, *, as_of: Timestamp) -> Any:
        """The membership of every payer.

        Returns:
            A frame in the input's own kind (pandas for lazy ones): ``user_id, type`` (the likeliest), ``name``,
            ``certainty`` (its probability) and the soft membership ``p_1, p_2, ...``, which sum to 1.

        Raises:
            ConfigError: If this log lacks a column that the types need.
        """
        need_log(log, "FittedBehaviourTypes.transform")
        users = behaviours(log, day_number(as_of), self.behaviour, shares=self.shares)
        member = self.posterior(users)
        best = member.argmax(axis=1)
        table = users[["user_id"]].assign(
            type=best + 1,
            name=np.array(self.names, dtype=object)[best],
            certainty=member[np.arange(len(best)), best],
            **{f"p_{k + 1}": member[:, k] for k in range(member.shape[1])},
        )
        return log.give_table(table)

    def score(self, **behaviour: float) -> dict[str, float]:
        """The soft membership of one user, for a service: from each type's name to its probability.

        Args:
            **behaviour: Each of ``self.behaviour`` in its own unit; shares as they are after pulling.

        Raises:
            ConfigError: If a number is missing, unknown or not finite.
        """
        for name in behaviour:
            if name not in self.behaviour:
                raise ConfigError.unknown_name("behaviour", name, self.behaviour)
        missing = [name for name in self.behaviour if name not in behaviour]
        if missing:
            raise ConfigError(
                f"a user's behaviour has {', '.join(self.behaviour)}; missing: {', '.join(missing)}. Give each number."
            )
        row = pd.DataFrame({name: [behaviour[name]] for name in self.behaviour}, dtype=np.float64)
        if not np.isfinite(row.to_numpy()).all():
            raise ConfigError("a user's behaviour is finite numbers. Fill in what is missing.")
        return dict(zip(self.names, self.posterior(row)[0].tolist(), strict=True))

    def posterior(self, users: pd.DataFrame) -> NDArray[np.float64]:
        """Probability of each type (columns) for each row of behaviour; rows sum to 1."""
        values = transformed(users, self.scales)
        logs = np.empty((len(values), len(self.types)))
        for k, (weight, mean, whiten, size) in enumerate(self._densities):
            apart = (values - mean) @ whiten
            logs[:, k] = weight + size - 0.5 * (apart * apart).sum(axis=1)
        shares: NDArray[np.float64] = special.softmax(logs, axis=1)
        return shares

    @property
    def _densities(self) -> list[tuple[float, NDArray[np.float64], NDArray[np.float64], float]]:
        """Of each type: log weight, mean, the matrix that makes it round, and the logarithm of that one's size."""
        from scipy import linalg

        made = []
        for each in self.types:
            root = np.linalg.cholesky(np.array(each.covariance))
            whiten = linalg.solve_triangular(root, np.eye(len(root)), lower=True).T
            made.append((float(np.log(each.weight)), np.array(each.mean), whiten, float(np.log(np.diag(whiten)).sum())))
        return made

    def plot(self, ax: Any = None) -> Any:
        """The centre of each type against all users; returns the matplotlib Axes."""
        from commlife.segments.figures import draw_types

        return draw_types(self, ax)

    def _repr_html_(self) -> str:
        return in_notebook(self, self.table)

    def __repr__(self) -> str:
        told = "; ".join(f"{name} ({n:,})" for name, n in zip(self.names, self.users_of_type, strict=True))
        return f"FittedBehaviourTypes({len(self.types)} types of {self.fitted_on.users:,} users: {told})"

    __str__ = __repr__


def transformed(users: pd.DataFrame, scales: Sequence[Scale]) -> NDArray[np.float64]:
    """Behaviour as standardised numbers, a column a scale."""
    columns = []
    for scale in scales:
        raw = users[scale.name].to_numpy(dtype=np.float64)
        if scale.floor is not None:
            raw = np.log(np.maximum(raw, scale.floor))
        columns.append(np.clip((raw - scale.mean) / scale.spread, -scale.bound, scale.bound))
    return np.stack(columns, axis=1)


def named(means: NDArray[np.float64], behaviour: Sequence[str], lang: Literal["en", "zh"]) -> list[str]:
    """Names from what sets each type apart most: two words, more where two types would be called alike."""
    told: list[list[str]] = []
    for mean in means:
        ranked = sorted(range(len(behaviour)), key=lambda at: (-round(abs(mean[at]), 6), at))
        told.append(
            [WORDS[behaviour[at]][lang][0 if mean[at] > 0 else 1] for at in ranked if abs(mean[at]) >= _TELLING]
        )
    length = 2
    names = [_JOIN[lang].join(words[:length]) or _MIDDLE[lang] for words in told]
    for length in range(3, len(behaviour) + 1):
        twice = {name for name in names if names.count(name) > 1}
        names = [
            _JOIN[lang].join(words[:length]) or name if name in twice else name
            for name, words in zip(names, told, strict=True)
        ]
    seen: dict[str, Any] = {name: itertools.count(1) for name in names if names.count(name) > 1}
    return [f"{name} {next(seen[name])}" if name in seen else name for name in names]
