"""Messages that are written where the engine's own file is not, and moved into it, each once.

An *outbox* is a table in somebody else's database, written within their own transaction. The
*inbox* is a file of ours beside the engine's, which any process of the machine may write. Both
have the same table, and a *relay* in the process that owns the engine's file empties it.
"""
