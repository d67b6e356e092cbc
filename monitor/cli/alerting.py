"""Commands about alerts and messages: alerts, deliveries, silence, route, drill."""

from typing import Annotated, Any

from monitor.cli.command import Argument, Command, Option, UsageError
from monitor.cli.options import AsJson, At, By, Config, in_force, json_text, settings, short, shown, word

alerting = Command()


@alerting.command()
def alerts(
    config: Config = None,
    book: Annotated[str | None, Option("--book", "只列这一册")] = None,
    target: Annotated[str | None, Option("--target", "只列这一目标，写编号")] = None,
    state: Annotated[str | None, Option("--state", "pending 观察、firing 预警或 resolved 已解除")] = None,
    since: Annotated[str | None, Option("--since", "只列此日以后有变动的，如 2025-10-01")] = None,
    as_json: AsJson = False,
) -> None:
    """列出预警，含已解除的，及其每一次变动：时间、缘由、级别、数值。"""
    from alerts.alert import State
    from monitor.records import alerts as found

    rows = found(settings(config), book, target, word(State, state, "--state"), since)
    print(json_text(rows) if as_json else _alerts_text(rows))


@alerting.command()
def deliveries(
    config: Config = None,
    state: Annotated[
        str | None, Option("--state", "queued 待发、sending 正在发送、sent 已送达、dead 未能送达或 suppressed 缓发")
    ] = None,
    channel: Annotated[str | None, Option("--channel", "只列这一渠道")] = None,
    receiver: Annotated[str | None, Option("--receiver", "只列发给这一单位的")] = None,
    limit: Annotated[int, Option("--limit", "最多列出多少条，最近的在前；0 为全部", least=0)] = 100,
    as_json: AsJson = False,
) -> None:
    """列出消息及其历次投递与答复；未能送达的用 redrive 重新投递。"""
    from alerts.delivery import Status
    from monitor.records import deliveries as found

    rows = found(settings(config), word(Status, state, "--state"), channel, receiver, limit or None)
    print(json_text(rows) if as_json else _deliveries_text(rows))


@deliveries.command()
def redrive(
    who: By,
    numbers: Annotated[list[int] | None, Argument("消息的编号，见 duban deliveries --state dead")] = None,
    every: Annotated[bool, Option("--all-dead", "全部未能送达的消息")] = False,
    config: Config = None,
) -> None:
    """把未能送达的消息重新排队投递，记下处理人；由守护进程或下一次 tick 发送。"""
    from monitor.records import redrive as queue

    if bool(numbers) == every:
        raise UsageError("请写消息的编号，或写 --all-dead，二者取一 (which)")
    rows = queue(in_force(config), numbers or (), who)
    print(f"已重新排队 {len(rows)} 条\n{_deliveries_text(rows)}" if rows else "没有未能送达的消息")


silence = alerting.group("silence", "静默：暂不发送某些预警消息。")


@silence.command()
def add(
    book: Annotated[str, Option("--book", "目标册")],
    until: Annotated[str, Option("--until", "到何时为止，如 2025-11-30 （当日终）")],
    who: By,
    reason: Annotated[str, Option("--reason", "静默的理由")],
    target: Annotated[str, Option("--target", "只静默这一目标，写编号")] = "",
    subject: Annotated[str, Option("--subject", "只静默这一对象（区县）")] = "",
    section: Annotated[str, Option("--section", "只静默方案的这一章节")] = "",
    unit: Annotated[str, Option("--unit", "只静默须由这一单位处置的预警")] = "",
    label: Annotated[str, Option("--label", "只静默带有这一标签的目标")] = "",
    level: Annotated[str, Option("--level", "yellow 只静默黄色，red 连红色一并静默")] = "yellow",
    config: Config = None,
) -> None:
    """新设静默：消息照记不发，到期后预警仍在的再发。"""
    from monitor.app import open_store
    from monitor.holding import ordered

    parts = {"target": target, "subject": subject, "section": section, "unit": unit, "label": label}
    wanted = {"book": book, **parts, "level": level, "until": until, "who": who, "reason": reason}
    force = in_force(config)
    number = ordered(force, *open_store(force.settings), wanted)
    print(f"已设第{number}号静默")


@silence.command("list")
def list_silences(config: Config = None, as_json: AsJson = False) -> None:
    """列出生效中的静默。"""
    from monitor.app import open_store
    from monitor.holding import PARTS, listed
    from rules.target import Level

    rows = listed(*open_store(settings(config)))
    if as_json:
        print(json_text(rows))
        return
    print(f"静默 {len(rows)} 项")
    for row in rows:
        what = " ".join(filter(None, (row["book"], *(row[part] for part in PARTS), Level[row["level"].upper()].text)))
        print(f"  第{row['id']}号 {what}，至 {shown(row['until'])}，{row['by']}：{row['reason']}")


@silence.command("end")
def end_silence(number: Annotated[int, Argument("静默的编号")], who: By, config: Config = None) -> None:
    """提前结束静默；因此未发而预警仍在的消息随即发送。"""
    from monitor.app import open_store
    from monitor.holding import ended

    ended(*open_store(settings(config)), number, who)
    print(f"已结束第{number}号静默")


route = alerting.group("route", "谁会收到什么。")


@route.command("test")
def try_route(
    target: Annotated[str, Argument("目标，写作 册号/编号，如 wansheng-2025/urban-jobs")],
    level: Annotated[str, Argument("级别：yellow 或 red")],
    config: Config = None,
    at: At = None,
    subject: Annotated[str, Option("--subject", "对象（县、区），册内只有一处时不必写")] = "",
    kind: Annotated[str, Option("--kind", "pace 为进度预警，data 为数据催报")] = "pace",
    as_json: AsJson = False,
) -> None:
    """试一项预警：如一直未解除，此后 30 个工作日内何时告知谁、经何渠道、因何缘由；不发送。"""
    from monitor.route import facts, show, tried

    book, _, name = target.partition("/")
    trial = tried(in_force(config, book), name, level, subject, kind, at)
    if as_json:
        print(json_text(facts(trial)))
    else:
        show(trial)


@alerting.command()
def drill(
    config: Config = None,
    unit: Annotated[
        str | None, Option("--unit", "只发给这一单位或人员；缺省为机构中的全部单位、人员和督办单位")
    ] = None,
    channel: Annotated[str | None, Option("--channel", "只用这一渠道")] = None,
    as_json: AsJson = False,
) -> None:
    """演练：经真实的渠道发出标明“演练”的消息，不计入预警。有一条未送达则退出状态为 1。"""
    from monitor.bulletins import drill as send

    sent, left = send(in_force(config), unit, channel)
    if as_json:
        print(json_text(sent))
    else:
        print(_deliveries_text(sent))
        if left:
            print("守护进程正在运行，由它发送；结果见 duban deliveries")
    if not left and any(row["status"] != "sent" for row in sent):
        raise SystemExit(1)


_UNTOLD = ("noticed", "lapsed", "escalated")
"""What nobody need be told of; higher up nobody is told of what they were told of as it came."""


def _alerts_text(rows: list[dict[str, Any]]) -> str:
    from alerts.alert import State

    lines = [f"预警 {len(rows)} 项"]
    for row in rows:
        lines.append(
            f"[{row['level']}] {row['name']} ({row['alert']})，{'、'.join(row['lead'])}，{State(row['state']).text}"
        )
        for step in row["changes"]:
            lines.append(f"    {shown(step['at'])} {_step_text(step)}")
            if not step["messages"] and step["event"] not in _UNTOLD:
                lines.append("        无人接收 (reaches nobody)，见 duban check")
            late = [one for one in step["messages"] if one["suppressed"]]
            lines += [f"        致 {one['receiver']}（{one['channel']}）{_late_text(one)}" for one in late]
    return "\n".join(lines)


def _step_text(step: dict[str, Any]) -> str:
    from alerts.alert import Cause, Event

    levels = f"{step['previous_level']}→{step['level']}"
    facts = (step["period"], step["figure"], short(step), step["edit"], step["rule"])
    return f"{Event(step['event']).text}（{Cause(step['cause']).text}）{levels}：{'；'.join(filter(None, facts))}"


def _deliveries_text(rows: list[dict[str, Any]]) -> str:
    from alerts.alert import Event
    from alerts.bulletin import Bulletin
    from alerts.delivery import Result, Status

    said = {one.value: one.text for one in (*Event, *Bulletin)}
    lines = [f"消息 {len(rows)} 条"]
    for row in rows:
        way = f"{row['channel']} {row['address']}".strip()
        what = " ".join(dict.fromkeys((said.get(row["about"], row["about"]), said[row["event"]])))
        lines.append(f"第{row['id']}号 [{Status(row['status']).text}] {what} 致 {row['receiver']}（{way}）")
        lines += [
            f"    {shown(one['at'])} {Result(one['result']).text} {one['answer']}".rstrip() for one in row["tries"]
        ]
        if row["suppressed"]:
            lines.append(f"    {_late_text(row)}")
        if row["next_try"] is not None:
            lines.append(f"    下次投递 {shown(row['next_try'])}")
    return "\n".join(lines)


def _late_text(row: dict[str, Any]) -> str:
    """Why a message was not sent at once, and what became of it."""
    from alerts.delivery import Status
    from alerts.suppression import Reason

    told = f"，见第{row['digest']}号" if row["digest"] is not None else ""
    return (
        f"未逐条即时发送：{Reason(row['suppressed']).text} ({row['suppressed']}){told} [{Status(row['status']).text}]"
    )
