"""The job types a worker serves, found in the modules it is told to load."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from heavylift import JobType
from heavylift.errors import ConfigurationError


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
    try:
        loaded = importlib.import_module(module)
    except (ConfigurationError, ImportError) as error:
        raise ConfigurationError(f"--jobs {module}: {error}") from error
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename}:{place.lineno}"
        raise ConfigurationError(f"--jobs {module}: {type(error).__name__}: {error} ({where})") from error
    found = [value for value in vars(loaded).values() if isinstance(value, JobType)]
    if not found:
        raise ConfigurationError(f"--jobs {module}: it holds no job type; declare one with @job.")
    return found
