"""Every operation of the official Python client, against a server process."""
