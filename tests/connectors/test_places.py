"""Places of figures: numbers until they are read, and then the words of their own document."""

import numpy as np
import pandas as pd
import pytest

from connectors.places import Places


def _lines(count: int, *rows: int) -> Places:
    return Places.at(np.array(rows, dtype=np.intp), count, lambda at: [f"第{row + 1}行" for row in at.tolist()])


def test_the_words_are_made_for_those_rows_that_are_read_and_for_no_others() -> None:
    made: list[int] = []

    def words(at: np.ndarray) -> list[str]:
        made.extend(at.tolist())
        return [str(row) for row in at.tolist()]

    table = pd.DataFrame({"cell": Places.at(np.arange(1000), 1000, words), "value": range(1000)})
    few = table[table["value"] > 990].iloc[2:5]
    assert made == []
    assert few["cell"].tolist() == ["993", "994", "995"]
    assert made == [993, 994, 995]


def test_places_of_several_documents_keep_their_own_words_in_any_order() -> None:
    both = pd.concat(
        [pd.Series(_lines(9, 8, 2).within("甲.csv")), pd.Series(_lines(3, 1).within("乙.csv"))], ignore_index=True
    )
    assert both[[2, 0, 1, 0]].tolist() == ["乙.csv 第2行", "甲.csv 第9行", "甲.csv 第3行", "甲.csv 第9行"]
    assert both[2] == "乙.csv 第2行"
    again = pd.concat([both, pd.Series(Places.of(["$.rows[7]"]))], ignore_index=True)
    assert again.tolist() == [*both.tolist(), "$.rows[7]"]


def test_a_place_reads_as_text_wherever_pandas_asks_for_it() -> None:
    column = pd.Series(_lines(5, 4, 0))
    assert column.astype("str").str.startswith("第").all()
    assert (column == "第5行").tolist() == [True, False]
    assert column.to_numpy(object).tolist() == ["第5行", "第1行"]
    assert not column.isna().any()
    assert not pd.Series(Places.of([])).tolist()


def test_no_figure_is_without_a_place() -> None:
    with pytest.raises(ValueError, match="without a place"):
        pd.Series(_lines(2, 0)).reindex([0, 1])
