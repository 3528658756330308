"""PostgreSQL passwords: of one login, or of two that take turns, by an administrator or by each login itself."""

from secretsd_rotators.postgresql.rotator import PostgreSQLRotator

__all__ = ["PostgreSQLRotator"]
