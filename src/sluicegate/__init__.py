"""Sluicegate: webhook delivery that holds what you pause and loses nothing."""

__version__ = "0.1.0"
