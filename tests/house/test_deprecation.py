"""Deprecations keep the promise of docs/stability.md."""

from __future__ import annotations

import pytest

from commlife._deprecation import Deprecation, deprecated, renamed_argument
from commlife.errors import CommlifeDeprecationWarning, ConfigError

SOON = Deprecation("old_call", "new_call", since="1.2", released="2026-08-31", gone_in="1.4", not_before="2027-02-28")


def test_a_deprecated_call_works_and_warns_at_the_hosts_own_line():
    @deprecated(SOON)
    def old_call(a: int, *, b: int = 0) -> int:
        """Doc."""
        return a + b

    with pytest.warns(CommlifeDeprecationWarning, match=r"use new_call. It goes in 1.4, not before 2027-02-28") as told:
        assert old_call(1, b=2) == 3
    assert told[0].filename == __file__
    assert (old_call.__name__, old_call.__doc__) == ("old_call", "Doc.")


def test_an_old_name_of_an_argument_works_and_warns():
    @renamed_argument("period", "every", SOON)
    def call(*, every: str) -> str:
        return every

    assert call(every="7D") == "7D"
    with pytest.warns(CommlifeDeprecationWarning):
        assert call(period="7D") == "7D"
    with pytest.warns(CommlifeDeprecationWarning), pytest.raises(ConfigError, match="give one of them"):
        call(period="7D", every="7D")


@pytest.mark.parametrize(
    "shorter",
    [{"gone_in": "1.3"}, {"not_before": "2027-02-27"}, {"not_before": "2026-09-01"}],
)
def test_a_promise_shorter_than_the_written_one_is_refused(shorter):
    told = {"since": "1.2", "released": "2026-08-31", "gone_in": "1.4", "not_before": "2027-02-28"} | shorter
    with pytest.raises(ValueError, match="sooner"):
        Deprecation("old_call", "new_call", **told)


def test_a_new_major_version_may_drop_what_is_half_a_year_old():
    assert Deprecation("a", "b", since="1.9", released="2026-01-01", gone_in="2.0", not_before="2026-07-01").use == "b"
