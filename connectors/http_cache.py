"""What a source answered last, so that it need not send again what has not changed."""

import zlib
from collections import OrderedDict
from typing import NamedTuple

from connectors.http_get import Answer

_UNCHANGED = 304
_BYTES = 2**20  # compressed, for each source


class _Kept(NamedTuple):
    validators: dict[str, str]
    answer: Answer  # its body is compressed


class Cache:
    """The latest answers of one source that can be asked about by ETag or Last-Modified, newest first to stay.

    An unchanged answer is read anew rather than skipped: what was not public
    at the last pull may be so by now, and a pull that failed to store its
    figures gets them once more.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[object, _Kept] = OrderedDict()

    def conditions(self, key: object) -> dict[str, str]:
        """Headers by which the server may say that nothing changed."""
        return self._kept[key].validators if key in self._kept else {}

    def fresh(self, key: object, answer: Answer) -> Answer:
        """The answer to read: the new one, which is kept, or the kept one if nothing changed."""
        kept = self._kept.get(key)
        if answer.status == _UNCHANGED and kept is not None:
            self._kept.move_to_end(key)
            return Answer(kept.answer.status, zlib.decompress(kept.answer.body), kept.answer.headers)
        self._kept.pop(key, None)
        validators = {
            condition: answer.headers[header]
            for condition, header in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            if header in answer.headers
        }
        if validators and answer.status == 200:
            packed = Answer(answer.status, zlib.compress(answer.body), answer.headers)
            self._kept[key] = _Kept(validators, packed)
            while sum(len(one.answer.body) for one in self._kept.values()) > _BYTES:
                self._kept.popitem(last=False)
        return answer
