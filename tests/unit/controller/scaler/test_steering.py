from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.model import PoolAction
from heavylift_api import pools as api
from heavylift_controller.scaler.kept import Kept, dump, load
from heavylift_controller.scaler.platform import Overrides, Sight
from heavylift_controller.scaler.pools import Pool, PoolQueue
from heavylift_controller.scaler.steering import Order, Orders, Steering, Stranger, parse_order, stranger_of
from heavylift_controller.scaler.steering import steered as steered_by

NOW = 1_800_000_000.0
POOL = Pool(queues={"video": PoolQueue()}, max=7, manual_hold_seconds=900)


def steered(*orders: Order, pool: Pool = POOL, stranger: Stranger | None = None, **overrides) -> Steering:
    return steered_by(pool, Overrides(**overrides), ordered(*orders), stranger, NOW)


def ordered(*orders: Order, known: Orders = Orders()) -> Orders:  # noqa: B008 - it never changes
    """Return what orders amount to that are met one after the other, as Redis keeps them."""
    kept: dict[str, Order] = {}
    for order in orders:
        kept |= dict.fromkeys(api.MATTERS[api.PoolAction(order.action)], order)
        known = known.with_orders(kept)
    return known


def order(action: str, *, ago: float = 10.0, **more) -> Order:
    return Order(PoolAction(action), NOW - ago, "ada", **more)


def held(steering: Steering) -> tuple[int | None, str, float | None]:
    return steering.settings.hold_at, steering.held_by, steering.hold_until


def test_without_a_word_the_settings_stand():
    assert steered() == Steering(POOL.settings)


def test_a_workerpool_goes_before_the_settings():
    found = steered(least=1, most=9, idle=2, target_wait={"video": 5.0, "gone": 1.0}, paused=True).settings
    assert (found.least, found.most, found.idle, found.paused) == (1, 9, 2, True)
    assert {name: queue.target_wait for name, queue in found.queues.items()} == {"video": 5.0}
    assert not steered(pool=POOL.model_copy(update={"paused": True}), paused=False).settings.paused


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        ([order("hold", replicas=3)], (3, "ada", None)),
        ([order("hold", replicas=0, until=NOW + 1)], (0, "ada", NOW + 1)),
        ([order("hold", replicas=3, until=NOW)], (None, "", None)),
        ([order("hold", replicas=3), order("release", ago=5)], (None, "", None)),
        ([order("hold", replicas=3), order("hold", replicas=4, ago=5)], (4, "ada", None)),
        ([order("hold", replicas=3), order("pause", ago=5)], (3, "ada", None)),
        ([order("hold", replicas=4, ago=5), order("hold", replicas=3)], (3, "ada", None)),
        ([order("pause", ago=5), order("hold", replicas=3)], (3, "ada", None)),
        ([order("hold", replicas=3, ago=5), order("release")], (None, "", None)),
    ],
)
def test_orders_hold(orders, found):
    assert held(steered(*orders)) == found


def test_pause_and_freeze_last_until_they_are_taken_back():
    words = ("pause", "freeze-in", "freeze-out")
    found = steered(*(order(word, ago=9 - at) for at, word in enumerate(words))).settings
    assert (found.paused, found.freeze_in, found.freeze_out) == (True, True, True)
    found = steered(*(order(word, ago=9 - at) for at, word in enumerate((*words, "resume", "thaw")))).settings
    assert (found.paused, found.freeze_in, found.freeze_out) == (False, False, False)


def test_a_freeze_after_a_thaw_stands_though_the_thaw_is_still_there():
    orders = ordered(order("freeze-in"), order("thaw", ago=5), order("freeze-out", ago=9))
    assert (orders.freeze_in, orders.freeze_out) == (None, order("freeze-out", ago=9))
    still = {"freeze-in": order("thaw", ago=5), "freeze-out": order("freeze-out", ago=9)}
    assert orders.with_orders(still) is orders


def test_an_order_that_is_known_is_not_carried_out_again():
    release = order("release")
    orders = replace(ordered(release), to_release=False)
    assert not orders.with_orders({"hold": release}).to_release
    assert orders.with_orders({"hold": order("release", ago=11)}).to_release


def test_what_an_older_version_has_kept_is_gone_on_with():
    text = b'{"orders": {"newest": %d, "hold": {"action": "hold", "at": 1, "by": "ada", "replicas": 3}}}' % NOW
    orders = load(text).orders.with_orders({"hold": order("release"), "pause": order("pause")})
    assert (orders.hold, orders.pause, orders.to_release) == (Order(PoolAction.HOLD, 1, "ada", 3), None, False)
    assert orders.with_orders({"hold": order("release"), "pause": order("pause", ago=9)}).pause == order("pause", ago=9)
    assert load(dump(Kept(orders=orders))).orders == orders


def test_taking_a_pause_back_leaves_the_one_of_the_workerpool():
    assert steered(order("pause"), order("resume", ago=5), paused=True).settings.paused


STRANGER = Stranger("kubectl-scale", 5, NOW - 100)


def test_a_number_beside_us_is_held_for_a_while():
    assert held(steered(stranger=STRANGER)) == (5, "kubectl-scale", NOW + 800)
    assert held(steered(stranger=replace(STRANGER, since=NOW - 900))) == (None, "", None)


@pytest.mark.parametrize(
    ("orders", "spec", "found"),
    [
        ([order("hold", ago=50, replicas=3)], 4, "ada"),
        ([order("hold", ago=150, replicas=3)], None, "kubectl-scale"),
        ([order("hold", ago=150, replicas=3)], 4, "its WorkerPool"),
        ([order("hold", ago=50, replicas=3)], None, "ada"),
        ([], 4, "its WorkerPool"),
        ([order("release", ago=50)], None, ""),
        ([order("release", ago=50)], 4, ""),
        ([order("release", ago=150)], None, "kubectl-scale"),
    ],
)
def test_whose_number_stands_where_several_have_set_one(orders, spec, found):
    assert steered(*orders, stranger=STRANGER, hold_at=spec).held_by == found


def test_who_set_a_number_and_since_when():
    sight = Sight(5, (), scaled_by="kubectl-scale", scaled_at=NOW - 3)
    assert stranger_of(None, sight, NOW) == Stranger("kubectl-scale", 5, NOW - 3)
    undated = replace(sight, scaled_at=0.0)
    first = stranger_of(None, undated, NOW)
    assert first == Stranger("kubectl-scale", 5, NOW)
    assert stranger_of(first, undated, NOW + 9) == first
    assert stranger_of(first, replace(undated, replicas=6), NOW + 9) == Stranger("kubectl-scale", 6, NOW + 9)


@pytest.mark.parametrize("who", ["", "kube-controller-manager", "keda", "keda-operator"])
def test_an_autoscaler_is_no_person(who):
    assert stranger_of(None, Sight(5, (), scaled_by=who), NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"action": "explode", "at": 1}',
        b'{"action": "hold", "at": 1}',
        b'{"action": "pause"}',
        b'{"action": "hold", "at": 1, "replicas": -1}',
    ],
)
def test_an_order_that_cannot_be_read_is_none(text):
    assert parse_order(text) is None


def test_an_order_is_read_as_the_api_writes_it():
    text = b'{"action":"hold","replicas":5,"until":null,"by":"ada","at":12.5}'
    assert parse_order(text) == Order(PoolAction.HOLD, 12.5, "ada", 5)
