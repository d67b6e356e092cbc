"""Who must do it: the many written forms of 牵头单位 and 责任单位, read as roles."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from rules.importing import deadline
from rules.importing.doubt import Doubt
from rules.importing.plain import plain, split_outside


class Role(StrEnum):
    """What a name stands in a plan for."""

    LEAD = "牵头"
    CHARGE = "责任"
    HELP = "配合"
    LEADER = "领导"
    OFFICE = "科室"
    WATCH = "督办"
    DEADLINE = "时限"
    CONTACT = "联系"
    LEAD_AND_PERSON = "牵头和人"
    CHARGE_AND_PERSON = "责任和人"


_MIXED = {Role.LEAD_AND_PERSON: Role.LEAD, Role.CHARGE_AND_PERSON: Role.CHARGE}
"""The role of the units under a title that asks for units and persons in one: 责任单位及责任人."""
_FOR = r"(?:单位|部门|机构|主体|牵头)"
_PERSON = r"(?:领导|负责人|责任人|负责同志|领导同志|人员?|[省市县区镇]长)"
_LEADERS = rf"(?:(?:牵头|责任|分管|包保|包抓|挂钩|挂牌|挂帅|联系|督导|主管|协管|主要|第一|直接|具体|负责|任务|[省市县区镇]级?)+{_PERSON}|责任人|负责人)"
_OFFICES = r"(?:(?:总?牵头|主办|主责|责任|落实|实施|承办|负责)*(?:单位|部门|机构|主体))"
_BOTH = rf"(?:{_OFFICES}[及和与、/(](?:{_LEADERS}|{_PERSON})\)?|{_LEADERS}[及和与、/(]{_OFFICES}\)?)"
_LABELS = (
    (Role.LEAD_AND_PERSON, rf"(?=[^:]{{0,8}}(?:牵头|主办|主责)){_BOTH}"),
    (Role.CHARGE_AND_PERSON, _BOTH),
    (Role.DEADLINE, r"(?:(?:计划|预计)?(?:完成|办结|办理|整改|推进|实施)?(?:时限|期限)(?:要求)?|(?:计划|预计)?(?:完成|办结|推进|实施)时间|时间(?:节点|要求|安排|进度)|(?:工作)?进度安排|工作进度)"),
    (Role.OFFICE, r"(?:责任|牵头|承办|配合|落实|主办)(?:科室|处室|股室|站所|科|处|股)(?:\(单位\))?"),
    (Role.CONTACT, r"联系人"),
    (Role.LEADER, _LEADERS),
    (Role.WATCH, rf"(?:督办|督查|督导|监督|监管|监考|考核|验收)(?:责任)?{_FOR}"),
    (Role.LEAD, rf"(?:(?:总?牵头|主办|主责|主抓|主管|第一责任|首要责任|主要责任|主要负责)(?:负责|责任|实施|组织实施)*{_FOR}|牵头|主办|总?牵头负责)"),
    (Role.HELP, rf"(?:(?:配合|协办|协助|协同|协作|参与|参加|支持|会办|成员|协管)(?:责任|落实|实施)?{_FOR}|配合|协办|参与)"),
    (Role.CHARGE, rf"(?:(?:责任|落实|实施|承担|组织实施|承办|执行|具体|项目|建设|业主|负责|完成|责任落实)+{_FOR}|责任|负责)"),
)  # fmt: skip
_ANY = "|".join(f"(?P<{role.name}>{pattern})" for role, pattern in _LABELS)
_OPEN = r"[\[【(]?\s*"
LABEL = re.compile(
    rf"(?:[\[【]\s*(?:{_ANY.replace('(?P<', '(?P<A')})\s*[\]】]\s*[::]?|(?:{_ANY})(?:[及和、/][\u4e00-\u9fff]{{2,6}})?(?:\s*\([^()]{{0,12}}\))?\s*:)\s*"
)
_HEADER = re.compile(rf"(?:{_ANY})")

_PREDICATE = re.compile(
    r"(?P<charge>(?:按照?)?(?:各自)?(?:职责|职能)?(?:分工)?(?:分别|共同|具体|全面|联合|统筹|组织|总体)*负责(?:落实|实施|推进|组织实施)?(?:工作)?|组织实施|(?:分别|共同|抓好)?落实|承办|实施)$"
    r"|(?P<lead>(?:总|共同|联合|分别)?牵头(?:负责|组织|落实|抓总|推进|实施|组织实施)*|主办|主责|抓总)$"
    r"|(?P<help>(?:积极|共同|协同|协助|支持|分工)*(?:配合|参与|参加|协助|协同|协办|支持)(?:负责|落实|实施|推进)?)$"
)
_PREDICATE_ROLE = {"lead": Role.LEAD, "charge": Role.CHARGE, "help": Role.HELP}
_POST = r"(?:省长|市长|县长|区长|镇长|旗长|州长|盟长|秘书长|书记|主任|局长|同志|领导|常委|主席|部长)"
_LEADER_NAME = re.compile(rf"{_POST}$")
_HAN = r"[\u4e00-\u9fff·]"
_BESIDE = re.compile(rf"(?:[省市县区]委)?(?:常务)?副?{_POST}{_HAN}{{0,4}}|.+{_PERSON}|{_HAN}{{2,4}}(?<![科股室组班])")
"""A person named beside a unit: by a post, or by a name of two to four characters."""
_STRONG = (
    r"局|委|办|厅|署|办公室|委员会|管委会|指挥部|领导小组|工作组|专班|中心|公司|集团|政府|法院|检察院|部门|单位|支队|大队|总队|办事处|街道|"
    r"镇街|街镇|乡镇|镇|乡|工商联|残联|妇联|科协|文联|侨联|社科联|贸促会|工会|总工会|团[省市县区]?委|供销(?:合作)?社|联社|党校|"
    r"[省市县区委州]办|(?:组织|宣传|统战|武装|工作)部|部|院|处|所|站|馆|队|社|银行|支行|分行|学校|大学|学院|医院|企业|各?县市区|区县|市州|州市|园区|开发区|高新区|"
    r"新区|示范区|度假区|街|局属|协会|联合会|供电|电力|邮政|电信|移动|联通|铁塔"
)
_UNIT = re.compile(
    rf"^(?:各|有关|相关|其他|市级|县级|区级|省级|属地|驻|全体|中央|国家)*.{{0,24}}(?:{_STRONG})(?:\(.{{1,40}}\))?$|^各.{{1,14}}$|^(?:有关|相关|属地).{{1,10}}$"
)
_SPLIT_AFTER = re.compile(
    r"(?<=[局委办厅心司府院])(?:和|及|以及|与|会同)(?=[\u4e00-\u9fff]{2})|(?<=[\u4e00-\u9fff]{2})(?:以及|会同)(?=[\u4e00-\u9fff]{2})|(?<=部门|单位|街道|有关)及(?=[\u4e00-\u9fff]{2})"
)
_KINDS = re.compile(r"各(?:[省市县区州旗镇乡街](?:、|道、))+(?=[省市县区州旗镇乡街])")
_MARK = re.compile(r"^(?P<name>.+?)\(\s*(?P<mark>牵头(?:单位|部门)?|主办|主责|负责|责任|配合|协办|参与)\s*\)$")


class Named(NamedTuple):
    role: Role
    name: str


@dataclass
class Duty:
    """Names by role, as written, with the words they came from."""

    names: list[Named] = field(default_factory=list)
    deadlines: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    doubts: set[Doubt] = field(default_factory=set)
    also: list[str] = field(default_factory=list)
    """Units that the document adds once to every item."""

    def of(self, *roles: Role) -> tuple[str, ...]:
        """Names in these roles, each once, in order."""
        return tuple(dict.fromkeys(name for role, name in self.names if role in roles))

    def take(self, role: Role, text: str) -> None:
        """Those whom a list names, and by when, where it says so too."""
        for one in _named(role, text):
            if _is_time(one.name):
                self.deadlines.append(one.name)
            else:
                self.names.append(one)

    def add(self, other: "Duty") -> None:
        self.names += other.names
        self.deadlines += other.deadlines
        self.words += other.words
        self.doubts |= other.doubts

    def settled(self, first_leads: bool) -> tuple[tuple[str, ...], tuple[str, ...], set[Doubt]]:
        """Lead and responsible units, and what is doubtful about them.

        Where nobody leads by name: those in charge (of a town: its offices) lead if others only help; a single one leads;
        of several the first leads, which is doubtful unless the document says so.
        """
        lead, help_ = self.of(Role.LEAD), self.of(Role.HELP)
        charge = self.of(Role.CHARGE) or (() if lead or help_ else self.of(Role.OFFICE))
        doubts = set(self.doubts)
        if not lead:
            if not charge:
                lead, charge = help_[:1], ()
                doubts.add(Doubt.NO_LEAD)
            elif len(charge) == 1 or (help_ and not first_leads):
                lead, charge = charge, ()
            else:
                lead, charge = charge[:1], charge[1:]
                if not first_leads:
                    doubts.add(Doubt.FIRST_AS_LEAD)
        if any(not looks_like_unit(name) for name in (*lead, *charge, *help_)):
            doubts.add(Doubt.ODD_UNIT)
        return lead, tuple(one for one in dict.fromkeys((*charge, *help_, *self.also)) if one not in lead), doubts


def role_of(header: str) -> Role | None:
    """The role that a column's title names: 责任单位, 完成时限."""
    whole = re.sub(r"\s", "", plain(header))
    flat = re.sub(r"\(.*?\)", "", whole)
    found = _HEADER.fullmatch(whole) or _HEADER.fullmatch(flat)
    if found is None and (several := re.fullmatch(r"(.{2,6})[及和、/与](.{2,8})", flat)):
        return role_of(several[1]) or role_of(several[2])
    return Role[found.lastgroup] if found and found.lastgroup else None


def looks_like_unit(name: str) -> bool:
    """Whether a name reads like an office's."""
    return bool(_UNIT.match(plain(name).strip())) and not re.search(r"[。;:!?\d%]", plain(name))


def _is_time(text: str) -> bool:
    return len(text) <= 24 and not looks_like_unit(text) and bool(deadline.read(text))


def units(text: str) -> list[str]:
    """The names of a list: 、 and commas outside brackets, blanks, and 和 or 及 after a whole name part them."""
    flat = _KINDS.sub(lambda m: m[0].replace("、", "·"), plain(text))
    found: list[str] = []
    for start, end in split_outside(flat, "、,;。/\n"):
        part = text[start:end].strip(" \t。.;；:：")
        part = re.sub(
            r"(?<=[\u4e00-\u9fff)）])等(?:\d*个?)?(?:有关|相关|市级|县级|区级|省级|其他)*(?:部门|单位|地方|企业)?(?:和单位)?$",
            "",
            part,
        )
        for one in _SPLIT_AFTER.split(part):
            blank = one.split()
            found += (
                blank
                if len(blank) > 1 and all(looks_like_unit(name) or _is_time(name) for name in blank)
                else ["".join(blank)]
            )
    return [one.removeprefix("由") for one in found if one and one not in ("等", "无", "/", "—", "-")]


def column(role: Role, cell: str) -> Duty:
    """What a table's cell under a role's title says."""
    duty = Duty(words=[cell])
    flat = plain(cell)
    if role is Role.DEADLINE:
        duty.deadlines.append(cell)
    elif LABEL.search(flat):
        duty = labelled(cell) or duty
    elif _PREDICATE.search(flat) and (spoken := sentence(cell)):
        duty = spoken
    else:
        duty.take(role, cell)
    return duty


def labelled(text: str) -> Duty | None:
    """``牵头单位:A;责任单位:B、C``: the text from its first label on; None where it has none."""
    flat = plain(text)
    found = list(LABEL.finditer(flat))
    if not found:
        return None
    duty = Duty(words=[text])
    for here, following in zip(found, [*found[1:], None], strict=True):
        role = (
            Role[next(name for name in (here.lastgroup or "",) if name).removeprefix("A")] if here.lastgroup else None
        )
        assert role is not None
        end = following.start() if following else len(text)
        value = text[here.end() : end].strip(" \t,，;；。、()（）[]【】")
        closing = text[here.end() : end].strip(" \t,，;；。、")
        value = (
            closing if closing.count("(") + closing.count("（") == closing.count(")") + closing.count("）") else value
        )
        if role is Role.DEADLINE:
            duty.deadlines.append(value)
        elif _PREDICATE.search(plain(value)) and (spoken := sentence(value)):
            duty.names += spoken.names
        else:
            duty.take(role, value)
    # Whom to ask is not who must do it.
    return duty if duty.deadlines or any(role is not Role.CONTACT for role, _ in duty.names) else None


def sentence(text: str) -> Duty | None:
    """``A局牵头,B局、C局配合``, ``由A局会同B局负责``: None where it says nobody does anything."""
    flat = plain(text).rstrip(" 。.;")
    duty = Duty(words=[text])
    waiting: list[str] = []
    last: Role | None = None
    for start, end in split_outside(flat, ",;。\n"):
        clause = text[start:end].strip()
        found = _PREDICATE.search(plain(clause))
        if found is None:
            if _is_time(clause):
                duty.deadlines.append(clause)
            else:
                waiting.append(clause)
            continue
        role = _PREDICATE_ROLE[found.lastgroup or "charge"]
        who = clause[: found.start()].removeprefix("由").removeprefix("请")
        joint = re.split(r"(?<=[\u4e00-\u9fff]{2})(?:牵头会同|牵头、?|会同)(?=[\u4e00-\u9fff]{2})", who, maxsplit=1)
        if len(joint) == 2:
            duty.names += [*_named(Role.LEAD, "、".join([*waiting, joint[0]])), *_named(Role.CHARGE, joint[1])]
        elif who.strip():
            duty.names += _named(role, "、".join([*waiting, who]))
        elif waiting:
            duty.names += _named(role, "、".join(waiting))
        waiting, last = [], role
    if last is None or not duty.names:
        return None
    if waiting:
        duty.names += _named(Role.HELP if last is Role.HELP else Role.CHARGE, "、".join(waiting))
    return duty


def bracketed(inner: str, at_end: bool) -> Duty | None:
    """What stands in a pair of brackets, where it names units: by label, by predicate, or at the end as a bare list."""
    flat = plain(inner)
    if LABEL.match(flat):
        return labelled(inner)
    if len(flat) > 3 and (spoken := sentence(inner)) and _mostly_units(spoken):
        return spoken
    if at_end:
        names = units(inner)
        if names and all(len(name) > 2 and looks_like_unit(name) for name in names):
            return Duty(list(_named(Role.CHARGE, inner)), words=[inner])
    return None


def spoken(text: str) -> Duty | None:
    """A whole sentence without label or brackets that only says who does it."""
    flat = plain(text).strip(" 。.;")
    if len(flat) > 200 or re.search(r"[:%]", flat):
        return None
    found = sentence(text)
    # What begins with 由 can hardly be a part of the task, should one of the names be an odd one.
    return found if found and (all(_like_units(found)) or (flat[0] == "由" and _mostly_units(found))) else None


def _mostly_units(duty: Duty) -> bool:
    like = _like_units(duty)
    return sum(like) * 2 >= len(like)


def _like_units(duty: Duty) -> list[bool]:
    return [looks_like_unit(name) or bool(_LEADER_NAME.search(name)) for _, name in duty.names]


def _mixed(role: Role, text: str) -> Iterator[Named]:
    """Units and persons named together: ``县教育局 张三、县财政局（李四）``."""
    whole = re.sub(rf"(?<!{_HAN})({_HAN})\s+({_HAN})(?!{_HAN})", r"\1\2", text)  # 张　三
    for start, end in split_outside(plain(whole), "、,;:/ \t\n"):
        name = whole[start:end].strip("。.")
        two = re.fullmatch(rf"(.+)\((.+)\)|(.+(?:{_STRONG}))(?!长)((?:副?{_POST})?{_HAN}{{2,3}})", plain(name))
        beside = [one for one in two.groups() if one] if two and not _MARK.match(plain(name)) else []
        if _person(name):
            yield Named(Role.LEADER, name)
        elif any(map(_person, beside)) and any(map(looks_like_unit, beside)):
            yield from (Named(Role.LEADER if _person(one) else role, one) for one in beside)
        else:
            yield from _named(role, name)


def _person(name: str) -> bool:
    return not looks_like_unit(name) and bool(_BESIDE.fullmatch(name))


def _named(role: Role, text: str) -> Iterator[Named]:
    if role in _MIXED:
        yield from _mixed(_MIXED[role], text)
        return
    for name in units(text):
        marked = _MARK.match(plain(name))
        if marked:
            mark = marked["mark"]
            own = (
                Role.LEAD
                if mark[:2] in ("牵头", "主办", "主责")
                else Role.HELP
                if mark[:2] in ("配合", "协办", "参与")
                else role
            )
            yield Named(own, name[: marked.end("name")])
        elif _LEADER_NAME.search(plain(name)) and role in (Role.LEAD, Role.CHARGE, Role.HELP):
            yield Named(Role.LEADER, name)
        else:
            yield Named(role, name)
