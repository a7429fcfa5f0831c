"""Whatever the order, the cut, the drops and the restarts: what stands is what the oracle finds."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detect.correlate.playing import Stream, correlation, event
from tocsin.detect.correlate.oracle import Taken, episodes_of
from tocsin.detect.stateful_rule import CorrelationRule

RULES = ("logon", "net", "scan")
_SETTINGS = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_TEXTS = st.sampled_from(["a", "A", "b", "c"])
_NUMBERS = st.sampled_from([0, 1, 2, 3, 10, -4, 2.5, 0.1, "7", "many", True])


@st.composite
def streams(draw: st.DrawFn) -> list[Taken]:
    count = draw(st.integers(1, 24))
    times = draw(st.lists(st.integers(0, 120), min_size=count, max_size=count))
    events = []
    for number, time in enumerate(times):
        hits = draw(st.sets(st.sampled_from(RULES), min_size=1, max_size=2))
        native: dict[str, object] = {"user": draw(_TEXTS), "size": draw(_NUMBERS)}
        if draw(st.integers(0, 3)):
            native["host"] = draw(_TEXTS)
        if draw(st.integers(0, 5)):
            native["target"] = draw(_TEXTS)
        if not draw(st.integers(0, 9)):
            del native["user"]
        tenant = "other" if not draw(st.integers(0, 9)) else "default"
        events.append(event(number, time, *hits, tenant=tenant, **native))
    return events


@st.composite
def rising_rules(draw: st.DrawFn) -> CorrelationRule:
    type_ = draw(st.sampled_from(["event_count", "value_count", "temporal"]))
    taken = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=3))
    limit = draw(st.integers(1, 4))
    bounds = [(draw(st.sampled_from(["gt", "gte"])), limit)]
    if type_.startswith("temporal"):
        bounds = draw(st.sampled_from([[], bounds]))
    fields: tuple[str, ...] = ()
    if type_ == "value_count":
        fields = draw(st.sampled_from([("target",), ("target", "host")]))
    return correlation(
        type_,
        *bounds,
        rules=taken,
        within_s=draw(st.sampled_from([1, 10, 30, 60])),
        by=draw(st.sampled_from([(), ("user",), ("user", "host")])),
        fields=fields,
    )


def played(rule: CorrelationRule, events: Sequence[Taken], data: st.DataObject) -> Stream:
    """The events in some order, cut into some turns, with drops and restarts."""
    stream = Stream([rule])
    order = data.draw(st.permutations(events))
    if data.draw(st.booleans()):
        order = sorted(order, key=lambda one: one.time)
    while order:
        size = data.draw(st.integers(1, len(order)))
        now, order = order[:size], order[size:]
        half = data.draw(st.integers(0, size))
        batches = [part for part in (now[:half], now[half:]) if part]
        if data.draw(st.integers(0, 4)) == 0:
            stream.turn(*batches, dropped=True)
        stream.turn(*batches, final=data.draw(st.integers(0, 6)) == 0)
        if data.draw(st.integers(0, 4)) == 0:
            stream.restart()
    stream.turn(final=True)
    return stream


@_SETTINGS
@given(rising_rules(), streams(), st.data())
def test_rising_conditions(rule: CorrelationRule, events: list[Taken], data: st.DataObject) -> None:
    assert played(rule, events, data).episodes() == episodes_of(rule, events)
