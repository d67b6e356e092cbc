"""Files: encodings, Word documents with merged cells and automatic numbers, PDFs with wrapped lines and tables."""

import builtins
import zipfile

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, TableStyle
from reportlab.platypus import Table as Grid

from rules.document import Invalid
from rules.importing.outline import outline
from rules.importing.plain import bare
from rules.importing.plan import import_plan
from rules.importing.reading import Line, Table, read, words
from tests.rules.importing.test_plans import SEED

PLAN = "2025年重点工作分解方案\n1.新建学校5所。\n责任单位：县教育局\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_is_read_in_the_usual_encodings(encoding, tmp_path):
    path = tmp_path / "plan.txt"
    path.write_bytes(PLAN.encode(encoding))
    assert [block.text for block in read(path)] == PLAN.splitlines()


def test_lines_with_tabs_are_a_table(tmp_path):
    path = tmp_path / "plan.txt"
    path.write_text(
        "2025年分解表\n序号\t工作任务\t责任单位\t完成时限\n1\t新建学校5所\t县教育局\t9月底前\n", encoding="utf-8"
    )
    (entry,) = import_plan(path).entries
    assert (entry.item.text, entry.lead, str(entry.deadlines[0].day)) == ("新建学校5所", ("县教育局",), "2025-09-30")


INDICATORS = """\
2025年主要指标任务分解表
序号\t指标名称\t单位\t2024年完成数\t2025年目标\t增长（%）\t责任单位
一\t经济发展\t\t\t\t\t
1\t地区生产总值\t亿元\t312.5\t335\t6.5\t区发改局
2\t工业增加值增速\t%\t7.2\t8左右\t—\t区工信局
3\t研发投入强度\t%\t2.1\t2.4以上\t—\t区科技局
二\t社会民生\t\t\t\t\t
4\t城镇登记失业率\t%\t3.8\t≤4.5\t—\t区人社局
5\t居民收入\t元\t38562\t与经济增长同步\t—\t区发改局、区统计局
6\t招商引资\t\t\t签约亿元项目60个，到位内资150亿元\t—\t区招商局
"""


def test_a_table_of_indicators_has_its_units_chapters_and_growth_in_cells_of_their_own(tmp_path):
    (tmp_path / "plan.txt").write_text(INDICATORS, encoding="utf-8")
    entries = import_plan(tmp_path / "plan.txt").entries
    assert [entry.item.section for entry in entries] == ["一经济发展"] * 3 + ["二社会民生"] * 3
    found = [[(one.name, one.op.value, one.value, one.unit) for one in entry.commitments] for entry in entries]
    assert found == [
        [("地区生产总值", ">=", 335, "亿元"), ("地区生产总值增速", ">=", 6.5, "%")],
        [("工业增加值增速", "about", 8, "%")],
        [("研发投入强度", ">=", 2.4, "%")],
        [("城镇登记失业率", "<=", 4.5, "%")],
        [("居民收入增速", ">=", None, "")],
        [("签约亿元项目", ">=", 60, "个"), ("到位内资", ">=", 150, "亿元")],
    ]


@pytest.mark.parametrize(
    ("name", "content", "cure"),
    [
        ("plan.txt", b"\xff\xff\xfe\x80", "另存为 UTF-8"),
        ("plan.doc", b"x", "另存为 DOCX"),
        ("plan.docx", b"x", "重新另存为 DOCX"),
        ("plan.pdf", b"x", "重新导出"),
        ("plan.txt", b" \n", "没有文字"),
        ("plan.txt", "只有一句话。".encode(), "没有找到事项"),
        ("plan.txt", "1.新建学校。\n责任单位：县教育局".encode(), "--year"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_the_cure(name, content, cure, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Invalid, match=cure) as refused:
        import_plan(path)
    assert str(path) in str(refused.value)


def test_a_zip_that_is_no_word_document_is_refused(tmp_path):
    path = tmp_path / "plan.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(Invalid, match="broken file"):
        read(path)


@pytest.mark.parametrize(("name", "package"), [("plan.docx", "docx"), ("plan.pdf", "pdfplumber")])
def test_without_the_extra_the_cure_is_named(name, package, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(module, *rest):
        if module.split(".")[0] == package:
            raise ImportError(module)
        return real(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(Invalid, match=r"pip install duban\[plans\]"):
        read(path)


def test_word_tables_keep_their_merged_cells(tmp_path):
    entries = import_plan(a_word_table(tmp_path / "plan.docx")).entries
    assert [
        (e.item.number, e.item.section, e.lead, e.responsible, [str(one.day) for one in e.deadlines], e.item.starred)
        for e in entries
    ] == [
        (1, "稳增长", ("县发展改革局（县统计局）",), ("县财政局",), ["2025-12-31"], False),
        (2, "稳增长", ("县财政局",), ("县税务局", "各镇街"), ["2025-12-31"], False),
        (3, "二、民生", ("县教育局",), (), ["2025-09-30"], True),
    ]
    assert [len(e.commitments) for e in entries] == [1, 1, 1]


def a_word_table(path):
    document = docx.Document()
    document.add_paragraph("某县2025年重点工作责任分解表")
    rows = [
        ["序号", "重点任务", "具体举措", "责任单位", "", "完成时限"],
        ["", "", "", "牵头单位", "配合单位", ""],
        ["一、经济", "", "", "", "", ""],
        ["1", "稳增长", "地区生产总值增长5.5%以上。", "县发展改革局（县统计局）", "县财政局", "12月底"],
        ["2", "", "一般公共预算收入增长3%。", "县财政局", "县税务局\n各镇街", "12月底"],
        ["二、民生", "", "", "", "", ""],
        ["★3", "", "新建学校5所。", "县教育局", "", "9月底前"],
    ]
    table = document.add_table(rows=len(rows), cols=6)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            table.cell(r, c).text = cell
    for first, last in [((0, 3), (0, 4)), ((3, 1), (4, 1)), ((2, 0), (2, 5)), ((5, 0), (5, 5))]:
        kept = table.cell(*first).text
        table.cell(*first).merge(table.cell(*last)).text = kept
    for column in (0, 1, 2, 5):
        kept = table.cell(0, column).text
        table.cell(0, column).merge(table.cell(1, column)).text = kept
    document.save(str(path))
    return path


def test_word_numbers_boxes_insertions_and_notes_are_read(tmp_path):
    document = docx.Document()
    document.add_paragraph("新建学校5所。", style="List Number")
    second = document.add_paragraph("修路", style="List Number")
    second._p.append(parse_xml(f"<w:ins {nsdecls('w')}><w:r><w:t>10公里</w:t></w:r></w:ins>"))
    second._p.append(parse_xml(f"<w:del {nsdecls('w')}><w:r><w:delText>20公里</w:delText></w:r></w:del>"))
    box = parse_xml(
        f"<w:r {nsdecls('w')}><w:pict><w:txbxContent><w:p><w:r><w:t>附注</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>"
    )
    second._p.append(box)
    document.save(str(tmp_path / "plan.docx"))
    assert read(tmp_path / "plan.docx") == [Line("1.新建学校5所。"), Line("2.修路10公里"), Line("附注")]


def test_the_plan_reads_the_same_from_word_and_pdf(tmp_path):
    lines = SEED.read_text("utf-8").replace("·", "").splitlines()[1:]  # the PDF's font has no such dot
    (tmp_path / "plan.txt").write_text("\n".join(lines), encoding="utf-8")
    document = docx.Document()
    for line in lines:
        document.add_paragraph(line)
    document.save(str(tmp_path / "plan.docx"))
    a_pdf(tmp_path / "plan.pdf", [Paragraph(line, BODY) for line in lines])
    wanted = [(e.item.text, e.lead, e.responsible, e.commitments) for e in import_plan(tmp_path / "plan.txt").entries]
    for name in ("plan.docx", "plan.pdf"):
        found = import_plan(tmp_path / name).entries
        assert [(e.item.text, e.lead, e.responsible, e.commitments) for e in found] == wanted
    blocks = read(tmp_path / "plan.pdf")
    assert bare(words(blocks)).endswith("—10——11—")
    assert bare("".join(outline(blocks).pieces)) == bare(words(blocks))


FONT = "STSong-Light"
pdfmetrics.registerFont(UnicodeCIDFont(FONT))
BODY = ParagraphStyle("body", fontName=FONT, fontSize=12, leading=20, firstLineIndent=24, wordWrap="CJK")
CELL = ParagraphStyle("cell", fontName=FONT, fontSize=10, leading=14, wordWrap="CJK")


def a_pdf(path, story):
    def number(canvas, page):
        canvas.setFont(FONT, 9)
        canvas.drawCentredString(300, 30, f"— {page.page} —")

    SimpleDocTemplate(str(path), pagesize=A4).build(story, onFirstPage=number, onLaterPages=number)


def test_pdf_tables_join_wrapped_words_and_go_on_over_the_page(tmp_path):
    title = ["序号", "重点任务", "具体举措", "牵头单位", "配合单位", "完成时限"]
    rows = [
        title,
        [
            "1",
            "稳增长",
            "地区生产总值增长5.5%以上。",
            "县发展改革局（县统计局）",
            "县工业和信息化局、县财政局",
            "12月底",
        ],
    ]
    rows += [
        [str(n), "", "新建县城和乡镇的标准化幼儿园2所。", "县教育局", "县财政局、各镇街", "9月底前"]
        for n in range(2, 31)
    ]
    cells = [[Paragraph(cell, CELL) for cell in row] for row in rows]
    grid = Grid(cells, colWidths=[40, 60, 130, 70, 80, 60], repeatRows=1)
    grid.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (1, 1), (1, 3))]))
    a_pdf(tmp_path / "plan.pdf", [Paragraph("某县2025年重点工作分解表", BODY), grid])
    (_, table, *_) = read(tmp_path / "plan.pdf")
    assert isinstance(table, Table)
    assert table.rows[2][1] is None
    entries = import_plan(tmp_path / "plan.pdf").entries
    assert [entry.item.number for entry in entries] == list(range(1, 31))
    assert (entries[0].lead, entries[0].responsible) == (
        ("县发展改革局（县统计局）",),
        ("县工业和信息化局", "县财政局"),
    )
    assert {(e.lead, e.responsible) for e in entries[1:]} == {(("县教育局",), ("县财政局", "各镇街"))}
    assert {(e.commitments[0].value, e.commitments[0].unit) for e in entries[1:]} == {(2, "所")}
