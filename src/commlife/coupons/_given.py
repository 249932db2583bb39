"""What a caller of ``allocate`` and ``frontier`` gives: checked once, every fault told with its value and its fix."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.coupons._relaxed import Caps
from commlife.coupons._segments import Problem
from commlife.effects._inputs import array_of, label_vector, plain_float
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = ["amount_of_money", "checked_caps", "checked_channels", "checked_problem", "like_cost"]

#: Amounts beyond this are no money.
LARGEST = 1e15


def checked_problem(value: Any, cost: Any, eligible: Any, min_roi: Any = 0.0) -> Problem:
    """Values, costs and eligibility of one shape, or a ConfigError that says what is wrong."""
    value, cost = _aligned(value, cost)
    worth, charge = _matrix(value, "value"), _matrix(cost, "cost")
    if worth.shape != charge.shape:
        raise ConfigError(f"value and cost have one shape (users, coupons); seen {worth.shape} and {charge.shape}.")
    for name, matrix in (("value", worth), ("cost", charge)):
        _check_numbers(matrix, name)
    if charge.dtype.kind != "u" and charge.min() < 0:
        row, column = np.unravel_index(int(charge.argmin()), charge.shape)
        raise ConfigError(
            f"cost is at least 0; seen {charge[row, column]} at row {row}, column {column}. "
            "A coupon that earns money by itself is no coupon: put the gain into value."
        )
    mask = None
    if eligible is not None:
        mask = array_of(eligible, "eligible")
        if mask.dtype != bool or mask.shape != worth.shape:
            raise ConfigError(
                f"eligible holds booleans of the shape {worth.shape}; seen {mask.dtype} of shape {mask.shape}."
            )
    if isinstance(min_roi, bool) or not isinstance(min_roi, int | float | np.number) or not 0 <= min_roi < LARGEST:
        raise ConfigError(
            f"min_roi is a number of at least 0, expected value over expected cost; seen {min_roi!r:.60}."
        )
    return Problem(worth, charge, mask, float(min_roi))


def _aligned(value: Any, cost: Any) -> tuple[Any, Any]:
    """Two frames must speak of the same coupons and, where they name them, of the same users in the same order."""
    frames = [given for given in (value, cost) if hasattr(given, "columns") and hasattr(given, "to_numpy")]
    if len(frames) == 2:
        names = [list(map(str, frame.columns)) for frame in frames]
        if names[0] != names[1]:
            raise ConfigError(
                f"value and cost have the same columns in the same order; seen {names[0]} and {names[1]}."
            )
        if "user_id" in names[0]:
            users = [frame["user_id"].to_numpy() for frame in frames]
            if users[0].shape != users[1].shape or not np.array_equal(users[0], users[1]):
                raise ConfigError(
                    "value and cost list the same users in the same order (column 'user_id'); these do not."
                    " Sort and select both alike."
                )
    return _without_ids(value), _without_ids(cost)


def _without_ids(given: Any) -> Any:
    if not (hasattr(given, "columns") and hasattr(given, "to_numpy")):
        return given
    keep = [name for name in given.columns if name != "user_id"]
    return given[keep].to_numpy()


def _matrix(given: Any, name: str) -> NDArray[Any]:
    matrix = array_of(given, name)
    if matrix.dtype == object:
        try:
            matrix = matrix.astype(np.float64)
        except (TypeError, ValueError):
            raise ConfigError(
                f"{name} holds numbers; some of its cells are missing or no numbers. Fill them in, or drop them."
            ) from None
    if matrix.dtype.kind not in "iuf":
        raise ConfigError(f"{name} holds numbers; its type is {matrix.dtype}.")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ConfigError(f"{name} is a (users, coupons) array with at least one of each; seen shape {matrix.shape}.")
    if matrix.shape[1] > np.iinfo(np.int16).max:
        raise ConfigError(f"{name} has {matrix.shape[1]:,} coupons, more than {np.iinfo(np.int16).max:,}. Use fewer.")
    return matrix


def _check_numbers(matrix: NDArray[Any], name: str) -> None:
    low, high = matrix.min(), matrix.max()
    if math.isfinite(low) and math.isfinite(high) and low >= -LARGEST and high <= LARGEST:
        return
    bad = ~(np.abs(matrix) <= LARGEST)
    row, column = (int(index[0]) for index in np.nonzero(bad))
    raise ConfigError(
        f"{name} is finite and at most {LARGEST:.0e} in size: {int(bad.sum()):,} cells are not, first "
        f"{matrix[row, column]} at row {row}, column {column}."
        " Cap them, or convert the unit."
    )


def amount_of_money(given: Any, name: str) -> float:
    """A finite amount of at least 0, or a ConfigError."""
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | float | np.integer | np.floating):
        raise ConfigError(f"{name} is an amount of money; seen {given!r:.60}.")
    amount = plain_float(given)
    if not 0 <= amount <= LARGEST:
        raise ConfigError(f"{name} is finite, at least 0 and at most {LARGEST:.0e}; seen {given!r:.60}.")
    return amount


def checked_caps(group: Any, group_caps: Any, users: int) -> tuple[list[Any], Caps | None]:
    if (group is None) != (group_caps is None):
        raise ConfigError("group (a label a user) and group_caps (label -> money) are given together, or neither.")
    if group is None:
        return [], None
    if not isinstance(group_caps, Mapping):
        raise ConfigError(f"group_caps maps labels to amounts; seen {type(group_caps).__name__}.")
    array = array_of(group, "group")
    if array.shape != (users,):
        raise ConfigError(f"group has one label a user: {users:,} users, seen shape {array.shape}.")
    labels, codes = label_vector(array, "group")
    checked = {label: amount_of_money(cap, f"group_caps[{label!r}]") for label, cap in group_caps.items()}
    cap = np.array([checked.get(label, math.inf) for label in labels])
    narrow = np.uint16 if len(labels) <= np.iinfo(np.uint16).max else np.int32
    return labels, Caps(codes.astype(narrow), cap)


def checked_channels(
    channel: Any, channel_capacity: Any, coupons: int
) -> tuple[list[Any], NDArray[np.intp], NDArray[np.int64]] | None:
    """Labels of the channels with a capacity, each coupon's channel (-1: none of them), and their capacities."""
    if (channel is None) != (channel_capacity is None):
        raise ConfigError(
            "channel (a label a coupon) and channel_capacity (label -> most coupons) are given together, or neither."
            " Give both."
        )
    if channel is None:
        return None
    labels = list(channel) if isinstance(channel, Iterable) and not isinstance(channel, str) else []
    if len(labels) != coupons:
        raise ConfigError(f"channel has one label a coupon: {coupons} coupons, seen {channel!r:.60}.")
    if not isinstance(channel_capacity, Mapping) or not channel_capacity:
        raise ConfigError(f"channel_capacity maps labels to numbers of coupons; seen {channel_capacity!r:.60}.")
    strangers = [label for label in channel_capacity if label not in labels]
    if strangers:
        raise ConfigError.unknown_name("channel_capacity: channel", strangers[0], [str(label) for label in labels])
    for label, most in channel_capacity.items():
        if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 0:
            raise ConfigError(f"channel_capacity[{label!r}] is a whole number of at least 0; seen {most!r:.60}.")
    names = list(channel_capacity)
    code = np.array([names.index(label) if label in channel_capacity else -1 for label in labels], dtype=np.intp)
    return names, code, np.array([int(channel_capacity[name]) for name in names], dtype=np.int64)


def like_cost(given: Any, name: str, problem: Problem, low: float, high: float) -> Floats:
    """A number, one a coupon, or one a cell, between two others, to be read beside the costs."""
    array = array_of(_without_ids(given), name)
    if array.dtype == object or array.dtype.kind not in "iuf" or array.ndim > 2:
        raise ConfigError(f"{name} is a number, one a coupon or one a cell; seen {given!r:.60}.")
    try:
        full = np.broadcast_to(array.astype(np.float64), problem.cost.shape)
    except ValueError:
        raise ConfigError(
            f"{name} is a number, one a coupon or one a cell of shape {problem.cost.shape}; seen {array.shape}."
        ) from None
    if not (float(full.min()) >= low and float(full.max()) <= high):
        raise ConfigError(f"{name} lies between {low:g} and {high:g}; seen {full.min():g} to {full.max():g}.")
    return full
