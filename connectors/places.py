"""Where figures stand in their documents, as numbers; the words (``第12行``, ``Sheet1!C7``) are made when they are read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray, ExtensionDtype
from pandas.api.indexers import check_array_indexer

_Rows = NDArray[np.intp]


class PlaceType(ExtensionDtype):
    """The type of a column of places; its cells are read as str."""

    name = "place"
    type = str
    na_value = ""

    @classmethod
    def construct_array_type(cls) -> Any:
        """The column."""
        return Places


class _Part(NamedTuple):
    """One document's ``rows``, and what names the places of those at given positions."""

    rows: int
    words: Callable[[_Rows], Sequence[str]]


class Places(ExtensionArray):  # noqa: PLW1641  like every column of pandas it has no hash
    """A column of a frame: the places of rows of one document after another, in any order."""

    def __init__(self, rows: _Rows, parts: Sequence[_Part]) -> None:
        self.rows, self.parts = rows, tuple(parts)
        self._dtype = PlaceType()

    @classmethod
    def at(cls, rows: _Rows, count: int, words: Callable[[_Rows], Sequence[str]]) -> Self:
        """The places of ``rows`` of a document that has ``count`` rows, as ``words`` calls them."""
        return cls(rows, (_Part(count, words),))

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """Places that have their names already."""
        named = list(words)
        return cls.at(np.arange(len(named)), len(named), lambda at: [named[row] for row in at.tolist()])

    def within(self, document: str) -> Self:
        """The same places, each with its document before it."""

        def inside(words: Callable[[_Rows], Sequence[str]]) -> Callable[[_Rows], list[str]]:
            return lambda at: [f"{document} {place}" for place in words(at)]

        return type(self)(self.rows, [_Part(part.rows, inside(part.words)) for part in self.parts])

    def words(self) -> list[str]:
        """The name of each place."""
        if len(self.parts) == 1:
            return list(self.parts[0].words(self.rows))
        ends = np.cumsum([part.rows for part in self.parts])
        of = np.searchsorted(ends, self.rows, side="right")
        found = np.empty(len(self.rows), dtype=object)
        for number in np.unique(of).tolist():
            mine, part = of == number, self.parts[number]
            found[mine] = part.words(self.rows[mine] - ends[number] + part.rows)
        return found.tolist()

    # What pandas asks of a column.

    @classmethod
    def _from_sequence(cls, scalars: Iterable[Any], **_: object) -> Self:
        return cls.of(str(one) for one in scalars)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Self]) -> Self:
        sizes = [sum(part.rows for part in one.parts) for one in to_concat]
        starts = np.cumsum([0, *sizes])
        rows = [one.rows + start for one, start in zip(to_concat, starts, strict=False)]
        return cls(np.concatenate(rows), [part for one in to_concat for part in one.parts])

    @property
    def dtype(self) -> PlaceType:
        """Its type."""
        return self._dtype

    @property
    def nbytes(self) -> int:
        """Of the numbers."""
        return self.rows.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: Any) -> Any:
        item = check_array_indexer(self, item)
        rows = self.rows[item]
        return self._at(rows) if rows.ndim else self._at(rows[None]).words()[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.words())

    def __eq__(self, other: object) -> Any:
        return self.__array__() == np.asarray(other, dtype=object)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = np.empty(len(self), dtype=object)
        found[:] = self.words()
        return found if dtype is None else found.astype(dtype, copy=False)

    def isna(self) -> NDArray[np.bool_]:
        """Every figure stands somewhere."""
        return np.zeros(len(self), dtype=bool)

    def take(self, indexer: Any, *, allow_fill: bool = False, fill_value: object = None) -> Self:  # noqa: ARG002  there is none
        """The places at ``indexer``."""
        found = np.asarray(indexer, dtype=np.intp)
        if allow_fill and (found < 0).any():
            raise ValueError("a figure without a place")
        return self._at(self.rows[found])

    def copy(self) -> Self:
        """The same again; nothing of it ever changes."""
        return self._at(self.rows)

    def _at(self, rows: _Rows) -> Self:
        return type(self)(rows, self.parts)
