"""Words of the page for what the daemon counts."""

from connectors.base import Failure
from monitor.web.lines import _FAILURES


def test_every_way_in_which_a_pull_fails_has_words():
    assert _FAILURES.keys() == set(Failure)
