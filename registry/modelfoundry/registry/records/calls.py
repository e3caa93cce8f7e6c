"""The parts of requests and responses that are the same for all collections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from google.api import field_behavior_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from modelfoundry.errors import InvalidField
from modelfoundry.names import check_request_id, near, shortened
from modelfoundry.registry.listing.pages import ListRequest, Page
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.messages import Described

CHANGEABLE: Final = ("display_name", "description", "license", "tags", "intended_use")
# Below the 4 MiB that a client takes, with room for the token and for trailers.
MAX_PAGE_BYTES: Final = 3 * 1024 * 1024
Row = TypeVar("Row")


class ListMessage(Protocol):
    """What all List requests have."""

    parent: str
    page_size: int
    page_token: str
    filter: str


def create_call(request: Any, resource_id: str = "", *, validate_only: bool = False) -> CreateCall:
    """The part of a Create request that is the same for all resources.

    Raises:
        InvalidField: the request id is no UUID4.
    """
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    # The method's name with it: an id that was used for a model says nothing of a data set.
    fingerprint = hashlib.sha256(content.DESCRIPTOR.full_name.encode() + b"\0")
    fingerprint.update(content.SerializeToString(deterministic=True))
    return CreateCall(
        parent=request.parent,
        id=resource_id,
        request_id=check_request_id(request.request_id),
        fingerprint=fingerprint.hexdigest(),
        validate_only=validate_only,
    )


def list_request(request: ListMessage, order_by: str = "") -> ListRequest:
    """The arguments of a List request."""
    return ListRequest(request.parent, request.page_size, request.page_token, request.filter, order_by)


def changes(message: Described, mask: FieldMask) -> Mapping[str, Any]:
    """New values of what people write, as message and mask say (AIP-134).

    Raises:
        InvalidField: a path of the mask is unknown or cannot be changed.
    """
    fields = _masked(message, list(mask.paths))
    return {field: dict(message.tags) if field == "tags" else getattr(message, field) for field in fields}


def fill_page(page: Page[Row], encode: Callable[[Row], Message], target: Any, *, limit: int = MAX_PAGE_BYTES) -> str:
    """Appends a page's rows to a repeated field, as many as a message carries: a short page is not the end.

    Returns:
        The token of the next page.
    """
    size = 0
    for index, row in enumerate(page.rows):
        message = encode(row)
        size += message.ByteSize()
        if index and size > limit:
            return page.tokens[index - 1]
        target.append(message)
    return page.next_page_token


def _masked(message: Described, paths: list[str]) -> list[str]:
    if not paths:
        return [field for field in CHANGEABLE if getattr(message, field)]
    if paths == ["*"]:
        return list(CHANGEABLE)
    return [path for path in dict.fromkeys(paths) if _is_changeable(message, path)]


def _is_changeable(message: Message, path: str) -> bool:
    """False for a path that is ignored."""
    if path in CHANGEABLE:
        return True
    field = message.DESCRIPTOR.fields_by_name.get(path)
    if field is None:
        suggestions = near(path, message.DESCRIPTOR.fields_by_name)
        raise _misfit(path, "is no field", f"did you mean {suggestions[0]}?" if suggestions else _MASK_HINT)
    options: Any = field.GetOptions()
    if field_behavior_pb2.IMMUTABLE in options.Extensions[field_behavior_pb2.field_behavior]:
        raise _misfit(path, "cannot be changed", "register a new resource instead")
    return False


_MASK_HINT: Final = f"name some of {', '.join(CHANGEABLE)}, or '*' alone"


def _misfit(path: str, what: str, hint: str) -> InvalidField:
    return InvalidField(f"update_mask: {shortened(path)!r} {what}", field="update_mask", hint=hint)
