"""What an engine does from its opening to its closing, in each of its modes.

Loaded when an engine is made, and only the mode that it has: whoever imports the public face waits
for none of what they stand on.
"""
