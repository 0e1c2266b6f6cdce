"""Scaling on one machine: workers are processes that the development stack starts and ends as it is told."""

from heavylift_controller.local.platform import LocalPlatform

__all__ = ["LocalPlatform"]
