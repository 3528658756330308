"""The rotation kill hunt: faults at every state and between all statements of real rotations at a real PostgreSQL."""
