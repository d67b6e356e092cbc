"""One sentence, its numbers: object, direction, value, unit, measure; and the numbers that promise nothing."""

import pytest

from rules.importing.commitment import findings
from rules.importing.doubt import Doubt
from rules.importing.passed import Passed


def numbers(text, year=2025):
    return [(c.name, c.op.value, c.value, c.unit, c.measure.value) for c in findings(text, year).commitments]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("地区生产总值增长6%以上。", ("地区生产总值增速", ">=", 6, "%", "growth")),
        ("居民消费价格涨幅3％左右", ("居民消费价格增速", "about", 3, "%", "growth")),
        ("城镇调查失业率控制在5.5%以内", ("城镇调查失业率", "<=", 5.5, "%", "ceiling")),
        ("单位GDP能耗下降２.５%", ("单位GDP能耗降幅", ">=", 2.5, "%", "reduction")),
        ("高新技术企业突破75家", ("高新技术企业", ">", 75, "家", "level")),
        ("新建2座人行天桥", ("新建人行天桥", ">=", 2, "座", "cumulative")),
        ("城区再新建1个农贸市场", ("新建农贸市场", ">=", 1, "个", "cumulative")),
        ("完成1.4万户乡村“美丽庭院”建设", ("乡村“美丽庭院”建设", ">=", 14000, "户", "cumulative")),
        ("为不少于2.5万名妇女提供免费检查", ("妇女提供免费检查", ">=", 25000, "名", "cumulative")),
        ("农村贫困人口减少60万以上", ("农村贫困人口", ">=", 60, "万人", "cumulative")),
        ("耕地保有量不低于12.6万亩", ("耕地保有量", ">=", 12.6, "万亩", "floor")),
        ("空气质量优良天数338天以上", ("空气质量优良天数", ">=", 338, "天", "good-days")),
        ("PM2.5平均浓度不高于33微克/立方米", ("PM2.5平均浓度", "<=", 33, "微克/立方米", "ceiling")),
        ("普及率提高3个百分点", ("普及率提高", ">=", 3, "个百分点", "growth")),
        ("重点部门视联网全覆盖。", ("重点部门视联网", ">=", 100, "%", "share")),
        ("隐债全面清零", ("隐债", "<=", 0, "亿元", "level")),
        ("坚决遏制重特大安全事故", ("重特大安全事故", "<=", 0, "起", "zero")),
        ("市控断面水质达到或优于Ⅲ类", ("市控断面水质", "<=", 3, "类", "class")),
        ("投入资金1,234万元", ("投入资金", ">=", 1234, "万元", "cumulative")),
        ("主要经济指标实现正增长", ("主要经济指标增速", ">", 0, "%", "growth")),
        ("固定资产投资212亿元", ("固定资产投资", ">=", 212, "亿元", "cumulative")),
        ("居民消费价格指数控制在103.5以内", ("居民消费价格指数", "<=", 103.5, "上年=100", "ceiling")),
        ("开展演出300场次", ("开展演出", ">=", 300, "场次", "cumulative")),
        ("新增智慧感知设备3000路。", ("新增智慧感知设备", ">=", 3000, "路", "cumulative")),
        ("新建三所幼儿园", ("新建幼儿园", ">=", 3, "所", "cumulative")),
        ("参保率百分之九十五以上", ("参保率", ">=", 95, "%", "share")),
        ("审批时限压缩至3个工作日以内", ("审批时限", "<=", 3, "个工作日", "ceiling")),
        ("粮食播种面积稳定在42.5万亩", ("粮食播种面积", ">=", 42.5, "万亩", "level")),
        ("外贸进出口总值稳定在95亿元以上", ("外贸进出口总值", ">=", 95, "亿元", "cumulative")),
        ("城镇登记失业率≤4.5%", ("城镇登记失业率", "<=", 4.5, "%", "ceiling")),
        ("实际到位资金≥90亿元", ("实际到位资金", ">=", 90, "亿元", "cumulative")),
        ("跨境电商交易额实现倍增", ("跨境电商交易额增速", ">=", 100, "%", "growth")),
        ("高频事项办理时限压缩30%", ("高频事项办理时限降幅", ">=", 30, "%", "reduction")),
        ("人均预期寿命79.3岁", ("人均预期寿命", ">=", 79.3, "岁", "level")),
        ("新增光伏装机60万千瓦", ("新增光伏装机", ">=", 60, "万千瓦", "cumulative")),
        ("全年无亡人事故", ("亡人事故", "<=", 0, "起", "zero")),
        ("群众满意度测评位居全区前五", ("群众满意度测评全区位次", "<=", 5, "位", "rank")),
        ("②盘活闲置用地600亩", ("盘活闲置用地", ">=", 600, "亩", "cumulative")),
        ("建成20个“15 分钟就业圈”服务站点", ("建成“15 分钟就业圈”服务站点", ">=", 20, "个", "cumulative")),
        ("完成投资10亿", ("完成投资", ">=", 10, "亿元", "cumulative")),
        ("再生水利用率提高3个百分点", ("再生水利用率提高", ">=", 3, "个百分点", "growth")),
        ("零就业家庭动态“清零”", ("零就业家庭", "<=", 0, "个", "level")),
        ("考核断面水质达标比例保持100%", ("考核断面水质达标比例", ">=", 100, "%", "share")),
        ("城镇登记失业率保持在4%", ("城镇登记失业率", "<=", 4, "%", "ceiling")),
    ],
)
def test_a_number_is_read_with_its_object_direction_unit_and_kind(text, found):
    assert numbers(text) == [found]


def test_several_numbers_of_one_sentence_are_several_promises():
    found = numbers("确保高新技术企业突破75家、科技型企业达到780家,改造老旧小区8个、55万平方米")
    assert [(name, value, unit) for name, _, value, unit, _ in found] == [
        ("高新技术企业", 75, "家"),
        ("科技型企业", 780, "家"),
        ("改造老旧小区", 8, "个"),
        ("改造老旧小区（万平方米）", 55, "万平方米"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("工业用电量达到58亿千瓦时，同比增长5%", [("工业用电量", 58), ("工业用电量增速", 5)]),
        ("地区生产总值增长6.5%左右，力争突破480亿元", [("地区生产总值增速", 6.5), ("地区生产总值", 480)]),
        ("第三产业比重提高0.8个百分点，达到52.3%", [("第三产业比重提高", 0.8), ("第三产业比重", 52.3)]),
        ("地区生产总值增长6%，力争6.5%", [("地区生产总值增速", 6), ("地区生产总值增速", 6.5)]),
        (
            "接待游客90万人次，旅游收入5亿元，分别增长20%和22%",
            [("接待游客", 90), ("旅游收入", 5), ("接待游客增速", 20), ("旅游收入增速", 22)],
        ),
        ("城乡居民收入分别增长6%、7%", [("城镇居民收入增速", 6), ("农村居民收入增速", 7)]),
        ("“12345”热线办结率、满意率分别达到99%、95%", [("“12345”热线办结率", 99), ("满意率", 95)]),
    ],
)
def test_what_goes_on_with_an_object_has_a_name_of_its_own(text, found):
    assert [(name, value) for name, _, value, _, _ in numbers(text)] == found


def test_a_range_has_two_ends():
    (one,) = findings("经济增长7.5%—8%", 2025).commitments
    assert (one.op.value, one.value, one.upper, one.unit) == ("between", 7.5, 8, "%")


def test_objects_joined_before_one_number_share_it_and_respectively_deals_them_out():
    assert [(n, v) for n, _, v, _, _ in numbers("货运量、货运值均增长10%以上")] == [
        ("货运量增速", 10),
        ("货运值增速", 10),
    ]
    assert [v for _, _, v, _, _ in numbers("一产、二产、三产分别增长4%、8%和7.5%")] == [4, 8, 7.5]


def test_a_rank_is_among_the_first_where_a_verb_says_so():
    assert numbers("综合排名保持全市前3")[0][1:] == ("<=", 3, "位", "rank")
    assert numbers("力争进入全省前十名")[0][1:] == ("<=", 10, "位", "rank")
    assert numbers("前三季度抓紧推进") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("推动年产2000吨金属锂项目落地", Passed.SIZE),
        ("总投资20亿元的新能源项目开工", Passed.SIZE),
        ("推动东方希望100万头生猪养殖项目落地", Passed.SIZE),
        ("做强新能源、新材料2个优势产业", Passed.DESCRIPTION),
        ("全区12个镇街全面推开", Passed.DESCRIPTION),
        ("打造“141”体系", Passed.NAME),
        ("去年已完成45件", Passed.PAST),
        ("2024年新建学校3所", Passed.PAST),
        ("2025年6月前动工", Passed.DATE),
        ("打造15分钟生活圈", Passed.DATE),
        ("退出全国168城市后20位", Passed.NAME),
        ("亿元GDP事故死亡率控制在0.02以内", Passed.NAME),
    ],
)
def test_a_number_that_promises_nothing_is_left_with_its_reason(text, reason):
    found = findings(text, 2025)
    assert found.commitments == []
    assert reason in {left.reason for left in found.left}
    assert all(left.words for left in found.left)


def test_two_units_side_by_side_and_their_size_are_no_promise():
    assert numbers("推动电厂2×100万千瓦“上大压小”") == []


def test_what_another_number_or_year_decides_is_doubtful():
    (like,) = findings("居民收入增长与经济增长同步", 2025).commitments
    assert (like.value, like.doubts, like.doubtful) == (None, {Doubt.REFERENCE}, True)
    (above,) = findings("工业投资增速高于全市平均水平1个百分点以上", 2025).commitments
    assert (above.value, above.words) == (None, "工业投资增速高于全市平均水平1个百分点以上")
    (later,) = findings("到2027年，森林覆盖率达到45%", 2025).commitments
    assert Doubt.OTHER_YEAR in later.doubts
    assert later.doubtful


def test_words_quote_the_document_and_carry_the_confidence():
    (one,) = findings("力争全年ＧＤＰ增长６％以上。", 2025).commitments
    assert one.words == "ＧＤＰ增长６％以上"
    assert one.confidence == 0.98


def test_what_names_no_object_of_its_own_is_of_the_one_before():
    text = "完成投资420亿元，其中一季度完成80亿元、上半年完成210亿元；改造小区68个、惠及1.2万户"
    named = [(name, value) for name, _, value, *_ in numbers(text)]
    assert named == [
        ("完成投资", 420),
        ("完成投资（一季度）", 80),
        ("完成投资（上半年）", 210),
        ("改造小区", 68),
        ("改造小区（惠及）", 12000),
    ]
    named = [name for name, *_ in numbers("新建高标准农田3.2万亩、改造提升1.5万亩")]
    assert named == ["新建高标准农田", "新建高标准农田（改造）"]


@pytest.mark.parametrize("text", ["收入增长4%、力争5%", "收入增长4%，力争达到5%", "收入达到4亿元、冲刺5亿元"])
def test_the_second_of_two_numbers_that_is_only_striven_for_is_doubtful(text):
    first, second = findings(text, 2025).commitments
    assert Doubt.STRETCH not in first.doubts
    assert Doubt.STRETCH in second.doubts
    assert second.doubtful
