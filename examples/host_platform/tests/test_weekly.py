"""The weekly job is sound on logs that careless code stumbles over, and on a community that looks like ours."""

import pytest

from commlife import testing
from estate_shop.weekly import members_this_week

pytestmark = pytest.mark.filterwarnings(
    "ignore::commlife.errors.FewerBinsWarning", "ignore::commlife.errors.LeftTruncatedWarning"
)


def test_the_job_is_sound():
    testing.check_pipeline(members_this_week)


def test_every_member_has_a_state(community):
    table = members_this_week(community.log, "2025-06-02")
    assert set(table["state"]) <= {"new", "returned", "active", "silent", "churned", "existing"}
    assert table["recency_days"].notna().all()
