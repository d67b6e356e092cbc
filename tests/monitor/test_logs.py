"""The log as a machine reads it."""

import json
import logging
import sys

from monitor.logs import Json


def line(message, *args, level=logging.INFO, exc_info=None):
    record = logging.LogRecord("monitor.app", level, __file__, 1, message, args, exc_info)
    return json.loads(Json().format(record))


def test_an_event_is_one_object_with_its_action_and_every_named_value():
    told = line("action=awoken told=%s dropped=%s", 3, "无")
    assert (told["action"], told["told"], told["dropped"]) == ("awoken", 3, "无")
    assert told["message"] == "action=awoken told=3 dropped=无"
    assert (told["level"], told["logger"]) == ("info", "monitor.app")
    assert told["time"][10] == "T"


def test_a_value_may_hold_spaces_and_equal_signs_and_lines():
    told = line("action=reload_refused error=%s", "book.yaml:3 goal=x\n看不懂 (bad goal)", level=logging.ERROR)
    assert told["error"] == "book.yaml:3 goal=x\n看不懂 (bad goal)"
    assert "\n" not in Json().format(logging.LogRecord("m", 20, "", 1, "action=a error=%s", ("x\ny",), None))


def test_a_value_without_a_name_stands_in_the_message_alone():
    told = line("action=refused source=%s %s", "b/filings", "第3行")
    assert (told["source"], told["message"]) == ("b/filings", "action=refused source=b/filings 第3行")
    assert set(told) == {"time", "level", "logger", "action", "source", "message"}


def test_what_is_no_event_of_ours_has_no_action():
    assert "action" not in line("Started server process [%d]", 7)


def test_an_exception_is_part_of_its_event():
    try:
        int("坏了")
    except ValueError:
        told = line("action=loop_failed loop=%s", "judge", exc_info=sys.exc_info())
    assert told["exception"].splitlines()[-1].startswith("ValueError: ")
