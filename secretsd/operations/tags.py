"""Operations on tags, which secrets, keys, users and roles carry alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from secretsd.api.secrets import OfTagged, TagResourceRequest, TagsResponse, UntagResourceRequest
from secretsd.domain.errors import InvalidRequest, LimitExceeded, NotFound
from secretsd.domain.keys import CMK
from secretsd.domain.names import require_name, require_word
from secretsd.domain.principals import Role, User
from secretsd.domain.secrets import MAX_TAGS, Secret
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation


@operation("TagResource", "POST /v1/tags/{resource}", audited=("tags",))
async def tag_resource(call: Call, request: TagResourceRequest) -> TagsResponse:
    """Add tags to a secret, key, user or role; a key of a tag that is there already gets the new value."""
    tagged = await _tagged(call, request)
    tags = {**tagged.tags, **request.tags}
    if len(tags) > MAX_TAGS:
        raise LimitExceeded(f"cannot tag {request.resource}: it would have more than {MAX_TAGS} tags")
    return await _store(call, request, tagged, tags)


@operation("UntagResource", "POST /v1/tags/{resource}:remove", audited=("keys",))
async def untag_resource(call: Call, request: UntagResourceRequest) -> TagsResponse:
    """Take tags away from a secret, key, user or role."""
    tagged = await _tagged(call, request)
    return await _store(call, request, tagged, {k: v for k, v in tagged.tags.items() if k not in request.keys})


def wanted_tags(written: Sequence[str]) -> Mapping[str, str]:
    """Tags that a list asks for, each written key=value; InvalidRequest for what is written otherwise."""
    tags = {}
    for tag in written:
        key, separator, value = tag.partition("=")
        if not separator or not key:
            raise InvalidRequest("cannot list by tags: each is written key=value")
        tags[key] = value
    return tags


async def _tagged(call: Call, request: OfTagged) -> Secret | CMK | User | Role:
    kind, _, name = request.resource.partition("/")
    if kind in ("user", "role"):
        name = require_word(name, f"name of the {kind}")
        rows = call.parts.rows
        holder = await (rows.user(call.account, name) if kind == "user" else rows.role(call.account, name))
        # What an operator may do can hang on his tags.
        await require_operator_for_holder(call, holder)
        return holder
    if kind != "secret":
        if kind == "alias":  # one that leads nowhere
            raise NotFound("cannot find the key")
        try:
            key = await call.parts.rows.key(call.account, name)
        except NotFound:
            raise NotFound("cannot find the key") from None
        key.require_present()
        return key
    secret = await call.parts.rows.secret(call.account, require_name(name, "name of the secret"))
    secret.require_active()
    return secret


async def _store(
    call: Call, request: OfTagged, tagged: Secret | CMK | User | Role, tags: Mapping[str, str]
) -> TagsResponse:
    changed = (
        replace(tagged, changed_ms=call.time_ms, tags=tags)
        if isinstance(tagged, Secret)
        else replace(tagged, tags=tags)
    )
    await call.commit(call.replace(tagged, changed))
    return TagsResponse(resource=request.resource, tags=tags)
