"""Whose API a request speaks, and an error as that provider writes it.

One path can belong to two providers: `/v1/models` and `/v1/files` are OpenAI's, Anthropic's and
Google's. Then the headers tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from stackproof_gateway.errors import ProviderError

OPENAI, ANTHROPIC, GOOGLE = "openai", "anthropic", "google"

GOOGLE_KEY = "x-goog-api-key"
GOOGLE_METHODS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent",
                  "batchEmbedContents")  # fmt: skip
_GOOGLES = re.compile(rf"/(?:v1beta|upload|download)/|.*:(?:{'|'.join(GOOGLE_METHODS)})$")
_ASKED = re.compile(rf"/v1(?:beta)?/models/(.+):(?:{'|'.join(GOOGLE_METHODS)})(?:\?.*)?")
_SHARED = re.compile(r"/v1/(?:models|files)(?:/|$)")
_UPLOAD = re.compile(r"/upload/v1(?:beta)?/files")
_HAS_KEY = re.compile("(?:^|&)key=")
_DOORS = re.compile(r"(?:/k/[^/]*)?(?:/t/[^/]*)?(?:/f/[^/]*)?")


def api_of(path: str, headers: Mapping[str, str], query: str = "") -> str:
    """Whose API a request speaks.

    Args:
        path: Its path without the prefixes of token, namespace and fault.
        headers: Its headers, with names in small letters.
        query: Its query.
    """
    if "anthropic-version" in headers or path.startswith("/v1/messages") or path == "/v1/complete":
        return ANTHROPIC
    if _GOOGLES.match(path):
        return GOOGLE
    if _SHARED.match(path) and (GOOGLE_KEY in headers or _HAS_KEY.search(query)):
        return GOOGLE
    return OPENAI


def api_outside(path: str, headers: Mapping[str, str], query: str = "") -> str:
    """The same for a path that has its prefixes still."""
    doors = _DOORS.match(path)
    return api_of(path[doors.end() :] if doors else path, headers, query)


def is_upload(path: str) -> bool:
    """Whether a path is the one where Google takes files; without its query."""
    return _UPLOAD.fullmatch(path) is not None


def model_in(path: str) -> str:
    """The model that a path of Google's asks; empty if it names none."""
    asked = _ASKED.fullmatch(path)
    return asked[1] if asked else ""


def without_key(query: str) -> str:
    """A query without the API key of Google's clients."""
    if "key=" not in query:
        return query
    return "&".join(part for part in query.split("&") if not part.startswith("key="))


def query_key(query: str, path: str, headers: Mapping[str, str]) -> str:
    """The API key that Google takes in a query; empty if there is none."""
    if "key=" not in query or api_of(path, headers, query) != GOOGLE:
        return ""
    return parse_qs(query).get("key", [""])[0].strip()


def no_key(api: str) -> ProviderError:
    """A request has no API key."""
    if api == ANTHROPIC:
        return ProviderError(401, "x-api-key header is required")
    if api == GOOGLE:
        return ProviderError(403, "Method doesn't allow unregistered callers (callers without "
                             "established identity). Please use API Key or other form of API "
                             "consumer identity to call this API.")  # fmt: skip
    return ProviderError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def envelope_of(error: ProviderError, api: str, number: int = 0) -> dict[str, Any]:
    """An error as a provider writes it.

    Args:
        error: The error.
        api: Whose API the request speaks.
        number: Number of the request.
    """
    if api == ANTHROPIC:
        return error.anthropic_envelope(f"req_{number:08d}")
    return error.google_envelope if api == GOOGLE else error.envelope
