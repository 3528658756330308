"""Fetches the keys that issuers of JWTs publish."""
