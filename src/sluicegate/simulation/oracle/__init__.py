"""The oracle: knows only what clients and receivers see, and says what must not have been."""
