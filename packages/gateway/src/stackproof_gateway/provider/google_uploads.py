"""Uploads to Google: the client sends the pieces to the gateway, which knows where they go.

The provider's address is as good as a key for its upload, so it stays here: the client gets an
address of the gateway that leads into its namespace, and only what the provider has named in that
namespace is asked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from stackproof_gateway.apis import is_upload
from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.gemini.files import address
from stackproof_gateway.provider.requests import name_of_upload

ADDRESSES = ("x-goog-upload-url", "x-goog-upload-control-url")
"""Headers of the answer to a start that name where the pieces go."""


def provider_address(call: Call) -> str | None:
    """Where the provider takes a piece; None if the call is no piece of an upload.

    Raises:
        ProviderError: If the provider has named no address for it in this namespace.
    """
    identity = call.upload
    if identity is None:
        return None
    found: str | None = call.namespace.shelf.gemini_uploads.get(identity)
    if found is None:
        message = (
            f"The upload {identity[:64]!a} was not begun in the namespace "
            f"{call.namespace.name} of this gateway, so nothing was sent. Begin it again."
        )
        headers = {"x-goog-upload-status": "final", **NO_RETRY}
        raise ProviderError(404, message, headers=headers)
    return found


def named_address(call: Call, headers: Mapping[str, str]) -> str | None:
    """The address that the provider's answer to a start names; None if it names none."""
    if not is_upload(call.entry.path) or call.upload is not None:
        return None
    return next((headers[name] for name in ADDRESSES if name in headers), None)


def own_addresses(call: Call, key: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Keep the provider's address; gives back headers with a path of the gateway in its place.

    Args:
        call: The start.
        key: What makes two starts the same: their uploads have one name in recordings.
        headers: The provider's headers.
    """
    name = f"upload-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    identity = call.namespace.next_id(f"{name}-")
    call.namespace.shelf.gemini_uploads[identity] = named_address(call, headers)
    path = f"{call.entry.path}?upload_id={identity}&upload_protocol=resumable"
    return {name: path for name in ADDRESSES if name in headers}


def recorded(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they are recorded: an upload without its number in the namespace."""
    return {
        name: re.sub(r"(?<=upload_id=)[^&]+", lambda found: name_of_upload(found[0]), value)
        if name in ADDRESSES
        else value
        for name, value in headers.items()
    }


def shown(call: Call, headers: Mapping[str, str], token: str = "") -> dict[str, str]:
    """Headers as the client gets them: with whole addresses.

    Args:
        call: The start.
        headers: The headers with paths.
        token: The token that a piece needs, if it needs one.
    """
    door = f"/k/{token}" if token else ""
    return {
        name: address(call, value, door) if name in ADDRESSES else value
        for name, value in headers.items()
    }
