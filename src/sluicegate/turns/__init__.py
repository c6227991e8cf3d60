"""Turns of the event loop, and how they are shared out."""
