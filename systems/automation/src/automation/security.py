"""Passwords, access tokens, and keys that are encrypted in the database."""

from __future__ import annotations

import time
from functools import cache

import bcrypt
import jwt
from cryptography.fernet import Fernet

from automation.settings import settings

ALGORITHM = "HS256"
REFRESH_LIVES = 24
"""How many lives of an access token a refresh token has."""


def hash_password(password: str) -> str:
    """A hash to keep; costs what the settings say."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(settings().bcrypt_cost)).decode()


def is_password(password: str, kept: str) -> bool:
    """Whether a password is the one of a hash."""
    return bcrypt.checkpw(password.encode(), kept.encode())


def token(user: int, kind: str = "access") -> str:
    """A token of a user: `access` or `refresh`."""
    life = settings().token_lifetime * (REFRESH_LIVES if kind == "refresh" else 1)
    claims = {"sub": str(user), "kind": kind, "exp": int(time.time() + life)}
    return jwt.encode(claims, settings().token_secret, ALGORITHM)


def user_of(token: str, kind: str = "access") -> int | None:
    """Whose token it is; None if it is nobody's, has run out, or is of another kind."""
    try:
        claims = jwt.decode(token, settings().token_secret, [ALGORITHM])
    except jwt.InvalidTokenError:
        return None
    return int(claims["sub"]) if claims.get("kind") == kind else None


@cache
def _box() -> Fernet:
    return Fernet(settings().keys_secret)


def encrypt(value: str) -> str:
    """A key as the database has it."""
    return _box().encrypt(value.encode()).decode()


def decrypt(encrypted: str) -> str:
    """The key itself."""
    return _box().decrypt(encrypted.encode()).decode()
