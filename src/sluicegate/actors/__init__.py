"""Pykka on asyncio: the runtime, the endpoint actors, and the directory where they live."""
