"""Nothing is lost, merged, shifted, rounded or changed on the way in."""

from hypothesis import given

from commlife import testing
from estate_shop.adapter import order_log
from estate_shop.tables import from_rows


def test_the_adapter_is_sound():
    testing.check_adapter(lambda rows: order_log(from_rows(rows)))


@given(testing.order_frames(min_users=2))
def test_every_line_and_every_cent_arrives(rows):
    log = order_log(from_rows(rows))
    assert log.n_rows == len(rows)
    assert round(log.to_native()["amount"].sum() * 100) == round(rows["amount"].sum() * 100)


def test_two_members_may_share_an_order_number(make_log):
    assert make_log(("ann", "1", "2025-03-01 09:00", 3.0), ("bob", "1", "2025-03-01 09:00", 3.0)).n_orders == 2
