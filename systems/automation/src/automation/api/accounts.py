"""Users: `/auth/register`, `/auth/login`, `/auth/refresh`, `/auth/me`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from automation.api.replies import body_of, data, refusal, user_id, wanted
from automation.database import transaction
from automation.models import User
from automation.security import hash_password, is_password, token, user_of

TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
CREDENTIALS = wanted({"login": TEXT, "password": TEXT})


async def register(request: Request) -> Response:
    told = await body_of(request, CREDENTIALS)
    hashed = await run_in_threadpool(hash_password, told["password"])
    try:
        async with transaction() as session:
            user = User(login=told["login"], password_hash=hashed)
            session.add(user)
    except IntegrityError as error:
        raise refusal(409, f"there is a user {told['login']}") from error
    return data(_tokens(user), 201)


async def login(request: Request) -> Response:
    told = await body_of(request, CREDENTIALS)
    async with transaction() as session:
        user = await session.scalar(select(User).where(User.login == told["login"]))
    if user is None or not await run_in_threadpool(
        is_password, told["password"], user.password_hash
    ):
        raise refusal(401, "the login or the password is wrong")
    return data(_tokens(user))


async def refresh(request: Request) -> Response:
    told = await body_of(request, wanted({"refresh_token": TEXT | {"maxLength": 2000}}))
    user = user_of(told["refresh_token"], "refresh")
    if user is None:
        raise refusal(401, "the refresh token is not valid")
    return data({"access_token": token(user), "token_type": "bearer"})


async def me(request: Request) -> Response:
    async with transaction() as session:
        user = await session.get(User, user_id(request))
    if user is None:
        raise refusal(401, "there is no such user any more")
    return data({"id": user.id, "login": user.login})


def _tokens(user: User) -> dict[str, Any]:
    return {
        "user": {"id": user.id, "login": user.login},
        "access_token": token(user.id),
        "refresh_token": token(user.id, "refresh"),
        "token_type": "bearer",
    }


ROUTES = [
    Route("/auth/register", register, methods=["POST"]),
    Route("/auth/login", login, methods=["POST"]),
    Route("/auth/refresh", refresh, methods=["POST"]),
    Route("/auth/me", me),
]
