"""Questions to workers and their answers as JSON: a database that many hosts write into must not carry programs."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import pandas as pd
from msgspec import convert, to_builtins

from connectors.observation import LeftOut, Original, Reading, Refusal
from connectors.places import Places

_MOMENTS = {"period": "datetime64[s]", "known_at": "datetime64[us, UTC]"}
_NUMBERS = {"value": "float64", "status": "int8"}
_WORDS = {"series": "str", "subject": "str", "unit": "str"}


def digest(kind: str, options: Mapping[str, Any]) -> str:
    """A print of what is written of a source or a channel: two hosts must mean the same by its name."""
    return hashlib.sha256(json.dumps([kind, options], default=str, sort_keys=True).encode()).hexdigest()


def written(found: Reading) -> dict[str, Any]:
    """A reading as what JSON knows."""
    rows = found.observations.astype(_MOMENTS)
    return {
        "columns": {
            **{name: rows[name].astype("int64").tolist() for name in _MOMENTS},
            **{name: rows[name].tolist() for name in (*_NUMBERS, *_WORDS, "cell")},
        },
        "refusals": to_builtins(found.refusals),
        "document": found.document,
        "digest": found.digest,
        "left_out": dict(found.left_out),
        "unread": found.unread,
        "originals": [
            (name, mark, b64encode(content if isinstance(content, bytes) else content.read_bytes()).decode())
            for name, mark, content in found.originals
        ],
    }


def read(given: dict[str, Any]) -> Reading:
    """What ``written`` gave."""
    columns = given["columns"]
    return Reading(
        pd.DataFrame(columns | {"cell": Places.of(columns["cell"])}).astype(_MOMENTS | _NUMBERS | _WORDS),
        convert(given["refusals"], tuple[Refusal, ...]),
        given["document"],
        given["digest"],
        convert(given["left_out"], dict[LeftOut, int]),
        tuple(given["unread"]),
        tuple(Original(name, mark, b64decode(content)) for name, mark, content in given["originals"]),
    )
