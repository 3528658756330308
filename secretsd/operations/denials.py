"""What a caller hears who is denied: the permission that he lacks, and why where he may know that."""

from secretsd.domain.condition_keys import PREFIX
from secretsd.domain.errors import AccessDenied
from secretsd.domain.explanations import Verdict, explain
from secretsd.domain.names import Resource
from secretsd.domain.principals import Principal
from secretsd.operations.authorizer import Authorizer
from secretsd.operations.explanation_words import sentence
from secretsd.operations.known_facts import BESIDE_POLICIES
from secretsd.operations.request_facts import RequestFacts
from secretsd.operations.rule_sets import OwnersSide

EXPLAIN = "ExplainDecision"
_OF_RECORDS = (f"{PREFIX}ResourceTag/", f"{PREFIX}PermissionsBoundary")


class _OwnFacts:
    """The facts of a request without those that stand in the records of its resource."""

    def __init__(self, facts: RequestFacts) -> None:
        self.get = facts.get

    def knows(self, key: str) -> bool:
        return not key.startswith(_OF_RECORDS)


async def denial(
    authorizer: Authorizer,
    principal: Principal,
    permission: str,
    resource: Resource,
    facts: RequestFacts,
    *,
    by_alias: bool,
) -> AccessDenied:
    """What a caller is told who has been denied a permission on the resource that he named, perhaps `by_alias`.

    Why is for those alone who may ask ExplainDecision about themselves. What the resource's owner says of it, and what
    stands in its records, counts only for who may ask about the resource too, and never across accounts: so there is
    nothing to be learned of what exists.
    """
    plain = AccessDenied.without(permission)
    if permission in BESIDE_POLICIES or not await _may_ask(authorizer, principal, principal.resource, facts):
        return plain
    shown = resource.account == principal.account and await _may_ask(authorizer, principal, resource, facts)
    if by_alias and not shown:
        return plain  # policies speak of the key, and who may not know it must not hear whether there is one
    owners = None if shown else OwnersSide()
    narrowed = await authorizer.rules.narrowed(principal, permission, resource, owners=owners)
    tags = await authorizer.tags(principal.resource)
    theirs = await authorizer.tags(resource) if shown else {}
    boundary = await authorizer.boundary(resource) if shown else ""
    about = facts.about(resource, tags, theirs, boundary)
    found = explain(narrowed, _AllFacts(about) if shown else _OwnFacts(about))
    if found.verdict is not Verdict.DENIED:
        return plain
    return AccessDenied.without(permission, sentence(found, foreign=narrowed.foreign, owner_shown=True))


class _AllFacts(_OwnFacts):
    """The facts of a request, all of them."""

    def knows(self, key: str) -> bool:
        return True


async def _may_ask(authorizer: Authorizer, principal: Principal, resource: Resource, facts: RequestFacts) -> bool:
    return (await authorizer.decide(principal, EXPLAIN, resource, facts)).allowed
