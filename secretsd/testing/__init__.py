"""Fakes and conformance suites, public for everybody who writes an adapter or a rotator."""
