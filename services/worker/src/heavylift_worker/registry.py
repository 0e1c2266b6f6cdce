"""The job types a worker serves, found in the modules it is told to load."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from heavylift import JobType
from heavylift.errors import ConfigurationError

_JOBS = "HEAVYLIFT_JOBS (--jobs)"
_LOOKED_FOR = "Modules are looked for in the folder the command runs in, on PYTHONPATH, and among what is installed."


@dataclass(frozen=True)
class Registry:
    """Job types by name."""

    types: dict[str, JobType]

    @classmethod
    def load(cls, modules: Iterable[str]) -> Registry:
        """Import the modules and collect every JobType they hold.

        Raises
        ------
        ConfigurationError
            A module cannot be imported, holds no job type, or two declare the same name.

        """
        types: dict[str, JobType] = {}
        for module in modules:
            for job_type in _types_in(module):
                known = types.setdefault(job_type.name, job_type)
                if known is not job_type:
                    raise ConfigurationError(
                        f"Job type {job_type.name!r} is declared twice; one of them is in {module}."
                    )
        return cls(types)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of all job types, in the order of their declaration."""
        return tuple(dict.fromkeys(job_type.queue for job_type in self.types.values()))

    def check_libraries(self, queues: Collection[str]) -> None:
        """Raise ConfigurationError if jobs of these queues need what is not installed: the image is another one's."""
        for job_type in self.types.values():
            for library in job_type.libraries if job_type.queue in queues else ():
                if find_spec(library.partition(".")[0]) is None:
                    raise ConfigurationError(
                        f"{job_type.name} needs {library}, which is not installed here: use an image that has it, or"
                        " serve other jobs with HEAVYLIFT_JOBS (--jobs) or HEAVYLIFT_QUEUES (--queues)."
                    )

    def preload(self) -> None:
        """Import the libraries of all job types, so that forked children share them."""
        for library in dict.fromkeys(name for job_type in self.types.values() for name in job_type.libraries):
            try:
                importlib.import_module(library)
            except ImportError as error:
                raise ConfigurationError(f"{library!r} cannot be preloaded: {error}") from error


def _types_in(module: str) -> Sequence[JobType]:
    found = [value for value in vars(_imported(module)).values() if isinstance(value, JobType)]
    if not found:
        raise ConfigurationError(f'{_JOBS} {module}: it holds no job type; declare one with @job("its.name").')
    return found


def _imported(module: str) -> ModuleType:
    if "/" in module or module.endswith(".py") or not all(module.split(".")):
        raise ConfigurationError(
            f"{_JOBS} {module}: it takes a module's dotted name, without .py, such as {_dotted(module)}. {_LOOKED_FOR}"
        )
    try:
        return importlib.import_module(module)
    except ConfigurationError as error:
        raise ConfigurationError(f"{_JOBS} {module}: {error}") from error
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"{_JOBS} {module}: {error}. {_LOOKED_FOR}") from error
        raise ConfigurationError(f"{_JOBS} {module}: {type(error).__name__}: {error} ({_place(error)})") from error


def _dotted(given: str) -> str:
    """Return the name of the module in that file, as far as it can be told from here."""
    path, here = Path(given.removesuffix(".py")).resolve(), Path.cwd()
    parts = path.relative_to(here).parts if path.is_relative_to(here) else (path.name,)
    return ".".join(parts).strip(".") or "primes"


def _place(error: Exception) -> str:
    """Return file and line of what a module's import raised."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    # The frames of the import itself are of no file.
    place = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")][-1]
    return f"{place.filename}:{place.lineno}"
