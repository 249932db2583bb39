"""Compiling: numba with its cache on disk, and the one machine instruction that Python does not name."""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.errors import NumbaWarning
from numba.extending import intrinsic

__all__ = ["bit_count", "compiled"]

#: The files whose code is compiled into one another.
_SOURCES = ("_jit.py", "_inverted.py", "_bitmaps.py", "_descent.py", "_compiled.py")


def _digest():
    """What the sources hold: numba's own stamp is the time and size of one file, which do not tell wheels apart."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()


class _Cache(FunctionCache):
    """numba's cache on disk, with an entry for each state of all the sources."""

    _sources = _digest()

    def _index_key(self, sig, codegen):
        return (*super()._index_key(sig, codegen), self._sources)


def compiled(function):
    """Compile with a cache on disk; without it where no folder can be written (NUMBA_CACHE_DIR names one)."""
    dispatcher = njit(nogil=True)(function)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NumbaWarning)
            dispatcher._cache = _Cache(function)
    except RuntimeError:  # numba: "no locator available": nowhere to put the cache
        pass
    return dispatcher


@intrinsic
def bit_count(typing_context, word):
    """Number of ones in a 64-bit word."""
    del typing_context, word

    def generate(context, builder, signature, arguments):
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate
