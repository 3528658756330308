"""A key management service and secrets manager for hosts that you run yourself."""

__version__ = "0.1.0"
