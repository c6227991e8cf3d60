"""The commands, by the names of their modules: Django's rule."""
