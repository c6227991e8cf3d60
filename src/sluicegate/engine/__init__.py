"""The rules of webhook delivery, and the ports through which they reach the world.

Nothing here does I/O, reads a clock or draws a random number: those come through the
protocols in `sluicegate.engine.ports`. The layers above implement the ports.
"""
