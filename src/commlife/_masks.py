"""Personal values with their middle hidden, wherever one is shown that nobody asked for."""

from __future__ import annotations

import re

__all__ = ["mask", "mask_numbers"]

#: Longer than a date without dashes.
_LONG_NUMBER = re.compile(r"(?<![\d.])\d{9,}")
_WORD = re.compile(r"[^\s'\"]+")


def mask_numbers(text: str) -> str:
    """A text whose long runs of digits are masked: a phone may stand in any column that was named by mistake.

    Examples:
        >>> mask_numbers("13812345678"), mask_numbers("2025-13-01")
        ('138****78', '2025-13-01')
    """
    return _WORD.sub(_masked, text)


def _masked(word: re.Match[str]) -> str:
    """A path stays as it is: who is told of it has to find it."""
    text = word.group()
    return text if "/" in text or "\\" in text else _LONG_NUMBER.sub(lambda found: mask(found.group()), text)


def mask(value: object) -> str:
    """A personal value with its middle hidden: enough to recognise, too little to reveal.

    Examples:
        >>> mask("13812345678")
        '138****78'
        >>> mask(10482), mask("Li")
        ('1***2', 'L*')
    """
    text = str(value)
    if len(text) >= 8:
        return f"{text[:3]}****{text[-2:]}"
    ends = max(1, len(text) // 4)
    if len(text) <= 2:
        return f"{text[:1]}*" if text else "''"
    return text[:ends] + "*" * (len(text) - 2 * ends) + text[-ends:]
