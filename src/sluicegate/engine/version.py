"""Which version this is; every layer may tell it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
