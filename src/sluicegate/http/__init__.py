"""HTTP in (the API on aiohttp.web) and HTTP out (the sender, the resolver)."""
