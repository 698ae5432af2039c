"""People as the API has them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from pbxweb.api.fields import Instant, Text
from pbxweb.api.paging import Camel, PageQuery, paged
from pbxweb.security.roles import Role
from pbxweb.users.models import LANGUAGE, Status

ROLES = [role.value for role in Role]
STATES = [status.value for status in Status]


class Password(fields.String):
    """A password on its way in: never trimmed, never sent back."""

    def __init__(self, **more: Any) -> None:
        super().__init__(load_only=True, validate=validate.Length(max=200), metadata={"format": "password"}, **more)


class PhoneOut(Camel):
    """A phone of a person."""

    id = fields.UUID()
    number = fields.String()


class TimeProfileOut(Camel):
    """When somebody is at work."""

    id = fields.UUID()
    name = fields.String()


class InvitationOut(Camel):
    """A one-time link; it is shown this once."""

    url = fields.String()
    expires_at = Instant()


class PersonOut(Camel):
    """A person as a sign-in names it."""

    id = fields.UUID()
    email = fields.String()
    first_name = fields.String()
    last_name = fields.String()
    role = fields.String(validate=validate.OneOf(ROLES))


class UserItem(PersonOut):
    """A person in a list."""

    status = fields.String(validate=validate.OneOf(STATES))
    extensions = fields.List(fields.Nested(PhoneOut))
    created_at = Instant()
    last_login_at = Instant(allow_none=True)


class UserOut(UserItem):
    """A person with everything."""

    language = fields.String()
    timezone = fields.String()
    time_profile = fields.Nested(TimeProfileOut, allow_none=True)
    updated_at = Instant()


class UserMade(UserOut):
    """A person who was just made; ``invitation`` when no password was given."""

    invitation = fields.Nested(InvitationOut)


class UserData(Camel):
    """What can be said about a person. Each field may be left out."""

    first_name = Text(max_length=100)
    last_name = Text(max_length=100)
    language = Text(
        validate=validate.Regexp(LANGUAGE.pattern + r"\Z", error="Use de, en, de-DE or the like."), max_length=5
    )
    timezone = Text(max_length=64, metadata={"example": "Europe/Berlin"})


class UserIn(UserData):
    """A new person. Without a password the answer carries a one-time link with which it is chosen."""

    email = Text(max_length=254, required=True, metadata={"format": "email"})
    password = Password()
    role = Text(validate=validate.OneOf(ROLES), required=True)


class UserChange(UserData):
    """What changes about a person; role, status and password are for administrators."""

    email = Text(max_length=254, metadata={"format": "email"})
    password = Password()
    role = Text(validate=validate.OneOf(ROLES))
    status = Text(validate=validate.OneOf(STATES))


class UserQuery(PageQuery):
    """Which people to list."""

    class Meta:
        unknown = EXCLUDE

    role = fields.String(load_default="", validate=validate.OneOf(ROLES))
    status = fields.String(load_default="", validate=validate.OneOf(STATES))


class Credentials(Camel):
    """E-mail address and password."""

    email = Text(max_length=254, required=True, metadata={"format": "email"})
    password = Password(required=True)


class RefreshIn(Camel):
    """A refresh token."""

    refresh_token = Text(max_length=2000, required=True)


class LogoutIn(Camel):
    """A refresh token, if the client wants to name it; the access token already says which sign-in ends."""

    class Meta:
        unknown = EXCLUDE

    refresh_token = Text(max_length=2000)


class TokensOut(Camel):
    """An access token for ``expiresIn`` seconds, and the refresh token for the next pair (good for one use)."""

    access_token = fields.String()
    refresh_token = fields.String()
    expires_in = fields.Integer()


class LoginOut(Camel):
    """Who signed in, and the tokens."""

    user = fields.Nested(PersonOut)
    tokens = fields.Nested(TokensOut)


class PasswordChange(Camel):
    """The old and the new password."""

    current_password = Password(required=True)
    new_password = Password(required=True)


UserPage: type[Schema] = paged(UserItem)
