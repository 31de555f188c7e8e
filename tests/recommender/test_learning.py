"""What a partition keeps of what it learned: bounded, the same over restarts, added up over partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.columns import Columns, empty_arrays, row_bytes
from models.histogram import to_log_code
from models.profile import PEAK_DAYS, PROFILE_FIELDS
from recommender.kept import fleets, kept_of, others_of
from recommender.learning import Learning
from recommender.sizing.experts.ledger import Ledger
from recommender.sizing.fleet import Fleet
from recommender.sizing.policy_columns import PolicyColumns, PolicyTable
from recommender.sizing.records import RECORD_FIELDS, Records
from recommender.sizing.settings import SizingPolicy
from recommender.slabs import Kept, Place, Slabs, fleet_key
from stream.contract import Message, Record
from stream.streams import FLEET, RECORDS
from tests.recommender.sizing.profiles import DAY_MS, policy
from tests.recommender.slab_records import PARTITION, profile_message, record_of

FIRST = 20_000


def fleet_of(n: int, newest: int, seed: int = 5, name: str = "app") -> Columns:
    """n workloads since day FIRST, whose days are drawn once; `newest` is the running day."""
    arrays = empty_arrays(PROFILE_FIELDS, n)
    draw = np.random.default_rng(seed)
    for day in range(FIRST, newest):
        at = draw.lognormal(0, 0.4, (n, 2, 1)) * np.array([1.0, 1e9])[None, :, None] * np.linspace(1, 2, 8)
        column = day % PEAK_DAYS
        arrays["daily_quantile"][:, :, column] = to_log_code(at[..., [0, 1, 2, 4, 5, 6]])
        arrays["daily_p95"][:, :, column], arrays["daily_peak"][:, :, column] = at[..., 3], at[..., 7]
    arrays["newest_day"][:] = newest
    arrays["first_seen_ms"][:] = FIRST * DAY_MS
    arrays["last_seen_ms"][:] = newest * DAY_MS + 1000
    return Columns(PROFILE_FIELDS, [f"prod/shop/Deployment/{name}-{i}/main" for i in range(n)], arrays)


def fresh() -> Learning:
    return Learning({}, Fleet.nothing(), Fleet.nothing())


def learned(learning: Learning, slabs: dict[str, Columns], settings: PolicyColumns | None = None) -> Learning:
    learning.advance({key: (slab, settings or policy()) for key, slab in slabs.items()})
    return learning


def test_profile_and_record_fit_into_eight_kilobytes() -> None:
    assert row_bytes(PROFILE_FIELDS) + row_bytes(RECORD_FIELDS) <= 8192


def test_a_month_at_once_is_a_month_day_by_day() -> None:
    """A slab that comes once with 12 finished days leaves what one leaves that came every day."""
    at_once = learned(fresh(), {"slab/0": fleet_of(20, FIRST + 12)}).records("slab/0")
    daily = fresh()
    for newest in range(FIRST, FIRST + 13):
        learned(daily, {"slab/0": fleet_of(20, newest)})
    for name, array in daily.records("slab/0").arrays.items():
        assert np.array_equal(array, at_once.arrays[name], equal_nan=array.dtype.kind == "f"), name


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_no_content_of_a_slab_spoils_what_others_learn(seed: int) -> None:
    """Any bits in the days of one workload: the other nineteen leave what they leave alone, and every sum is finite."""
    draw = np.random.default_rng(seed)
    slab = fleet_of(20, FIRST + 6)
    for name in ("daily_peak", "daily_p95", "daily_quantile"):
        slab[name][3] = np.frombuffer(draw.bytes(slab[name][3].nbytes), slab[name].dtype).reshape(slab[name][3].shape)
    learning = fresh()
    with np.errstate(all="ignore"):
        learned(learning, {"slab/0": slab})
        taught = learning.take_changed()[1]
    assert taught is not None
    assert all(np.isfinite(taught[f"memory_{part}"]).all() for part in ("slack", "overrun", "overruns"))
    alone = learned(fresh(), {"slab/0": fleet_of(20, FIRST + 6)}).records("slab/0").arrays
    others = np.delete(np.arange(20), 3)
    assert np.array_equal(learning.records("slab/0").arrays["memory_slack"][others], alone["memory_slack"][others])


def test_a_clock_that_is_years_off_delays_nobody() -> None:
    """One workload of the slab claims to live 5 million years from now: its 31 days and the others' nine are charged."""
    slab = fleet_of(20, FIRST + 9)
    slab["newest_day"][3] = 2_000_000_000
    through = learned(fresh(), {"slab/0": slab}).records("slab/0").arrays["through_day"]
    assert through[3] == 1_999_999_999
    assert np.all(np.delete(through, 3) == FIRST + 8)


def test_a_day_is_charged_once() -> None:
    """The same slab again, as when a recommender starts anew, changes nothing."""
    learning = learned(fresh(), {"slab/0": fleet_of(20, FIRST + 9)})
    assert learning.take_changed()[0] == ["slab/0"]
    learned(learning, {"slab/0": fleet_of(20, FIRST + 9)})
    assert learning.take_changed() == ([], None)


def test_another_rate_sets_limits_anew_without_a_new_day() -> None:
    """A tenth of the rate asks for more memory of nearly everybody, and charges no day twice."""
    slab = fleet_of(20, FIRST + 9)
    learning = learned(fresh(), {"slab/0": slab})
    before = {name: array.copy() for name, array in learning.records("slab/0").arrays.items()}
    learned(learning, {"slab/0": slab}, policy(memory_target_oom_days_ratio=0.001))
    after = learning.records("slab/0").arrays
    assert np.mean(after["limit"][:, 1] > before["limit"][:, 1]) > 0.9
    assert np.array_equal(after["weight"], before["weight"])
    assert np.array_equal(after["limit"][:, 0], before["limit"][:, 0])


@pytest.mark.parametrize("mean", [0.0, 0.123456, 1.0])
def test_a_ledger_is_kept_within_half_a_step(mean: float) -> None:
    """Means in 65,535ths: half a step is 7.6e-6."""
    records = Records.empty(["a"])
    weight = np.array([12.5], dtype=np.float32)
    given = Ledger(np.full((1, 108), mean * 12.5, np.float32), np.zeros((1, 108), np.float32), weight)
    rows = np.array([0])
    records.keep_ledger(0, rows, given)
    assert records.ledger(0, rows).slack / 12.5 == pytest.approx(np.full((1, 108), mean), abs=8e-6)


def test_records_follow_their_workloads() -> None:
    """Rows of a slab may move up when it is restored; a workload that is new begins with nothing."""
    records = Records.empty(["a", "b"])
    records.arrays["limit"][:] = [[1, 2], [3, 4]]
    moved = records.aligned(["b", "new"])
    assert moved.arrays["limit"][0].tolist() == [3, 4]
    assert np.isnan(moved.arrays["limit"][1]).all()
    assert moved.arrays["through_day"][1] == -1


def kept_messages(slabs: Slabs) -> tuple[list[Message], list[Message]]:
    messages = slabs.kept()
    return list(messages[RECORDS]), list(messages[FLEET])


def test_a_restart_goes_on_as_if_nothing_had_happened() -> None:
    """Nine days, a restart from the messages, three more days: as twelve days without one."""
    policies = PolicyTable(SizingPolicy())
    place = Place(PARTITION, 1)
    ends = []
    for restarted in (False, True):
        slabs = Slabs(place, policies, {}, Kept())
        slabs.take(record_of(profile_message("slab/0", fleet_of(20, FIRST + 9)), 0))
        (decision,) = slabs.decide()
        records, taught = kept_messages(slabs)
        if restarted:
            read = [record_of(message, offset, RECORDS) for offset, message in enumerate(records)]
            known = [record_of(message, offset, FLEET) for offset, message in enumerate(taught)]
            own = {"slab/0": record_of(decision.message, 0, "recommendations")}
            slabs = Slabs(place, policies, {"slab/0": 1}, kept_of(PARTITION, own, read, known))
        slabs.take(record_of(profile_message("slab/0", fleet_of(20, FIRST + 12)), 1))
        (decision,) = slabs.decide()
        ends.append((decision.message.value, [m.value for m in slabs.kept()[RECORDS]], slabs.kept()))
    assert ends[0] == ends[1]


def test_a_slab_that_is_gone_takes_its_record_along() -> None:
    slabs = Slabs(Place(PARTITION, 1), PolicyTable(SizingPolicy()), {}, Kept())
    slabs.take(record_of(profile_message("slab/0", fleet_of(3, FIRST + 4)), 0))
    list(slabs.decide())
    slabs.kept()
    slabs.take(record_of(profile_message("slab/0", None), 1))
    list(slabs.decide())
    assert [(m.key, m.value) for m in slabs.kept()[RECORDS]] == [("slab/0", None)]


def taught_by(learning: Learning, partition: int) -> Record:
    taught = learning.take_changed()[1]
    assert taught is not None
    return record_of(Slabs.fleet_message(partition, taught), partition, FLEET)


def test_two_partitions_teach_each_other_what_one_would_have_learned() -> None:
    """30 workloads in one partition, or 15 and 15 that hear of each other: as many workload-days in the prior and in the
    overruns of each day, and classes that end at nearly the same place (quantiles of 15 of 65 points each)."""
    whole = fleet_of(30, FIRST + 10)
    halves = [Columns(whole.table, whole.workloads[s], {k: v[s] for k, v in whole.arrays.items()})
              for s in (slice(0, 15), slice(15, 30))]  # fmt: skip
    one = learned(fresh(), {"slab/0": whole})
    parts = [learned(fresh(), {"slab/0": half}) for half in halves]
    known = fleets([taught_by(part, number) for number, part in enumerate(parts)])
    single = fleets([taught_by(one, 0)])[fleet_key(0)][0].taught[1]
    both = known[fleet_key(0)][0].taught[1] + others_of(0, known).taught[1]
    assert both.prior.count.sum() == single.prior.count.sum() == 30 * 8
    assert np.array_equal(both.realised.seen.sum(axis=1), single.realised.seen.sum(axis=1))
    traits = [part.records("slab/0").traits(1) for part in (parts[0], one)]
    ends = others_of(0, known).ends(1, traits[0]), Fleet.nothing().ends(1, traits[1])
    assert ends[0].groups == pytest.approx(ends[1].groups, rel=0.15)


def test_a_record_that_cannot_be_read_begins_anew() -> None:
    broken = record_of(Message("slab/0", b"no frame"), 0, RECORDS)
    assert kept_of(PARTITION, {}, [broken], []).records == {}
