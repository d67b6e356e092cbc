"""Templates that a site has written in place of ours."""

import traceback
from itertools import product
from pathlib import Path

from jinja2 import TemplateError, TemplateSyntaxError

from alerts.channels.base import Letter
from alerts.message import TEMPLATES, TONES, Form, Templates, headline, made, ours, render, trying
from alerts.specimens import specimens
from rules.document import Invalid


def templates(folder: Path | None) -> Templates:
    """Ours; where ``folder`` has a file of the same name, that one. Raises Invalid where it cannot be used.

    They are tried on letters of every kind in every form, while others go on with what is in force.
    """
    if folder is None:
        return ours()
    own = made(folder)
    files, known = ([path.name for path in sorted(one.glob("*.j2"))] for one in (folder, TEMPLATES))
    if strangers := [name for name in files if name not in known] or ([] if files else [str(folder)]):
        raise Invalid(
            [f"templates: {folder}: {strangers[0]} 不是可以改写的模板 (no such template)；可改写：{'、'.join(known)}"]
        )
    try:
        with trying(own):
            for letter in specimens():
                _try_out(letter)
    except (TemplateError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Invalid([f"templates: {_place(error, folder, own)}: 模板无法使用 (bad template): {error}"]) from None
    return own


def _try_out(letter: Letter) -> None:
    for form, brief in product(Form, (False, True)):
        render(letter, form, brief=brief)
    if headline(letter).tone not in TONES.values():
        raise ValueError(f"{letter.notice.kind}.j2 的 tone 应为 red、yellow、green 或 blue (bad tone)")


def _place(error: Exception, folder: Path, own: Templates) -> str:
    """File and line of an error in a template of ``folder``; the folder where there is none."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    if not frames:
        return str(folder)
    line = own.get_template(Path(frames[-1].filename).name).get_corresponding_lineno(frames[-1].lineno or 0)
    return f"{frames[-1].filename}:{line}"
