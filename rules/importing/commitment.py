"""The numbers promised in a text: object, direction, value, unit, measure, and the words they were read from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from rules.importing import sentence as words
from rules.importing.doubt import DOUBTFUL, Doubt, confidence
from rules.importing.plain import NUMERAL, number_of, plain, split_outside
from rules.importing.quantity import COUNTS, NAMES, TIMES, quantities
from rules.target import Measure, Op


class Passed(StrEnum):
    """Why a number is no promise."""

    DATE = "date"
    NAME = "name"
    SIZE = "size"
    ATTRIBUTE = "attribute"
    DESCRIPTION = "description"
    PAST = "past"
    BARE = "bare"

    @property
    def text(self) -> str:
        return {
            Passed.DATE: "日期、时长",
            Passed.NAME: "名称中的数",
            Passed.SIZE: "项目的规模",
            Passed.ATTRIBUTE: "修饰另一个数所说的对象",
            Passed.DESCRIPTION: "只作说明",
            Passed.PAST: "已经完成的，或上年的",
            Passed.BARE: "没有计量单位",
        }[self]


@dataclass(frozen=True)
class Commitment:
    """One promised number. ``value`` is None where another number or a task yet to come decides it."""

    name: str
    words: str
    op: Op
    value: float | None
    unit: str
    measure: Measure
    upper: float | None = None
    doubts: frozenset[Doubt] = frozenset()

    @property
    def confidence(self) -> float:
        return confidence(self.doubts)

    @property
    def doubtful(self) -> bool:
        return self.confidence < DOUBTFUL


@dataclass(frozen=True)
class Left:
    """A number that was not taken, and why."""

    words: str
    reason: Passed


@dataclass
class Findings:
    commitments: list[Commitment] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


@dataclass(frozen=True)
class _Fact:
    """Something countable at a place of the sentence: a quantity or words that stand for one."""

    start: int
    end: int
    kind: str
    value: float | None = None
    unit: str = ""
    upper: float | None = None
    chinese: bool = False


_QUOTED = re.compile(r"“[^”]*”|《[^》]*》|「[^」]*」|\"[^\"]*\"")
_CLASS = re.compile(r"(?<!劣)(?P<n>[ⅠⅡⅢⅣⅤ]|I{1,3}|IV|V)类(?:水质|水体|水|标准)*(?:及?以上|标准)?")
_ROMAN = {"Ⅰ": 1, "Ⅱ": 2, "Ⅲ": 3, "Ⅳ": 4, "Ⅴ": 5, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}
_RANK = re.compile(
    rf"(?:前(?P<n>\d{{1,3}}|{NUMERAL})(?!季度|个?月|[年期述款置天届])(?P<s>[位名强列]|(?={words.ENDS[3:-1]}))?|第(?P<m>\d{{1,3}}|[一二三四五六七八九十]+)[位名](?![\u4e00-\u9fff]?书记))"
)
_COVER = re.compile(rf"(?:全覆盖|全面覆盖|100%覆盖|应[建纳接覆]?尽[建纳接覆]){words.ENDS}")
_CLEAR = re.compile(
    rf"(?:清零|归零|为零|“零[^”]{{1,6}}”|零(?:发生|事故|新增|增长|死亡|伤亡|上访|欠薪|案件|失信)){words.ENDS}"
)
_AVOID = re.compile(r"(?:不发生|零发生|不出现|坚决遏制|有效遏制|遏制|杜绝|防止发生|坚决杜绝)")
_DOUBLE = re.compile(r"翻(?:一番|番)|增长[1一]倍")
_POSITIVE = re.compile(r"正增长")
_LIKE = re.compile(
    r"(?:(?:与|同|和).{2,16}?(?:基本同步|保持同步|同步增长|同步|持平|保持一致|相适应)"
    r"|(?:不低于|高于|超过|快于|优于|不高于|低于|好于)(?:全国|全省|全市|全区|全县|全州|上级|国家|省|市|区域|周边)[^,。;]{0,10}?(?:平均水平|平均数|平均|增速|水平|下达[^,。;]{0,6})"
    r"|(?:完成|达到)[^,。;]{0,10}?下达[^,。;]{0,8}?(?:任务|目标|指标)(?:任务|目标|数)?"
    r")(?:\d+(?:\.\d+)?个?百分点(?:以上|左右)?)?"
)


_WHEN = re.compile(r"(?:(?:到|至|截至)?20\d\d年(?:底|末|前|以前)*|去年|上年|明年|过去[^,]{0,6})")
_ENUMERATED = re.compile(r"(?:^|[(\s])\d{1,2}[.、)]")


def findings(text: str, year: int) -> Findings:
    """Every number promised in ``text`` for ``year``, and every number left aside."""
    found = Findings()
    flat = plain(text)
    quoted = [(m.start(), m.end()) for m in _QUOTED.finditer(flat)]
    previous = _Object("", "")
    for start, end in _clauses(flat):
        previous = _Clause(text, flat, start, end, year, quoted, previous).read(found)
        if flat[end : end + 1] in "。!?":
            previous = _Object("", "")
    return found


def _clauses(flat: str) -> Iterator[tuple[int, int]]:
    """Spans between commas, semicolons and stops; a comma within a number parts nothing."""
    start = 0
    for match in re.finditer(r"[;。:!?\n]|,(?!\d{3}(?!\d))", flat):
        if flat[match.start()] == "," and _WHEN.fullmatch(flat[start : match.start()].strip()):
            continue
        yield start, match.start()
        start = match.end()
    if start < len(flat):
        yield start, len(flat)


@dataclass(frozen=True)
class _Object:
    """What a number is of, the verb before it, and its unit: what a bare number behind it is of too."""

    name: str
    verb: str
    unit: str = ""


class _Clause:
    """A clause with its numbers, read from left to right."""

    def __init__(
        self, text: str, flat: str, start: int, end: int, year: int, quoted: list[tuple[int, int]], previous: _Object
    ) -> None:
        self.text, self.flat, self.start, self.end, self.year = text, flat, start, end, year
        self.quoted, self.previous = quoted, previous
        self.words = flat[start:end]
        self.facts = self._facts()

    def _facts(self) -> list[_Fact]:
        """Numbers and words that stand for numbers, none within another."""
        here = self.words
        found = [_Fact(m.start(), m.end(), "like") for m in _LIKE.finditer(here)]
        found += [_Fact(m.start(), m.end(), "cover", 100.0, "%") for m in _COVER.finditer(here)]
        found += [_Fact(m.start(), m.end(), "clear", 0.0) for m in _CLEAR.finditer(here)]
        found += [_Fact(m.start(), m.end(), "double", 100.0, "%") for m in _DOUBLE.finditer(here)]
        found += [_Fact(m.start(), m.end(), "positive", 0.0, "%") for m in _POSITIVE.finditer(here)]
        if re.search("水|断面|河|湖|库", here) and "%" not in here:
            found += [_Fact(m.start(), m.end(), "class", float(_ROMAN[m["n"]]), "类") for m in _CLASS.finditer(here)]
        for m in _RANK.finditer(here):
            if words.RANK_VERB.search(here[max(m.start() - 14, 0) : m.start()]) and here[m.end() : m.end() + 1] != "%":
                found.append(_Fact(m.start(), m.end(), "rank", float(number_of(m["n"] or m["m"])), "位"))
        found += self._avoided(here)
        listed = [(m.start(), m.end()) for m in _ENUMERATED.finditer(here)]
        for q in quantities(here):
            if q.unit == "" and any(a <= q.start < b for a, b in listed):
                continue
            if not any(f.start < q.end and q.start < f.end for f in found):
                found.append(_Fact(q.start, q.end, "number", q.value, q.unit, q.upper, q.chinese))
        return sorted(found, key=lambda fact: fact.start)

    def _avoided(self, here: str) -> Iterator[_Fact]:
        """``坚决遏制较大及以上安全事故``: an event that must not happen, and nothing after it."""
        for verb in _AVOID.finditer(here):
            event = re.match(r"[^,、]{1,24}", here[verb.end() :])
            if event and (last := list(words.EVENT.finditer(event[0]))):
                tail = event[0][last[-1].end() :]
                if tail in ("", "底线", "的底线", "发生"):
                    yield _Fact(verb.start(), verb.end() + last[-1].end(), "avoid", 0.0, "起")

    def read(self, found: Findings) -> _Object:
        """Adds what the clause promises; returns the object that a following bare number would be of."""
        if "分别" in self.words and self._respectively(found):
            return self.previous
        cursor, last = 0, self.previous
        for i, fact in enumerate(self.facts):
            following = self.facts[i + 1] if i + 1 < len(self.facts) else None
            if fact.start < cursor:
                continue
            reason = self._no_promise(fact, following, cursor, last)
            if reason is not None:
                around = self.text[self.start + cursor : self.start + min(fact.end + 10, len(self.words))]
                found.left.append(Left(around.strip(" ,，、"), reason))
                if reason in (Passed.PAST, Passed.SIZE):
                    cursor = fact.end
                continue
            made, last, cursor = self._made(fact, following, cursor, last)
            found.commitments += made
        return last

    def _no_promise(self, fact: _Fact, following: _Fact | None, cursor: int, last: _Object) -> Passed | None:
        before, after = self.words[cursor : fact.start], self.words[fact.end :]
        place = self.start + fact.start
        if any(a < place < b for a, b in self.quoted) and fact.kind in ("number", "rank", "class"):
            return Passed.NAME
        if self._past(fact):
            return Passed.PAST
        if fact.kind == "class" and following is not None and re.match(r"[^、和及与,]{2,}", after):
            return Passed.ATTRIBUTE
        if fact.kind != "number":
            return None
        directed = bool(words.BEFORE.search(before) or words.AFTER.match(after) or words.WITHIN.search(before))
        if fact.unit in TIMES:
            timed = fact.unit in ("小时", "分钟", "天", "个工作日") and (
                words.AFTER.match(after) or words.BEFORE.search(before)
            )
            if not timed or re.match(r"\s*(?:以?内|之内)?(?:[办的]|[^,、]{0,8}(?:圈|服务|制))", after):
                return None if timed and re.match(r"\s*(?:以上|以下|以内|之内|左右)?$", after) else Passed.DATE
        if fact.unit in NAMES or (not fact.unit and not self._unit_guess(before)):
            return Passed.NAME if fact.unit or re.match(r"[\u4e00-\u9fffA-Za-z]", after) else Passed.BARE
        if fact.unit in ("万", "亿") and not self._unit_guess(before) and not directed:
            return Passed.BARE
        if re.search(r"[A-Za-z×]$", before) or re.match(r"[A-Za-z×]", after):
            return Passed.NAME
        return self._describing(fact, following, before, after, last)

    def _describing(
        self, fact: _Fact, following: _Fact | None, before: str, after: str, last: _Object
    ) -> Passed | None:
        """Whether the number only says how large or how many things are that the sentence is about."""
        bound = words.AFTER.match(after)
        rest = after[bound.end() :] if bound else after
        if words.SIZE.search(before) and not re.search(r"(?:完成|实现|突破|超过?|不低于)[^,]{0,8}$", before):
            return Passed.SIZE
        if rest.startswith("的"):
            return Passed.ATTRIBUTE
        if following is not None and following.unit not in TIMES and following.kind not in ("like", "avoid"):
            gap = self.words[fact.end + (bound.end() if bound else 0) : following.start]
            joined = not gap or re.search(r"[、和及与并]$|[、]", gap)
            told = re.match(r"\s*(?:增长|下降|同比|占|提高|降低|增速)", gap) or re.search(
                r"完成|新增|新建|建成|实现|改造|力争|确保|培育|增长|下降", gap
            )
            if not joined and not told and not re.search(r"[(]", gap):
                return Passed.ATTRIBUTE
        if fact.unit not in COUNTS:
            sized = words.SIZED.match(rest) and not words.DIRECT.search(before)
            return Passed.SIZE if sized and not rest.startswith(("、", ")")) else None
        if re.match(r"[\u4e00-\u9fffA-Za-z“]", rest) and not bound:
            return self._counted(fact, before, rest, last)
        if fact.chinese and not bound and not words.BEFORE.search(before) and not words.PRODUCING.search(before):
            return Passed.NAME
        return None

    @staticmethod
    def _counted(fact: _Fact, before: str, rest: str, last: _Object) -> Passed | None:
        """``2座人行天桥`` is promised where something is done to them, ``A、B、C3个板块`` only sums up what was listed."""
        listed = len(split_outside(re.sub(r"等$", "", before), "、"))
        if listed > 1 and fact.value == listed:
            return Passed.DESCRIPTION
        if re.match(r"百万?[头万]", rest) or (words.SIZED.match(rest) and fact.unit in ("头", "羽", "只", "株")):
            return Passed.SIZE
        tail = before[-16:]
        if fact.chinese and (not words.PRODUCING.search(before[-6:]) or re.match(r"[^,、]{0,3}(?:件事|类|批)", rest)):
            return Passed.NAME
        if words.BEFORE.search(before) or words.TREATED.search(before) or words.PRODUCING.search(tail):
            return None
        told = re.search(r"[\u4e00-\u9fff]", before) or last.name
        return (
            None
            if told and not words.DESCRIBING.search(tail) and not words.EXISTING.search(before)
            else Passed.DESCRIPTION
        )

    def _past(self, fact: _Fact) -> bool:
        """What is said of an earlier year, or as done already."""
        before = words.BASE.sub("", self.words[: fact.start])
        if words.PAST.search(before):
            return True
        years = [int(m) for m in re.findall(r"(20\d\d)年", before)]
        return bool(years) and max(years) < self.year

    def _later(self, fact: _Fact) -> bool:
        years = [int(m) for m in re.findall(r"(20\d\d)年", self.words[: fact.start])]
        return (bool(years) and max(years) > self.year) or bool(re.search("明年|“?十五五", self.words[: fact.start]))

    @staticmethod
    def _unit_guess(before: str) -> str:
        """The unit of a number written without one."""
        if re.search(r"人口|人数|就业|人员|用户|居民|农民工|学生|劳动力|群众", before):
            return "人"
        return "元" if re.search(r"收入|产值|总额|投资|资金|税收|贷款|增加值|生产总值|GDP|交易额|营收", before) else ""

    def _made(
        self, fact: _Fact, following: _Fact | None, cursor: int, last: _Object
    ) -> tuple[list[Commitment], _Object, int]:
        """The promise at ``fact``, one for each object where 均 joins several."""
        after = self.words[fact.end :]
        bound = words.AFTER.match(after) if fact.kind == "number" else None
        end = fact.end + (bound.end() if bound else 0)
        segment = re.sub(r"^[、和及与并,\s]+", "", self.words[cursor : fact.start])
        begin = fact.start - len(segment)
        skip = words.leading(segment)
        begin, segment = begin + skip, segment[skip:]
        doubts: set[Doubt] = set()
        if self.words[:begin].count("(") > self.words[:begin].count(")"):
            doubts.add(Doubt.BRACKETED)
        stated = words.BEFORE.search(segment) if fact.kind == "number" else None
        core = segment[: stated.start()] if stated else segment
        until = len(self.words) if following is None else following.start
        behind = re.match(r"[^、,;。(]*", self.words[end:until])
        noun = (behind[0] if behind else "").strip()
        if fact.kind in ("avoid", "clear", "like", "cover", "rank", "class", "double", "positive"):
            core, noun = segment, ""
        if fact.kind == "avoid":
            noun = _AVOID.sub("", self.words[fact.start : fact.end])
        verb_first = fact.unit in COUNTS and bool(noun) and fact.kind == "number" and not bound
        if verb_first:
            end += len(behind[0].rstrip()) if behind else 0
            if words.EFFORT.search(core[-8:]) and not words.PRODUCING.search(core[-8:]):
                doubts.add(Doubt.BY_EFFORT)
            elif not words.PRODUCING.search(core) and not words.TREATED.search(core) and not (last.name and not core):
                doubts.add(Doubt.NO_VERB)
        object_ = core.strip(" “")
        bare = re.fullmatch(rf"(?:{words.MORE}|{words.LEAST}|{words.MOST}|增长|约|[\s])*", object_)
        if bare and not verb_first and fact.kind not in ("avoid", "like"):
            object_, begin = last.name, begin
            if not object_:
                doubts.add(Doubt.NO_OBJECT)
        op, measure = self._sense(fact, segment, core, bound, stated, last, bool(bare))
        value, unit, upper = self._amount(fact, segment + last.name, doubts)
        if fact.chinese:
            doubts.add(Doubt.IN_CHINESE)
        if op is Op.ABOUT:
            doubts.add(Doubt.ABOUT)
        if fact.kind in ("clear", "avoid"):
            doubts.add(Doubt.ZERO)
        if fact.kind == "clear" and not unit:
            unit = "亿元" if re.search(r"债|欠款|账款|资金|贷款", segment) else "个"
            doubts.add(Doubt.GUESSED_UNIT)
        if fact.kind == "like":
            doubts.add(Doubt.REFERENCE)
        if self._later(fact):
            doubts.add(Doubt.OTHER_YEAR)
        place = slice(self.start + begin, self.start + end)
        quoted = (
            self.text[place].strip(" ,，、")
            if fact.kind != "avoid"
            else self.text[self.start + fact.start : self.start + fact.end]
        )
        name = self._name(object_, noun if verb_first or fact.kind == "avoid" else "", measure, fact, bool(bare), last)
        verbs = words.NEW.search(segment)
        this = _Object(
            _stem(object_) if object_ else last.name, verbs[0] if verbs else (last.verb if bare else ""), fact.unit
        )
        objects = self._several(name, core, measure)
        if len(objects) > 1:
            names = objects
        else:
            names = [name]
        made = [Commitment(one, quoted, op, value, unit, measure, upper, frozenset(doubts)) for one in names]
        return made, this, end

    @staticmethod
    def _several(name: str, core: str, measure: Measure) -> list[str]:
        """Objects that 均 or 都 joins before one number, or parallel ones before one rate."""
        growth = words.GROWTH.search(core) or words.FALL.search(core)
        if (growth and re.search("均|都", growth[0])) or re.search(r"[均都](?:达到?|突破|超过?|在|保持|稳定)?$", core):
            listed = core[: growth.start()] if growth else re.sub(r"[均都].*$", "", core)
            parts = [listed[a:b] for a, b in split_outside(listed, "、和")]
            suffix = "增速" if measure is Measure.GROWTH else ""
            return [f"{part}{suffix}" for part in parts if part] if len(parts) > 1 else [name]
        pair = re.fullmatch(
            r"(?P<a>[\u4e00-\u9fff]{3,10})和(?P<b>[\u4e00-\u9fff]{3,10}?)(?P<rate>(?:安全)?[\u4e00-\u9fff]{2}率)", core
        )
        if pair and pair["a"][-1] == pair["b"][-1]:
            return [pair["a"] + pair["rate"], pair["b"] + pair["rate"]]
        return [name]

    def _sense(
        self,
        fact: _Fact,
        segment: str,
        core: str,
        bound: re.Match[str] | None,
        stated: re.Match[str] | None,
        last: _Object,
        bare: bool,
    ) -> tuple[Op, Measure]:
        special = {
            "cover": (Op.AT_LEAST, Measure.SHARE),
            "clear": (Op.AT_MOST, Measure.LEVEL),
            "avoid": (Op.AT_MOST, Measure.ZERO),
            "rank": (Op.AT_MOST, Measure.RANK),
            "class": (Op.AT_MOST, Measure.CLASS),
            "double": (Op.AT_LEAST, Measure.GROWTH),
            "positive": (Op.MORE_THAN, Measure.GROWTH),
        }
        if fact.kind in special:
            return special[fact.kind]
        if fact.kind == "like":
            level = bool(re.search("率|占比|比重", segment))
            return Op.AT_LEAST, Measure.SHARE if level else Measure.GROWTH
        op = _direction(fact, segment, bound, stated)
        return op, _measure(fact, op, segment, core, last.verb if bare else "", last.name if bare else "")

    def _amount(self, fact: _Fact, before: str, doubts: set[Doubt]) -> tuple[float | None, str, float | None]:
        if fact.unit in ("万", "亿", "") and fact.kind == "number":
            guess = "元" if fact.unit == "亿" else self._unit_guess(before)
            doubts.add(Doubt.GUESSED_UNIT)
            return fact.value, fact.unit + (guess or "个"), fact.upper
        return fact.value, fact.unit, fact.upper

    @staticmethod
    def _name(object_: str, noun: str, measure: Measure, fact: _Fact, bare: bool, last: _Object) -> str:
        if fact.kind == "avoid":
            return noun
        if fact.kind == "rank":
            return f"{last.name}{_stem(object_)}位次"
        if bare and fact.unit != last.unit and last.name:
            return f"{last.name}（{fact.unit}）"
        if noun:
            verb = words.PRODUCING.search(object_[-8:])
            return f"{verb[0] if verb else ''}{noun}"
        stem = _stem(object_)
        if measure is Measure.GROWTH and stem:
            return f"{stem}提高" if fact.unit == "个百分点" else f"{stem}增速"
        if measure is Measure.REDUCTION and stem and "降" not in stem:
            return f"{stem}降幅"
        return stem or last.name or "未写明对象"

    def _respectively(self, found: Findings) -> bool:
        """``一产、二产分别增长4%、8%``: objects and numbers in the same order."""
        head, _, tail = self.words.partition("分别")
        facts = [f for f in self.facts if f.start > len(head) and f.kind == "number"]
        skip = words.leading(head)
        names = [head[skip:][a:b] for a, b in split_outside(head[skip:], "、和")]
        if len(facts) < 2 or len(names) != len(facts) or any(f.start <= len(head) for f in self.facts):
            return False
        grown = tail[: facts[0].start - len(head) - 2]
        for name, fact in zip(names, facts, strict=True):
            bound = words.AFTER.match(self.words[fact.end :])
            segment = name + grown
            stated = words.BEFORE.search(segment)
            core = segment[: stated.start()] if stated else segment
            op, measure = self._sense(fact, segment, core, bound, stated, _Object("", ""), False)
            doubts = {Doubt.ABOUT} if op is Op.ABOUT else set()
            if self._later(fact):
                doubts.add(Doubt.OTHER_YEAR)
            value, unit, upper = self._amount(fact, segment, doubts)
            title = self._name(core, "", measure, fact, False, _Object("", ""))
            whole = self.text[self.start + skip : self.start + facts[-1].end]
            found.commitments.append(Commitment(title, whole, op, value, unit, measure, upper, frozenset(doubts)))
        return True


def _stem(object_: str) -> str:
    """The object without the predicate that leads to its number."""
    stem = words.GROWTH.sub("", object_)
    if stem == object_:
        stem = words.FALL.sub("", object_)
    stem = re.sub(
        rf"(?:{words.MOST}|达到或优于|达到或好于|保持|稳定|达到|达|实现|全面|动态|排名|进入|位居|力争|确保)$", "", stem
    )
    stem = stem.strip(" 、,")
    if stem.count("(") != stem.count(")"):
        stem = stem.replace("(", " ").replace(")", " ").split(" ")[-1]
    listed = re.fullmatch(r"(?P<verb>.{0,4}?)(?:[^、]+、)+[^、]+?等(?P<kind>.{2,})", stem)
    if not listed:
        return stem
    verb = words.NEW.match(stem)
    return f"{verb[0] if verb else ''}{listed['kind']}"


def _direction(fact: _Fact, segment: str, bound: re.Match[str] | None, stated: re.Match[str] | None) -> Op:
    if fact.upper is not None:
        return Op.BETWEEN
    if bound and bound["about"]:
        return Op.ABOUT
    if bound and bound["most"]:
        return Op.AT_MOST
    if stated:
        if stated["most"]:
            return Op.AT_MOST
        if stated["less"] and not stated["least"]:
            return Op.LESS_THAN
        if stated["more"] and not bound:
            return Op.MORE_THAN
    if words.WITHIN.search(segment) and not (bound and bound["least"]) and not words.FALL.search(segment):
        return Op.AT_MOST
    return Op.AT_LEAST


def _measure(fact: _Fact, op: Op, segment: str, core: str, verb: str, object_: str) -> Measure:
    """What kind of number it is, by its unit and the words before it."""
    if fact.unit in ("%", "个百分点", "‰"):
        if words.GROWTH.search(core) and (op is not Op.AT_MOST or "涨" in core):
            return Measure.GROWTH
        if words.FALL.search(core) or words.FALL_FIRST.match(core):
            return Measure.REDUCTION
        if op in (Op.AT_MOST, Op.LESS_THAN):
            return Measure.CEILING
        return Measure.SHARE if words.RATE.search(core + object_) or fact.unit != "个百分点" else Measure.GROWTH
    if op in (Op.AT_MOST, Op.LESS_THAN):
        return Measure.CEILING
    if "优良" in core and fact.unit == "天":
        return Measure.GOOD_DAYS
    if words.FLOOR.search(core) and op is Op.AT_LEAST:
        return Measure.FLOOR
    whole = core + object_
    if words.NEW.search(core) or verb:
        return Measure.CUMULATIVE
    if re.search(r"余额|存量|人均|平均|资产|所有|每个?|床位|脱贫", whole):
        return Measure.LEVEL
    if fact.unit in COUNTS and fact.unit not in ("人", "人次", "万人次"):
        reached = re.search(rf"(?:{words.MORE}|达到?|保持|稳定)", segment)
        return Measure.LEVEL if reached and not words.FLOWS.search(whole) else Measure.CUMULATIVE
    return Measure.CUMULATIVE
