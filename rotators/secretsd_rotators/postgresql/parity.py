"""Two logins that take turns must be alike in everything but name and password, or the turn itself breaks things."""

from secretsd.ports.rotator import RotationFailed
from secretsd_rotators.postgresql.session import Session

_ALIKE = """
SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit,
    (SELECT array_agg(g.rolname || ' ' || (to_jsonb(m) - '{oid,roleid,member,grantor}'::text[])::text
            ORDER BY g.rolname, to_jsonb(m)::text)
        FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid),
    (SELECT array_agg(coalesce(d.datname, '') || ' ' || s.setconfig::text ORDER BY d.datname, s.setconfig::text)
        FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase WHERE s.setrole = r.oid),
    (SELECT array_agg(granted ORDER BY granted) FROM (
        SELECT concat_ws(' ', d.defaclnamespace, d.defaclobjtype, a.privilege_type, a.is_grantable,
            CASE a.grantee WHEN r.oid THEN 'itself' ELSE a.grantee::text END) AS granted
        FROM pg_default_acl AS d CROSS JOIN aclexplode(d.defaclacl) AS a WHERE d.defaclrole = r.oid) AS granting)
FROM pg_roles AS r WHERE rolname = $1
"""


async def require_alike(session: Session, first: str, second: str) -> None:
    """Raise RotationFailed `logins-differ` unless all that the catalogues say of the two roles is the same."""
    if await session.rows(_ALIKE, first) != await session.rows(_ALIKE, second):
        raise RotationFailed("logins-differ", "in attributes, memberships, settings or default privileges")
