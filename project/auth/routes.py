"""/auth: accounts, signing in and out, lost passwords."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from project.auth import service, tokens
from project.auth.schemas import ForgotIn, LoginIn, RefreshIn, ResetIn, TokenOut
from project.http import limits
from project.http.blueprint import Blueprint
from project.http.guards import actor, session_id
from project.http.trace import user_agent
from project.sessions import service as sessions
from project.users import credentials
from project.users.models import User
from project.users.routes import EMAIL_TAKEN, NAME_TAKEN
from project.users.schemas import AccountIn, UserOut

blp = Blueprint("auth", __name__, description="Signing in and out.")


@blp.after_request
def keep_nothing(response: Response) -> Response:
    """No cache keeps tokens: RFC 6749 section 5.1."""
    if request.endpoint in ("auth.login", "auth.refresh"):
        response.headers["Cache-Control"] = "no-store"
    return response


@blp.post("/register")
@blp.public
@blp.once
@blp.arguments(AccountIn)
@blp.created(UserOut, at="users.patch_user")
@blp.refuses(service.RegistrationClosed, NAME_TAKEN, EMAIL_TAKEN)
def register(values: dict[str, Any]) -> User:
    """Make an account for oneself

    Where registration is open; else superusers make accounts.
    """
    return service.register(values, is_open=current_app.config["REGISTRATION"] == "open")


@blp.post("/login")
@blp.public
@blp.limited("login_address")
@blp.arguments(LoginIn)
@blp.limited("login", by=lambda values: service.tries_key(values["login"]))
@blp.document(TokenOut)
@blp.refuses(service.WrongCredentials)
def login(values: dict[str, Any]) -> dict[str, Any]:
    """Sign in"""
    where = {"user_agent": user_agent(), "address": limits.address()}
    return tokens.issue(*service.sign_in(**values, **where))


@blp.post("/refresh")
@blp.public
@blp.arguments(RefreshIn)
@blp.document(TokenOut)
@blp.refuses(sessions.InvalidRefreshToken, sessions.RefreshRaced)
def refresh(values: dict[str, Any]) -> dict[str, Any]:
    """Get the next pair of tokens

    A refresh token counts once. Who sends a used one again within ten seconds gets 409 and nothing
    changes; later the session ends, because its token is in two hands.
    """
    return tokens.issue(*service.refresh(values["refresh_token"]))


@blp.post("/logout")
@blp.signed_in
@blp.once
@blp.nothing
def logout() -> None:
    """Sign out: end this session"""
    sessions.leave(session_id())


@blp.post("/logout-all")
@blp.signed_in
@blp.once
@blp.nothing
def logout_all() -> None:
    """Sign out everywhere: end every session of one's own"""
    sessions.end_all([actor().id])


@blp.post("/password/forgot")
@blp.public
@blp.once
@blp.arguments(ForgotIn)
@blp.limited("reset", by=lambda values: values["email"])
@blp.accepted
def forgot_password(values: dict[str, Any]) -> None:
    """Have a token mailed that replaces a lost password

    The answer is the same whether or not somebody has this address.
    """
    service.forgot(**values)


@blp.post("/password/reset")
@blp.public
@blp.once
@blp.arguments(ResetIn)
@blp.nothing
@blp.refuses(credentials.InvalidResetToken)
def reset_password(values: dict[str, Any]) -> None:
    """Replace a lost password by means of the token that was mailed

    Every session ends.
    """
    credentials.reset(**values)
