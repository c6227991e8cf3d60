"""The engine inside other people's frameworks: a thin module for each, imported by its own name.

Importing `sluicegate`, or this package, imports none of the frameworks. `docs/embedding.md` says
which form is for which host.
"""
