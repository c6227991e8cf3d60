"""HTTP out: the sender, the resolver and the address check."""
