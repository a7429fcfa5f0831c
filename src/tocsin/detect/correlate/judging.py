"""Judges the events of groups over the windows that end with them, whatever is measured."""

from tocsin.detect.correlate.condition import holds
from tocsin.detect.correlate.ordering import ordered_lengths
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.trailing import Judged, Touched, counted_events, counted_terms, moments


def judged_moments(plan: RulePlan, state: RuleState, touched: Touched) -> Judged:
    """The moments whose windows reach into what was touched."""
    places = state.events.places(touched.groups)
    owners, times = moments(places, touched, plan.span)
    match plan.keeping:
        case Keeping.NOTHING:
            measured = counted_events(places, owners, times, plan.span)
        case Keeping.NUMBERS:
            numbers = state.terms.places(touched.groups).of(owners)
            measured = numbers.summed("number", times - plan.span, times)
        case Keeping.STEPS:
            steps = state.terms.places(touched.groups)
            measured = ordered_lengths(steps, touched, owners, times, plan.span, plan.steps)
        case _:
            measured = counted_terms(state, touched.groups, owners, times)
    return Judged(owners, times, measured, holds(measured, plan.bounds))
