"""Which alerts hold which others: the district's total its towns', a figure that is owed what is said of the old one."""

from collections.abc import Iterable
from typing import NamedTuple

from alerts.alert import Kind
from alerts.organisation import Inhibition, Organisation
from alerts.routing import Matter, is_for


class Firing(NamedTuple):
    """An alert that fires, and the last change that moved it."""

    matter: Matter
    change: int


class Inhibitors:
    """The alerts that hold others, found by what both must have in common."""

    def __init__(self, organisation: Organisation, firing: Iterable[Firing]) -> None:
        self._organisation = organisation
        self._found: list[tuple[Inhibition, dict[tuple[object, ...], Firing]]] = [
            (rule, {}) for rule in organisation.inhibit
        ]
        for one in firing:
            for rule, by in self._found:
                if is_for(rule.by, one.matter, organisation):
                    common = (one.matter.kind, *_common(rule, one.matter))
                    known = by.get(common)
                    if known is None or known.matter.level < one.matter.level:
                        by[common] = one

    def of(self, matter: Matter) -> int:
        """The change that the alert stands on which holds what is said of ``matter``; 0 for none.

        An alert holds what is of its kind and not worse than itself; what is of the other kind, where the rule names
        its own: an owed figure holds whatever is said without it.
        """
        for rule, by in self._found:
            if is_for(rule.by, matter, self._organisation):
                return 0
            if is_for(rule.holds, matter, self._organisation):
                common = _common(rule, matter)
                alike = by.get((matter.kind, *common))
                if alike is not None and alike.matter.level >= matter.level:
                    return alike.change
                other = Kind.DATA if matter.kind is Kind.PACE else Kind.PACE
                if other in rule.by.kind and (other, *common) in by:
                    return by[other, *common].change
        return 0


def _common(rule: Inhibition, matter: Matter) -> tuple[object, ...]:
    return (matter.book, *(getattr(matter, name) for name in rule.equal))
