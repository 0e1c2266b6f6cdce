"""`heavylift keys`."""

from __future__ import annotations

import hashlib
import json

from heavylift.cli.exits import ExitCode
from heavylift_api.auth import ApiKeys
from tests.unit.cli.conftest import Run


def test_the_entry_admits_the_key_and_does_not_hold_it(heavylift: Run) -> None:
    made = json.loads(heavylift("keys", "ci.runner", "--json").out)
    assert made["entry"] == f"ci.runner:{hashlib.sha256(made['key'].encode()).hexdigest()}"
    assert ApiKeys.parse(made["entry"]).owner(made["key"]) == "ci.runner"


def test_every_key_is_another(heavylift: Run) -> None:
    assert heavylift("keys").out != heavylift("keys").out


def test_a_name_the_api_would_not_read_is_refused(heavylift: Run) -> None:
    assert heavylift("keys", "a:b").code == ExitCode.USAGE
