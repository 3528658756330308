"""Measurements of the daemon against the bars of the design, paired with OpenBao and with the stack's own limit."""
