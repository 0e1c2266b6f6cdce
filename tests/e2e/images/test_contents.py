"""What lies in each image, and what does not."""

from __future__ import annotations

import json
from importlib.metadata import version

from tests.e2e.images.containers import Image

VENV = "/opt/heavylift"
ADDED = {"/usr/bin/tini", "/opt", "/app"}
CHANGED = {"/etc/passwd", "/etc/group"}
OF_THE_ENGINE = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/.dockerenv", "/etc/mtab"}

WITHOUT_BYTE_CODE = f"""
import importlib.util, json, pathlib
sources = pathlib.Path({VENV!r}, "lib").rglob("site-packages/**/*.py")
print(json.dumps([str(path) for path in sources if not pathlib.Path(importlib.util.cache_from_source(path)).exists()]))
"""


def test_the_image_adds_its_environment_and_first_process_to_its_base_and_nothing_else(image: Image, base: Image):
    added = {path for path in image.files.keys() - base.files.keys() if not path.startswith(f"{VENV}/")}
    changed = {path for path in image.files.keys() & base.files.keys() if image.files[path] != base.files[path]}

    assert added <= ADDED | {VENV} | OF_THE_ENGINE
    assert changed <= CHANGED | OF_THE_ENGINE


def test_no_tool_that_installs_or_compiles_is_in_the_environment(image: Image):
    names = {path.rpartition("/")[2] for path in image.files if path.startswith(f"{VENV}/")}

    assert not names & {"pip", "pip3", "uv", "uvx", "hatchling", "setuptools", "cc", "gcc", "strip"}


def test_everything_is_compiled_ahead_once(image: Image):
    code = [path for path in image.files if path.startswith(f"{VENV}/") and path.endswith(".pyc")]

    assert json.loads(image.python(WITHOUT_BYTE_CODE)) == []
    assert {path.rpartition(".cpython-")[2] for path in code} == {"313.pyc"}


def test_nothing_is_the_users_to_change(image: Image):
    writable = [
        path for path, (mode, _) in image.files.items() if path.startswith(VENV) and mode & 0o022 and _plain(mode)
    ]

    assert writable == []


def test_it_says_what_it_is(name: str, image: Image):
    assert image.labels["title"] == f"heavylift/{name}"
    assert image.labels["version"] == image.name.rpartition(":")[2]
    assert len(image.labels["revision"].removesuffix("-dirty")) == 40
    assert image.labels["licenses"] == "Apache-2.0"
    assert image.labels["description"]
    assert "source" in image.labels


def test_it_runs_as_nobody_from_an_exec_form_entry_point(image: Image):
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"][:6] == ["/usr/bin/tini", "-e", "143", "--", "python", "-m"]
    assert image.environment.items() >= {
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("USER", "heavylift"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    }


def test_its_packages_are_those_of_the_workspace(image: Image):
    installed = json.loads(
        image.python(
            "import json, subprocess\n"
            f"print(subprocess.check_output([{VENV + '/bin/python'!r}, '-c',"
            "'import json; from importlib.metadata import distributions as d;"
            "print(json.dumps({e.name: e.version for e in d()}))']).decode())"
        )
    )

    assert installed == {name: version(name) for name in installed}


def test_only_the_video_worker_carries_ffmpeg(name: str, image: Image):
    carried = {path.split("/")[6] for path in image.files if "/site-packages/" in path}

    assert {"av", "av.libs", "PIL"} & carried == ({"av", "av.libs", "PIL"} if name == "worker-video" else set())


def _plain(mode: int) -> bool:
    return mode & 0o170000 != 0o120000  # links are open to all; what they lead to counts
