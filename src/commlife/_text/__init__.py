"""Words for operators, in English and Chinese."""

from commlife._text.labels import LANGUAGES, Language, check_language, label, labels

__all__ = ["LANGUAGES", "Language", "check_language", "label", "labels"]
