"""Who does it, in the forms that plans write."""

import pytest

from rules.importing.doubt import Doubt
from rules.importing.duty import Role, looks_like_unit, units
from rules.importing.outline import outline
from rules.importing.plan import understand
from rules.importing.reading import Line, Table

TASK = "新建学校5所。"


def entry(*lines):
    """Lead, responsible and doubts of the first item of these lines."""
    found = outline([Line(line) for line in lines])
    return found.items[0].duty.settled(found.first_leads)


@pytest.mark.parametrize(
    ("lines", "lead", "responsible"),
    [
        (["1.新建学校5所。", "牵头单位:教育局;", "责任单位:财政局、住建局。"], "教育局", "财政局 住建局"),
        (["1.新建学校5所。", "责任单位：市教育局；配合单位：市财政局、各镇（街道）"], "市教育局", "市财政局 各镇（街道）"),
        (["1.新建学校5所。【责任单位：市教育局】"], "市教育局", ""),
        (["1.新建学校5所。【牵头单位】市教育局【配合单位】市财政局"], "市教育局", "市财政局"),
        (["1.新建学校5所（市教育局牵头，市财政局、市住建局配合）"], "市教育局", "市财政局 市住建局"),
        (["1.新建学校5所。（市教育局牵头，市财政局等按职责分工负责，9月底前完成）"], "市教育局", "市财政局"),
        (["1.新建学校5所。（市教育局负责）"], "市教育局", ""),
        (["1.新建学校5所。（市教育局）"], "市教育局", ""),
        (["1.新建学校5所。由市教育局牵头，市财政局配合。"], "市教育局", "市财政局"),
        (["1.新建学校5所。（市教育局会同市财政局负责）"], "市教育局", "市财政局"),
        (["1.新建学校5所。", "牵头责任单位:市教育局。", "协同责任单位:市财政局等,各县、市、区政府。"], "市教育局", "市财政局 各县、市、区政府"),
        (["1.新建学校5所。", "责任单位：市教育局（牵头）、市财政局"], "市教育局", "市财政局"),
        (["1.新建学校5所。", "主办单位：市教育局 市体育局", "协办单位：市财政局"], "市教育局 市体育局", "市财政局"),
        (["1.新建学校5所。", "牵头单位：市教育局、", "市体育局", "责任单位：各镇街"], "市教育局 市体育局", "各镇街"),
        (["一、市教育局", "1.新建学校5所。", "2.新建幼儿园3所。"], "市教育局", ""),
        (["一、教育（责任单位：市教育局）", "1.新建学校5所。", "2.新建幼儿园3所。"], "市教育局", ""),
    ],
)  # fmt: skip
def test_lead_and_responsible_units_are_read(lines, lead, responsible):
    found = entry(*lines)
    assert " ".join(found[0]) == lead
    assert " ".join(found[1]) == responsible


@pytest.mark.parametrize(
    ("line", "lead", "responsible", "leaders"),
    [
        ("责任单位及责任人：县教育局 张三", "县教育局", "", "张三"),
        ("责任单位及责任人：县教育局　张　三", "县教育局", "", "张三"),
        ("责任单位和责任人：县教育局（张三）、各镇（街道） 李四", "县教育局", "各镇（街道）", "张三 李四"),
        ("责任单位/负责人：县教育局：欧阳修文；张庄镇：李四", "县教育局", "张庄镇", "欧阳修文 李四"),
        ("责任单位（责任人）：县教育局（牵头）、县财政局张三", "县教育局", "县财政局", "张三"),
        ("牵头单位及责任人：县教育局局长张三；配合单位：县财政局", "县教育局", "县财政局", "局长张三"),
        ("责任领导和单位：常务副县长李明 县教育局（基教科）", "县教育局（基教科）", "", "常务副县长李明"),
        ("分管领导及牵头单位：县委副书记王五、县教育局、县财政局", "县教育局 县财政局", "", "县委副书记王五"),
        ("责任人及责任单位：张三（县教育局）", "县教育局", "", "张三"),
        ("牵头单位和责任单位：县教育局、县财政局", "县教育局 县财政局", "", ""),
    ],
)
def test_persons_are_told_from_the_units_that_are_named_with_them(line, lead, responsible, leaders):
    (item,) = outline([Line(f"1.{TASK}"), Line(line)]).items
    found = item.duty.settled(first_leads=True)
    assert tuple(map(" ".join, found[:2])) == (lead, responsible)
    assert " ".join(item.duty.of(Role.LEADER)) == leaders


@pytest.mark.parametrize("title", ["责任单位及责任人", "责任单位（责任人）", "责任领导和单位"])
def test_a_column_of_a_table_may_name_units_and_persons_too(title):
    rows = (("序号", "任务", title), ("1", TASK, "县教育局\n张三"), ("2", "修路10公里。", "李四 县交通局"))
    duties = [item.duty for item in outline([Table(rows)]).items]
    assert [duty.settled(first_leads=True)[0] for duty in duties] == [("县教育局",), ("县交通局",)]
    assert [duty.of(Role.LEADER) for duty in duties] == [("张三",), ("李四",)]


@pytest.mark.parametrize("stop", ["，", "。", " "])
def test_a_time_behind_the_units_is_no_unit(stop):
    (item,) = outline([Line(f"1.{TASK}"), Line(f"责任单位：县教育局、县财政局{stop}9月底前完成")]).items
    assert item.duty.settled(first_leads=True)[:2] == (("县教育局",), ("县财政局",))
    assert item.duty.deadlines == ["9月底前完成"]


def test_of_several_units_in_charge_the_first_leads_doubtfully_unless_the_plan_says_so():
    lines = [f"1.{TASK}", "责任单位：市教育局、市财政局"]
    assert entry(*lines) == (("市教育局",), ("市财政局",), {Doubt.FIRST_AS_LEAD})
    said = "责任单位中，排在第一位的为牵头单位。"
    assert entry(said, *lines) == (("市教育局",), ("市财政局",), set())


def test_who_does_it_may_stand_in_a_last_sentence_with_a_time():
    text = "1.新建学校6所，新增学位3600个。由县教育局牵头，县财政局、某某县支行配合，8月底前完成。"
    (entry,) = understand([Line(text)], "2025年方案").entries
    assert (entry.lead, entry.responsible) == (("县教育局",), ("县财政局", "某某县支行"))
    assert [str(one.day) for one in entry.deadlines] == ["2025-08-31"]
    assert [one.value for one in entry.commitments] == [6, 3600]


def test_several_lead_each_a_part_and_an_office_leads_where_no_unit_is_named():
    text = "1.建设高标准农田20万亩。（市自然资源局、市农业农村局分别牵头）"
    assert understand([Line(text)], "2025年方案").entries[0].lead == ("市自然资源局", "市农业农村局")
    text = "1.建设农田20亩。（牵头领导：刘洋；责任科室：农业农村办公室）"
    (entry,) = understand([Line(text)], "2025年方案").entries
    assert (entry.lead, entry.item.duty.of(Role.LEADER)) == (("农业农村办公室",), ("刘洋",))


def test_an_item_whose_text_begins_with_a_number_is_known_by_the_one_before_it():
    lines = [Line("1.新建学校5所；"), Line("2.7个断面达标率100%；"), Line("3．6座水库完成除险；")]
    plan = understand([Line("一、县水利局"), *lines], "2025年方案")
    assert [entry.item.text for entry in plan.entries] == ["新建学校5所；", "7个断面达标率100%；", "6座水库完成除险；"]


def test_who_does_a_chapter_may_stand_on_lines_under_its_heading():
    text = ["一、打好项目攻坚战", "牵头单位：市发改局", "配合单位：市财政局", "1.实施项目60个。", "2.争取资金15亿元。"]
    plan = understand([Line(one) for one in text], "2025年方案")
    assert [(entry.item.text, entry.lead, entry.responsible) for entry in plan.entries] == [
        ("实施项目60个。", ("市发改局",), ("市财政局",)),
        ("争取资金15亿元。", ("市发改局",), ("市财政局",)),
    ]


def test_a_rule_stated_once_reaches_the_later_items():
    found = outline(
        [
            Line("以下各项任务均需各县（市、区）人民政府落实，不再列出。"),
            Line(f"1.{TASK}（市教育局负责）"),
            Line("2.新建医院1所。（市卫生健康委负责）"),
        ]
    )
    assert [item.duty.settled(found.first_leads)[:2] for item in found.items] == [
        (("市教育局",), ("各县（市、区）人民政府",)),
        (("市卫生健康委",), ("各县（市、区）人民政府",)),
    ]
    assert len(found.rules) == 1


def test_a_default_unit_fills_only_the_items_that_name_none():
    found = outline(
        [
            Line("以下各项任务牵头单位均为市教育局。"),
            Line("一、教育"),
            Line(f"1.{TASK}"),
            Line("2.新建医院1所。（市卫生健康委负责）"),
        ]
    )
    assert [item.duty.settled(found.first_leads)[0] for item in found.items] == [("市教育局",), ("市卫生健康委",)]
    assert Doubt.BY_RULE in found.items[0].duty.doubts


def test_leaders_offices_and_times_are_kept_apart_from_units():
    found = outline(
        [Line(f"1.{TASK}"), Line("责任领导：张三；责任单位：市教育局；责任科室：基教科；完成时限：9月底前")]
    )
    duty = found.items[0].duty
    assert (duty.of(Role.LEADER), duty.of(Role.OFFICE), duty.deadlines) == (("张三",), ("基教科",), ["9月底前"])
    assert duty.settled(first_leads=False)[:2] == (("市教育局",), ())
    spoken = outline([Line(f"1.{TASK}（分管副市长负责，市教育局牵头）")]).items[0].duty
    assert (spoken.of(Role.LEADER), spoken.of(Role.LEAD)) == (("分管副市长",), ("市教育局",))


def test_an_item_without_units_among_others_is_kept_and_doubtful():
    found = outline(
        [Line("一、教育"), Line(f"1.{TASK}（市教育局负责）"), Line("2.新建医院1所。"), Line("3.修路。（市交通局负责）")]
    )
    assert len(found.items) == 3
    assert found.items[1].duty.settled(found.first_leads) == ((), (), {Doubt.NO_LEAD})


def test_one_note_behind_several_points_speaks_for_all_of_them():
    found = outline(
        [Line("1.教育"), Line("（1）新建学校5所；"), Line("（2）新建幼儿园3所。"), Line("责任单位：市教育局")]
    )
    (item,) = found.items
    assert "新建学校5所" in item.text
    assert "新建幼儿园3所" in item.text


def test_of_unnumbered_lines_the_last_is_the_task():
    found = outline(
        [
            Line("2012年实事任务分解"),
            Line("新增学位2.36万个。"),
            Line("责任单位:市教育局"),
            Line("进度安排:6月底前完成"),
        ]
    )
    assert [(item.text, item.duty.deadlines) for item in found.items] == [("新增学位2.36万个。", ["6月底前完成"])]


def test_brackets_that_name_no_unit_stay_in_the_text():
    (item,) = outline([Line("1.新(改)建重庆(万盛)无水港(一期)。"), Line("牵头单位:商务局")]).items
    assert item.text == "新(改)建重庆(万盛)无水港(一期)。"


def test_stars_are_noted_and_numbers_that_start_again_are_counted_on():
    found = outline(
        [Line("一、甲"), Line("★1.修路。（市交通局负责）"), Line("二、乙"), Line("1.架桥。（市交通局负责）")]
    )
    assert [(item.number, item.label, item.starred) for item in found.items] == [(1, "★1.", True), (2, "1.", False)]


def test_a_list_is_parted_only_outside_brackets():
    assert units("市发展和改革委员会、教育局和财政局，各县（市、区）人民政府；市场监管局等部门") == [
        "市发展和改革委员会",
        "教育局",
        "财政局",
        "各县（市、区）人民政府",
        "市场监管局",
    ]


@pytest.mark.parametrize(
    "name", ["市财政局", "各镇街", "相关部门", "县残联", "县护城河指挥部", "团区委", "滨海新区管委会"]
)
def test_names_of_units_are_known_by_their_ends(name):
    assert looks_like_unit(name)


@pytest.mark.parametrize("name", ["新建学校5所", "万盛", "加快推进", "市、区。"])
def test_other_words_are_not_units(name):
    assert not looks_like_unit(name)


def test_a_number_and_the_first_of_its_parts_may_stand_on_one_line():
    found = outline(
        [
            Line("一、工业"),
            Line("4.修路。（市交通局负责）"),
            Line("5.（1）新增企业30家。（市工信局负责）"),
            Line("（2）净增企业80家。（市统计局负责）"),
            Line("6.（1）架桥；（2）修渠。（市水利局负责）"),
        ]
    )
    assert [(one.label, one.section, one.text) for one in found.items] == [
        ("4.", "一、工业", "修路。"),
        ("（1）", "一、工业", "新增企业30家。"),
        ("（2）", "一、工业", "净增企业80家。"),
        ("6.", "一、工业", "（1）架桥；（2）修渠。"),
    ]


def test_whom_to_ask_is_not_who_must_do_it():
    found = outline(
        [
            Line("一、任务"),
            Line(f"1.{TASK}责任单位：县教育局 联系人：王某"),
            Line("二、要求"),
            Line("及时报送，联系人：李某。"),
        ]
    )
    (item,) = found.items
    assert (item.duty.of(Role.CHARGE), item.duty.of(Role.CONTACT)) == (("县教育局",), ("王某",))
