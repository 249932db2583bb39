"""Assignment: who is in which arm, decided by the identifier and a salt alone.

The same user always lands in the same arm of the same trial, on every machine and in every row order, and trials with
different salts are independent of each other. Shares may be raised in stages: a user within the first 10% is still
within the first 30%.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from commlife.effects._inputs import Floats, array_of, in_open_interval
from commlife.errors import ConfigError

__all__ = ["assign", "hash_share"]

_PRIME = np.uint64(0x100000001B3)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def hash_share(ids: Any, *, salt: str) -> Floats:
    """A number in [0, 1) for each identifier, evenly spread, the same whenever the salt is the same.

    Args:
        ids: Identifiers, whole numbers or strings; 7 and "7" are the same user.
        salt: Name of the trial.

    Returns:
        One float64 an identifier: the FNV-1a hash of its characters, begun from the salt's BLAKE2b, mixed
        (splitmix64), its upper 53 bits.

    Raises:
        ConfigError: If an identifier is missing, no whole number or string, or the salt is empty.

    Examples:
        >>> hash_share(["u1", "u2"], salt="spring").round(4).tolist()
        [0.8488, 0.7992]
    """
    if not isinstance(salt, str) or not salt:
        raise ConfigError(f"salt is a text that names the trial; seen {salt!r:.60}.")
    letters = _letters(ids)
    start = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big")
    state = np.full(len(letters), start, dtype=np.uint64)
    for column in letters.T:
        seen = column != 0
        mixed = (state ^ column.astype(np.uint64)) * _PRIME
        state = np.where(seen, mixed, state)
    for shift, factor in zip((30, 27), _MIX, strict=True):
        state = (state ^ (state >> np.uint64(shift))) * factor
    state ^= state >> np.uint64(31)
    return np.asarray((state >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _letters(ids: Any) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Code points of each identifier, one column a place, zeros behind the end."""
    array = array_of(ids, "ids")
    if array.ndim != 1:
        raise ConfigError(f"ids are one-dimensional; seen shape {array.shape}.")
    if array.dtype.kind == "O":
        strange = sorted(kind.__name__ for kind in set(map(type, array.tolist())) if kind not in {str, int})
        if strange:
            raise ConfigError(f"ids are whole numbers or strings; seen {', '.join(strange)}.")
    elif array.dtype.kind not in "iuUT":
        raise ConfigError(f"ids are whole numbers or strings; their type is {array.dtype}.")
    text = array.astype(np.str_)
    width = text.dtype.itemsize // 4
    little = text.astype(text.dtype.newbyteorder("<"))
    return np.frombuffer(little.tobytes(), dtype="<u4").reshape(len(text), width).astype(np.uint32)


def assign(ids: Any, *, salt: str, shares: Mapping[str, float]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Deal identifiers to arms.

    Args:
        ids: Identifiers, whole numbers or strings.
        salt: Name of the trial; another name deals afresh.
        shares: Share of each arm, in their order, summing to 1.

    Returns:
        The arm of each identifier, as an array of strings.

    Raises:
        ConfigError: If the shares do not sum to 1, or as for :func:`hash_share`.

    Examples:
        >>> assign(["u1", "u2", "u3"], salt="spring", shares={"none": 0.5, "coupon": 0.5}).tolist()
        ['coupon', 'coupon', 'none']
    """
    if not isinstance(shares, Mapping) or not shares:
        raise ConfigError(f"shares maps arms to their shares; seen {shares!r:.60}.")
    parts = [in_open_interval(share, f"shares[{arm!r}]", 0, 1 + 1e-9) for arm, share in shares.items()]
    if abs(sum(parts) - 1) > 1e-9:
        raise ConfigError(f"shares sum to 1; seen a sum of {sum(parts):g}. Divide them by their sum.")
    edges = np.cumsum(parts)[:-1]
    names = np.array(list(shares), dtype=object)
    return np.asarray(names[np.searchsorted(edges, hash_share(ids, salt=salt), side="right")])
