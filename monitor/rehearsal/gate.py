"""What a merge may not cross: ``messages_per_week>5``."""

import math
import operator
import re
from typing import NamedTuple

from connectors.strict import near
from monitor.rehearsal.score import METRICS
from rules.document import Invalid

_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


class Gate(NamedTuple):
    """A condition that must not hold, as written."""

    text: str
    metric: str
    sign: str
    bound: float

    def fails(self, metrics: dict[str, float]) -> bool:
        """Whether it holds. What is not known is not held against anybody."""
        value = metrics[self.metric]
        return not math.isnan(value) and bool(_SIGNS[self.sign](value, self.bound))


def gate(text: str) -> Gate:
    """``messages_per_week>5``. Raises Invalid."""
    found = re.fullmatch(r"\s*([a-z_]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*", text)
    if not found:
        raise Invalid([f"看不懂的条件 '{text}' (bad condition); 应如 messages_per_week>5、misses>0、lead_days<30"])
    if found[1] not in METRICS:
        raise Invalid(
            [f"--fail-if: 没有指标 '{found[1]}' (unknown metric){near(found[1], METRICS)}; 可用: {'、'.join(METRICS)}"]
        )
    return Gate(text.strip(), found[1], found[2], float(found[3]))
