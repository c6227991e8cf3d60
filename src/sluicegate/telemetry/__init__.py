"""Monitoring: what happened is counted here, and told in Prometheus's text format."""
