"""Money: whole minor units inside, so that sums are exact and equal in every row order and on every engine."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from commlife.errors import ConfigError

__all__ = [
    "ALL_TELL_HALVES",
    "LARGEST_MINOR",
    "NOT_FINITE",
    "SUB_UNIT",
    "TOO_LARGE",
    "add_minor",
    "check_digits",
    "major",
    "to_major",
    "to_minor",
    "with_sound_minor",
]

#: Largest amount of one line in minor units: above it a float no longer tells neighbouring cents apart.
LARGEST_MINOR = 2**53 - 1
#: How far from a whole minor unit an amount may lie by float noise alone: absolute, in minor units, and relative,
#: four units in the last place (0.1 + 0.2 and its like).
NOISE, RELATIVE_NOISE = 1e-6, 4 * 2.0**-52

#: What :func:`add_minor` says of an amount; 0 is a sound one.
NOT_FINITE, TOO_LARGE, SUB_UNIT = 1, 2, 3

_CHUNK = 1 << 18  # rows at a time: the temporaries stay in the processor's cache


def check_digits(digits: object) -> int:
    """The number of digits of the currency, 0 (yen) to 4."""
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 4:
        raise ConfigError(f"currency_digits is a whole number from 0 to 4; seen {digits!r}.")
    return digits


def add_minor(frame: nw.LazyFrame[Any], column: str, *, digits: int, into: str) -> nw.LazyFrame[Any]:
    """Add ``into`` (Int64 minor units) and ``<into>_fault`` (0, or what is wrong with the amount).

    Where the amount is missing, not finite or too large ``into`` is 0; a sub-unit amount is rounded half-even as it
    stands in decimal (1.015 at two digits is 1.02). The caller decides what becomes of such rows.
    """
    dtype = frame.collect_schema()[column]
    fault = f"{into}_fault"
    if frame.implementation is nw.Implementation.PANDAS and dtype == nw.Float64:
        native = nw.to_native(frame)
        minor, faults = _minor_and_faults(native[column].to_numpy(dtype=np.float64, na_value=np.nan), digits)
        return nw.from_native(native.assign(**{into: minor, fault: faults})).lazy()
    if dtype.is_integer():
        value, largest = nw.col(column), LARGEST_MINOR // 10**digits
        too_large = (value > largest) | (value < -largest) if dtype.is_signed_integer() else value > largest
        frame = frame.with_columns(
            nw.when(value.is_null())
            .then(nw.lit(NOT_FINITE))
            .otherwise(nw.when(too_large).then(nw.lit(TOO_LARGE)).otherwise(nw.lit(0)))
            .cast(nw.Int64)
            .alias(fault)
        )
        sound = nw.when(nw.col(fault) == 0).then(value).otherwise(nw.lit(0))
        return frame.with_columns((sound.cast(nw.Int64) * 10**digits).alias(into))
    return _add_minor_of_floats(frame, column, digits=digits, into=into, fault=fault)


def _add_minor_of_floats(
    frame: nw.LazyFrame[Any], column: str, *, digits: int, into: str, fault: str
) -> nw.LazyFrame[Any]:
    """The same arithmetic as :func:`_minor_and_faults`, in expressions."""
    scaled, near, low = nw.col("_scaled"), nw.col("_near"), nw.col("_low")
    frame = frame.with_columns((nw.col(column).cast(nw.Float64) * 10**digits).alias("_scaled"))
    finite = scaled.is_finite().fill_null(value=False)
    frame = frame.with_columns(
        nw.when(finite)
        .then(nw.when(scaled.abs() > LARGEST_MINOR).then(nw.lit(TOO_LARGE)).otherwise(nw.lit(0)))
        .otherwise(nw.lit(NOT_FINITE))
        .cast(nw.Int64)
        .alias(fault)
    )
    frame = frame.with_columns(nw.when(nw.col(fault) == 0).then(scaled).otherwise(nw.lit(0.0)).alias("_scaled"))
    frame = frame.with_columns((scaled + 0.5).floor().alias("_near"), scaled.floor().alias("_low"))
    finer = (scaled - near).abs() > scaled.abs() * RELATIVE_NOISE + NOISE
    frame = frame.with_columns(
        nw.when(finer).then(nw.lit(SUB_UNIT)).otherwise(nw.col(fault)).cast(nw.Int64).alias(fault),
        nw.when((scaled - low - 0.5).abs() <= NOISE)
        .then(low + (low - (low / 2).floor() * 2))
        .otherwise(near)
        .alias("_near"),
    )
    return frame.with_columns(near.cast(nw.Int64).alias(into)).drop("_scaled", "_near", "_low")


#: Below so many minor units a float64 tells halves apart, so that no sound amount lies halfway between two of them.
ALL_TELL_HALVES = 2**48


def with_sound_minor(frame: nw.LazyFrame[Any], column: str, *, digits: int, into: str) -> nw.LazyFrame[Any]:
    """``into`` again in a plan that is run once more for every question, without what only faulty amounts need.

    For amounts of which :func:`add_minor` has found none faulty and none as large as :data:`ALL_TELL_HALVES`.
    """
    dtype = frame.collect_schema()[column]
    if frame.implementation in {nw.Implementation.PANDAS, nw.Implementation.PYARROW}:
        return frame
    if dtype.is_integer():
        return frame.with_columns((nw.col(column).cast(nw.Int64) * 10**digits).alias(into))
    scaled = nw.col(column).cast(nw.Float64) * 10**digits
    return frame.with_columns((scaled + 0.5).floor().cast(nw.Int64).alias(into))


def _minor_and_faults(
    values: np.ndarray[Any, np.dtype[np.float64]], digits: int
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int8]]]:
    minor = np.empty(len(values), np.int64)
    faults = np.zeros(len(values), np.int8)
    for begin in range(0, len(values), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        with np.errstate(over="ignore"):  # an overflow is infinite, and told as such
            scaled = values[part] * 10.0**digits
        size = np.abs(scaled)
        sound = size <= LARGEST_MINOR  # false for NaN as well
        if not sound.all():
            faults[part] = np.where(sound, 0, np.where(np.isfinite(scaled), TOO_LARGE, NOT_FINITE))
            scaled[~sound] = 0.0
            size[~sound] = 0.0
        near = np.floor(scaled + 0.5)
        finer = np.abs(scaled - near) > size * RELATIVE_NOISE + NOISE
        if finer.any():
            faults[part][finer] = SUB_UNIT
            low = np.floor(scaled[finer])
            is_tie = np.abs(scaled[finer] - low - 0.5) <= NOISE
            near[finer] = np.where(is_tie, low + np.mod(low, 2), near[finer])
        minor[part] = near
    return minor, faults


def major(minor: nw.Expr, scale: int) -> nw.Expr:
    """A column of minor units in major ones, the nearest float64 on every engine.

    Divided by a column and not by a number: Polars multiplies by a number's reciprocal, which is off in the last bit.
    """
    return minor.cast(nw.Float64) / (minor * 0 + scale).cast(nw.Float64)


def to_minor(amounts: Any, *, digits: int, name: str = "amounts") -> np.ndarray[Any, np.dtype[np.int64]]:
    """Major units as exact int64 minor units.

    Args:
        amounts: Array of numbers.
        digits: Digits of the currency.
        name: What to call the argument in an error.

    Raises:
        ConfigError: If an amount is not finite, too large, or finer than the digits by more than float noise.

    Examples:
        >>> to_minor([12.5, 0.1 + 0.2], digits=2)
        array([1250,   30])
    """
    values = np.asarray(amounts)
    if values.dtype.kind not in "iuf":
        raise ConfigError(f"{name} are numbers; seen an array of {values.dtype}.")
    flat = values.astype(np.float64).ravel()
    minor, faults = _minor_and_faults(flat, check_digits(digits))
    rules = {
        NOT_FINITE: f"{name} are finite",
        TOO_LARGE: f"{name} are at most {LARGEST_MINOR} minor units",
        SUB_UNIT: f"{name} have at most {digits} digits after the point",
    }
    if faults.any():
        first = int(np.flatnonzero(faults)[0])
        raise ConfigError(f"{rules[int(faults[first])]}; seen {flat[first]!r} at position {first}.")
    return minor.reshape(values.shape)


def to_major(minor: Any, *, digits: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Minor units as the nearest float64 major units."""
    return np.asarray(minor, dtype=np.float64) / 10**digits
