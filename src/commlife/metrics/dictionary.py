"""The dictionary of metrics: labels, formulas and definitions for a reader, in each language."""

from __future__ import annotations

import pandas as pd

from commlife._text import LANGUAGES, Language, check_language, label
from commlife.metrics.definitions import METRICS

__all__ = ["metric_dictionary", "metric_labels"]

#: Columns of the table that are no metrics: their labels.
_KEYS = {"period": ("Period", "周期"), "complete": ("Complete", "是否完整")}


def metric_labels(lang: Language) -> dict[str, str]:
    """What the columns of the table are called in a language."""
    at = LANGUAGES.index(lang)
    groups = ("community", "channel", "category", "coupon_id")
    return {name: pair[at] for name, pair in _KEYS.items()} | {name: label(name, lang) for name in (*groups, *METRICS)}


def metric_dictionary(lang: str = "en") -> pd.DataFrame:
    """Every metric with its unit, its formula, its interval, what it needs, and its definition.

    Args:
        lang: ``"en"`` or ``"zh"``.

    Returns:
        A frame with ``name``, ``label``, ``unit`` (``money`` in major units, ``count``, ``share``, ``ratio``),
        ``formula``, ``interval`` (``wilson``, ``bootstrap`` or empty), ``needs``, ``definition``.

    Raises:
        ConfigError: If the language is not one of ours.

    Examples:
        >>> words = metric_dictionary("zh").set_index("name")
        >>> words.loc["units_per_order", ["label", "formula", "needs"]].tolist()
        ['连带率', 'units / orders', 'quantity']
    """
    language = check_language(lang)
    rows = [
        {
            "name": metric.name,
            "label": label(metric.name, language),
            "unit": metric.unit,
            "formula": metric.numerator if metric.denominator is None else f"{metric.numerator} / {metric.denominator}",
            "interval": metric.interval,
            "needs": ", ".join(metric.needs),
            "definition": metric.chinese if language == "zh" else metric.english,
        }
        for metric in METRICS.values()
    ]
    return pd.DataFrame(rows)
