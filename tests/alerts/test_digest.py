"""When many messages are told together, and how."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.limits import split
from alerts.digest import MOST, Digest, Turn, budget, compose, digest, sections
from alerts.message import Form, headline, render
from alerts.notice import Notice
from rules.calendar import PUBLISHED
from tests.alerts.builders import data_notice, letter, milestone_notice, pace_notice

AT = datetime.fromisoformat("2025-12-08T09:00:00+08:00")
FORMS = list(Form)


def told(*said, at=AT):
    """The one letter that tells all of ``said``."""
    ((notice, numbers),) = compose(enumerate(said), at)
    assert sorted(numbers) == list(range(len(said)))
    return notice


def yellow(event="fired", **facts):
    return pace_notice(event, **{"level": 1, "judged": 1, **facts})


@pytest.mark.parametrize(
    ("text", "now", "due"),
    [
        ("daily 09:00", "2025-10-24T08:59", "2025-10-24T09:00"),
        ("daily 09:00", "2025-10-24T09:00", "2025-10-27T09:00"),  # over the week-end
        ("daily 09:00 except red", "2025-09-30T10:00", "2025-10-09T09:00"),  # over the national holiday
        ("daily 17:30", "2025-10-10T18:00", "2025-10-11T17:30"),  # a Saturday on which offices worked
        ("weekly monday 09:00", "2025-10-20T10:00", "2025-10-27T09:00"),
        ("weekly monday 09:00", "2025-09-30T10:00", "2025-10-09T09:00"),  # Monday the 6th is a holiday
        ("weekly saturday 09:00", "2025-10-13T10:00", "2025-10-20T09:00"),
        ("weekly wednesday 16:00 except red", "2025-10-13T10:00", "2025-10-15T16:00"),
    ],
)
def test_a_digest_goes_out_at_its_hour_or_on_the_next_working_day(text, now, due):
    found = digest(text).following(datetime.fromisoformat(f"{now}:00+08:00"), PUBLISHED)
    assert found == datetime.fromisoformat(f"{due}:00+08:00")


YEARS = st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 20))  # noqa: DTZ001


@given(YEARS, st.times(), st.none() | st.integers(0, 6))
def test_the_next_digest_is_on_a_working_day_and_comes_soon(local, at, weekday):
    wanted = Digest(at, weekday)
    due = wanted.following(local, PUBLISHED)
    assert local < due <= local + timedelta(days=18)
    assert PUBLISHED.include(due.date())
    assert due.time() == at
    between = wanted.following(local + (due - local) / 2, PUBLISHED)
    assert between == due


@pytest.mark.parametrize(
    "text", ["", "daily", "weekly 09:00", "weekly 1 09:00", "weekly funday 09:00", "daily 24:00", "daily 09:00 except"]
)
def test_a_digest_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="bad digest"):
        digest(text)


@pytest.mark.parametrize("text", ["", "0 a week", "20", "20 a day", "-1 a week", "20 a week except yellow"])
def test_a_budget_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="bad budget"):
        budget(text)


@pytest.mark.parametrize(
    ("said", "turn", "line"),
    [
        (
            [yellow()],
            Turn.RAISED,
            "【新增】城镇新增就业（人力社保局）：截至2025年9月为2576人，比时序进度少799人（低于应完成数23.67%）",
        ),
        (
            [yellow(), pace_notice("worsened", previous_level=1, level=2)],
            Turn.RAISED,
            "【新增】城镇新增就业（人力社保局）：截至2025年9月为2576人，比时序进度少799人（低于应完成数23.67%）",
        ),
        (
            [pace_notice("worsened", previous_level=1, level=2)],
            Turn.WORSENED,
            "【升级】城镇新增就业（人力社保局）：由黄色升为红色，截至2025年9月为2576人，比时序进度少799人（低于应完成数23.67%）",
        ),
        (
            [yellow(), pace_notice("resolved", previous_level=1)],
            Turn.PASSED,
            "【新增并解除】城镇新增就业（人力社保局）：截至2025年11月为4180人，黄色预警已解除",
        ),
        (
            [pace_notice("eased"), pace_notice("resolved", previous_level=1)],
            Turn.RESOLVED,
            "【解除】城镇新增就业（人力社保局）：截至2025年11月为4180人，原红色预警解除",
        ),
        (
            [pace_notice("resolved", previous_level=1), yellow()],
            Turn.RAISED,
            "【新增】城镇新增就业（人力社保局）：截至2025年9月为2576人，比时序进度少799人（低于应完成数23.67%）",
        ),
        (
            [pace_notice("reminded")],
            Turn.REMINDED,
            "【催办】城镇新增就业（人力社保局）：截至2025年9月为2576人，比时序进度少799人（低于应完成数23.67%），已满5个工作日仍未解除",
        ),
        (
            [pace_notice("withdrawn")],
            Turn.RESOLVED,
            "【解除】城镇新增就业（人力社保局）：已从目标册中删去，原红色预警撤销",
        ),
        (
            [pace_notice("corrected past")],
            Turn.CORRECTED,
            "【更正】城镇新增就业（人力社保局）：2025年9月数由3200人修订为3900人，2025年10月15日所发黄色预警更正为不构成预警",
        ),
        (
            [pace_notice("edited")],
            Turn.RESOLVED,
            (
                "【解除】城镇新增就业（人力社保局）：截至2025年9月为3200人，"
                "黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过10%”，原黄色预警解除"
            ),
        ),
        (
            [yellow(), pace_notice("edited")],
            Turn.PASSED,
            (
                "【新增并解除】城镇新增就业（人力社保局）：截至2025年9月为3200人，"
                "黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过10%”，黄色预警已解除"
            ),
        ),
        (
            [data_notice("resolved", edit="报送时限由“期末后10个工作日内”改为“期末后30个工作日内”")],
            Turn.RESOLVED,
            "【解除】城镇新增就业（人力社保局）：报送时限由“期末后10个工作日内”改为“期末后30个工作日内”，不再催报",
        ),
        ([data_notice()], Turn.RAISED, "【新增】城镇新增就业（人力社保局）：2025年9月数据逾期未报"),
        (
            [data_notice("resolved")],
            Turn.RESOLVED,
            "【解除】城镇新增就业（人力社保局）：截至2025年9月为2576人，不再催报",
        ),
    ],
)
def test_all_that_happened_to_an_alert_is_one_line(said, turn, line):
    notice = told(*said)
    (one,) = notice.told
    assert one.turn == turn
    shown = render(letter(notice), Form.TEXT)
    assert f"  1. {line}\n" in shown.body
    assert "〔演示数据〕" in shown.title  # said once, where it holds for all


def test_the_conclusion_comes_first_then_the_worst_then_by_book_and_section():
    notice = told(
        yellow(target="y", name="投资"),
        pace_notice(target="r", name="就业"),
        data_notice(target="d", name="工业"),
        pace_notice("resolved", target="g", name="出口"),
        pace_notice(target="n", book="a", book_title="全国方案", name="粮食", section="", mark=""),
        milestone_notice(),
    )
    title, body = render(letter(notice), Form.TEXT)
    assert title == "【督办汇总】2025年12月8日：新增5项（红色2项、黄色2项、催报1项）、解除1项"
    assert body.startswith(
        "截至2025年12月8日 09:00，新增5项（红色2项、黄色2项、催报1项）、解除1项。\n\n红色预警（2项）\n《全国方案》\n"
    )
    places = [body.index(words) for words in ("粮食", "就业（", "投资", "城市更新", "工业", "出口", "发送缘由")]
    assert places == sorted(places)
    assert "〔演示数据〕就业" in body
    assert [(what, plan, len(mine)) for what, plan, mine in sections(notice.told)][:2] == [
        ("红色预警", "《全国方案》", 1),
        ("红色预警", "《2025年管委会工作报告目标任务分解方案》一、主要预期目标", 1),
    ]
    assert headline(letter(notice)).tone == "red"


def test_places_of_one_target_are_told_in_the_order_of_the_book():
    said = told(*(pace_notice(subject=place, target=target) for target in "ab" for place in ("甲县", "乙县", "丙县")))
    assert [(one.target, one.subject) for one in said.told] == [
        (target, place) for target in "ab" for place in ("甲县", "乙县", "丙县")
    ]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_every_alert(form):
    names = [f"目标{number:02}" for number in range(MOST)]
    notice = told(*(yellow(target=name, name=name) for name in names))
    body = render(letter(notice), form).body
    assert [name for name in names if body.count(name) != 1] == []
    assert notice == Notice.of(notice.facts())


@pytest.mark.parametrize("form", [Form.DINGTALK, Form.WECOM, Form.FEISHU])
def test_a_chat_cuts_a_digest_between_alerts(form):
    notice = told(*(yellow(target=f"t{number}", name=f"目标{number:02}") for number in range(MOST)))
    parts = split(render(letter(notice), form).body.strip(), 2000)
    assert len(parts) > 3
    lines = [line for part in parts for line in part.splitlines() if "目标" in line and "新增】" in line]
    assert len(lines) == MOST
    assert all("低于应完成数" in line and "……" not in line for line in lines)


def test_a_chat_begins_the_alerts_right_after_the_conclusion():
    notice = told(*(yellow(target=f"t{number}", name=f"目标{number:02}") for number in range(MOST)))
    body = render(letter(notice), Form.WECOM).body.strip()
    parts = split(body, 4000)
    assert "目标00" in parts[0]
    assert len(parts) == -(-len(body.encode()) // 4000)


def test_many_alerts_go_in_several_letters_that_say_so():
    letters = compose(((number, yellow(target=f"t{number:03}")) for number in range(2 * MOST + 1)), AT)
    assert [len(notice.told) for notice, _ in letters] == [MOST, MOST, 1]
    assert sorted(number for _, numbers in letters for number in numbers) == list(range(2 * MOST + 1))
    titles = [render(letter(notice), Form.TEXT).title for notice, _ in letters]
    assert titles[1] == "【督办汇总】〔演示数据〕2025年12月8日：新增101项（第2封，共3封）"


@pytest.mark.parametrize("form", FORMS)
def test_more_alerts_than_anybody_reads_are_counted_in_one_letter_that_lists_the_worst(form):
    mild = [
        yellow(target=f"y{n:03}", name=f"投资{n:03}", lead=(f"{n % 12}局",), section=f"{n % 2}") for n in range(240)
    ]
    worst = [pace_notice(target=f"r{n}", name=f"就业{n}") for n in range(3)]
    notice = told(*mild, *worst)
    assert [one.name for one in notice.told[:4]] == ["就业0", "就业1", "就业2", "投资000"]
    assert len(notice.told) == MOST
    body = render(letter(notice), form).body
    assert "新增243项（红色3项、黄色240项）。所列为最重的50项。" in body
    for words in (
        "红色预警3项、黄色预警240项",
        "》0120项、",
        "》1120项、",
        "、7局20项，另有3个单位共43项",
        "均已登记，可在督办页面查看",
    ):
        assert words in body
    assert "其余193项" in body
    assert body.count("投资") == MOST - 3


LEVELS = {"fired": (1, 2), "worsened": (2,), "eased": (1,), "resolved": (0,)}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30))
def test_a_digest_tells_every_change_once_and_leaves_each_alert_where_it_stands(moves):
    level, said = dict.fromkeys(range(4), 0), []
    for alert, wanted in moves:
        before, level[alert] = level[alert], wanted
        event = "fired" if not before else "resolved" if not wanted else "worsened" if wanted > before else "eased"
        if wanted != before:
            state = "firing" if wanted else "resolved"
            said.append(
                pace_notice(event, target=f"t{alert}", level=wanted, judged=wanted, previous_level=before, state=state)
            )
    if not said:
        return
    ((notice, numbers),) = compose(enumerate(said), AT)
    assert sorted(numbers) == list(range(len(said)))
    assert {one.target: one.level for one in notice.told} == {one.target: level[int(one.target[1])] for one in said}
    assert len(notice.told) == len({one.target for one in said})
    for one in notice.told:
        first = next(each.previous_level for each in said if each.target == one.target)
        assert (one.turn in (Turn.RAISED, Turn.PASSED)) == (first == 0)
        assert (one.turn in (Turn.RESOLVED, Turn.PASSED)) == (one.level == 0)
        assert render(letter(told(one)), Form.TEXT).body
