"""The built-in job types. Importing this stays light: heavy libraries load in the child process that needs them."""

from heavylift_worker.jobs.video import transcode

__all__ = ["transcode"]
