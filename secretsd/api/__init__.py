"""Requests and responses by noun: the contract that server and client share, importable alone."""
