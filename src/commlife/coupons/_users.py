"""The table of users that the rules read: columns checked once, missing ones told by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import bounded
from commlife._masks import mask
from commlife.coupons._days import day_column
from commlife.effects._inputs import check_size, identifiers, wide_frame
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = ["STATES", "Users", "read_users"]

STATES = ("new", "active", "silent", "churned", "returned", "existing")

NUMBERS = (
    "frequency",
    "recency_days",
    "monetary",
    "p_silent",
    "expected_value",
    "days_since_coupon",
    "recent_coupons",
    "tenure_days",
)
TEXTS = ("state", "segment", "favourite_category")


class Users:
    """Columns of the users' table as arrays; a rule asks for what it needs and the user reads which rule asked."""

    __slots__ = ("frame", "ids")

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame: pd.DataFrame = frame
        self.ids: pd.Series[Any] = frame["user_id"]

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, name: str) -> bool:
        """Is this column there?"""
        return name in self.frame.columns

    def number(self, name: str, *, why: str) -> Floats:
        """A column of numbers; NaN where a user has none, so that every comparison is false."""
        return np.asarray(self._column(name, why).to_numpy(), dtype=np.float64)

    def text(self, name: str, *, why: str) -> pd.Series[Any]:
        """A column of texts, missing ones as the empty text."""
        return self._column(name, why)

    def _column(self, name: str, why: str) -> pd.Series[Any]:
        if name not in self.frame.columns:
            raise ConfigError(f"{why} needs the column {name!r}, which the users' table does not have. Add it.")
        return self.frame[name]

    def remember(self, issued: Any, today: int, cap_days: int) -> None:
        """Read ``days_since_coupon`` and ``recent_coupons`` from the coupons issued before today."""
        data = wide_frame(issued, ["user_id", "issued"], "plan: issued", may_be_empty=True)
        days = day_column(data, "issued", "plan: issued")
        table = pd.DataFrame({"user_id": identifiers(data, "user_id", "plan: issued"), "day": days})
        table = table[table["day"] < today]
        last = table.groupby("user_id")["day"].max()
        recent = table[table["day"] >= today - cap_days].groupby("user_id").size()
        ids = pd.Index(self.ids.astype(object))
        self.frame["days_since_coupon"] = today - last.reindex(ids).to_numpy(dtype=np.float64)
        self.frame["recent_coupons"] = recent.reindex(ids).fillna(0).to_numpy(dtype=np.float64)

    def average_order(self) -> Floats:
        """Net spend an order, 0 for whoever has none."""
        orders = self.number("frequency", why="the value of an order")
        money = self.number("monetary", why="the value of an order")
        return np.divide(money, orders, out=np.zeros(len(self)), where=orders > 0).clip(min=0.0)

    def bought(self, categories: Sequence[str]) -> NDArray[np.bool_]:
        """(users, categories): has the user bought it?"""
        cells = self._column("bought_categories", "cross_category")
        names = cells.explode().dropna()
        user = names.index.to_numpy()
        code = pd.Index(list(categories)).get_indexer(pd.Index(names))
        result = np.zeros((len(cells), len(categories)), dtype=bool)
        known = code >= 0
        result[user[known], code[known]] = True
        return result


def read_users(users: Any) -> Users:
    """Check the users' table.

    Raises:
        ConfigError: If ``user_id`` is missing, null or not unique, a state is unknown, or a number is no number.
        InsufficientDataError: If there are no users.
    """
    wide_frame(users, ["user_id"], "plan")
    native: Any = nw.from_native(users)
    data = bounded(native, call="plan: users").collect() if isinstance(native, nw.LazyFrame) else native
    ids = data["user_id"].to_list()
    frame = pd.DataFrame({"user_id": pd.Series(ids, dtype=_plain_type(ids))})
    if frame["user_id"].isna().any():
        raise ConfigError(
            f"plan: every row has a user_id; seen {int(frame['user_id'].isna().sum()):,} rows without one. Fill it "
            "in, or drop the rows."
        )
    if frame["user_id"].duplicated().any():
        example = frame["user_id"][frame["user_id"].duplicated()].iloc[0]
        raise ConfigError(f"plan: each user_id stands once; seen {mask(example)} twice. Give one row a user.")
    for name in NUMBERS:
        if name in data.columns:
            frame[name] = _numbers(data[name], name)
    for name in TEXTS:
        if name in data.columns:
            texts = pd.Series(data[name].to_list(), dtype=object)
            frame[name] = texts.where(texts.notna(), "").astype(str)
    if "bought_categories" in data.columns:
        cells = pd.Series(data["bought_categories"].to_list(), dtype=object)
        frame["bought_categories"] = _category_lists(cells)
    if "state" in frame.columns:
        unknown = set(frame["state"].unique()) - {*STATES, ""}
        if unknown:
            raise ConfigError.unknown_name("plan: state", min(unknown), STATES)
    if "p_silent" in frame.columns:
        share = frame["p_silent"]
        if ((share < 0) | (share > 1)).any():
            strange = share[(share < 0) | (share > 1)].iloc[0]
            raise ConfigError(f"plan: p_silent lies between 0 and 1; seen {strange:g}. Give probabilities, not scores.")
    return Users(frame)


def _plain_type(ids: list[Any]) -> Any:
    kinds = set(map(type, ids))
    return np.int64 if kinds == {int} else object


def _numbers(series: Any, name: str) -> Floats:
    if not (series.dtype.is_numeric() or int(series.is_null().sum()) == len(series)):
        raise ConfigError(f"plan: column {name!r} holds numbers; its type is {series.dtype}.")
    if not series.dtype.is_numeric():  # all are missing
        return np.full(len(series), np.nan)
    values = series.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    if np.isinf(values).any():
        raise ConfigError(f"plan: column {name!r} holds infinite values. Give finite ones, or null where unknown.")
    check_size(values, f"plan: column {name!r}")
    return values


def _category_lists(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Each cell as a list of some kind, or null: texts are split at "|"."""
    codes, kinds = pd.factorize(np.fromiter(map(type, cells), dtype=object, count=len(cells)))

    def of(*wanted: type) -> NDArray[np.bool_]:
        return np.array([issubclass(kind, wanted) for kind in kinds], dtype=bool)[codes]

    texts, lists = of(str), of(list, tuple, np.ndarray, set, frozenset)
    strange = ~texts & ~lists & cells.notna().to_numpy()
    if strange.any():
        raise ConfigError(
            f"plan: bought_categories holds lists, or texts such as 'milk|eggs'; seen {cells[strange].iloc[0]!r:.60}."
        )
    result = cells.where(texts | lists, None)
    result[texts] = cells[texts].str.split("|")
    return result
