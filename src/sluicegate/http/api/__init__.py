"""The routes of the API and their handlers: requests into calls, records into answers."""
