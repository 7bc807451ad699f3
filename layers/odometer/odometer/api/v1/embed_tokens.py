"""Embed tokens on the wire: what is asked for, and the token, which is shown this once."""

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from odometer.access.policy import MAKE_EMBEDS, Access, Caller
from odometer.access.tokens import LONGEST_CLAIMS, Claims, TokenMaker
from odometer.directory.snapshot import Directory
from odometer.domain.acts import Act, Action
from odometer.domain.errors import Fault, Invalid
from odometer.domain.text import as_kept
from odometer.domain.time import format_seconds, instant_at
from odometer.storage.trail import Trail
from odometer.web.endpoint import SUBJECTS, target_of
from odometer.web.fields import Flag, Origin, Text, Whole, refuse
from odometer.web.models import Answer, Body, Timestamp

LONGEST_LIFE_SECONDS = 24 * 3600
HOUR = timedelta(hours=1)
MOST_PRODUCTS, MOST_ORIGINS = 50, 10


def without_null(schema: dict[str, Any]) -> None:
    """Say in a schema that one of its properties is given, and that null does not give it."""
    for field in schema["properties"].values():
        field.pop("default")
        field.update(field.pop("anyOf")[0])
    schema["properties"]["organization"]["const"] = True
    schema.update(minProperties=1, maxProperties=1)


class NewSubject(Body):
    """Whose usage a token opens: one of the three."""

    model_config = ConfigDict(json_schema_extra=without_null)

    organization: Annotated[bool, Flag()] | None = Field(
        None, description="`true` for everything that the organization uses."
    )
    team: Annotated[str, Text(128)] | None = Field(None, description="A team, by its id.")
    user: Annotated[str, Text(128)] | None = Field(None, description="A user, by their id.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        named = [getattr(self, name) for name in self.model_fields_set]
        if len(named) != 1 or named[0] in (None, False):
            raise refuse("one", "expected one of organization (true), team, user")
        return self

    @property
    def kind(self) -> str:
        """The field that names it."""
        return next(iter(self.model_fields_set))

    @property
    def access(self) -> Access:
        if self.user is not None:
            return Access.SELF
        return Access.ORGANIZATION if self.team is None else Access.TEAM

    def admit(self, caller: Caller, directory: Directory) -> str | None:
        """The id of the user or team; who may not see everybody learns of no others."""
        about, name = SUBJECTS.get(self.access), self.user or self.team
        if about is None or name is None:
            MAKE_EMBEDS.admit_to(caller, None)
            return None
        found = about.find(directory, name)
        MAKE_EMBEDS.admit_to(caller, target_of(found))
        if found is None:
            words = f"expected the id of a {about.parameter}"
            raise Invalid.parameter(f"for.{about.parameter}", words, name)
        return found.id


class NewToken(Body):
    """A token to be made: about whom, of which products, for how long, for which pages."""

    subject: NewSubject = Field(alias="for")
    products: (
        Annotated[list[Annotated[str, Text(128)]], Field(min_length=1, max_length=MOST_PRODUCTS)]
        | None
    ) = Field(None, description="The products that it opens, by their ids; all without it.")
    expires_in: Annotated[int, Whole(1, LONGEST_LIFE_SECONDS)] = Field(
        description="Seconds until it ends. It ends before if its key does."
    )
    origins: Annotated[
        list[Annotated[str, Origin()]], Field(min_length=1, max_length=MOST_ORIGINS)
    ] = Field(description="The origins of the pages that may read the answers.")

    def claims(self, caller: Caller, directory: Directory, expires: int) -> Claims:
        """What the token says, if the caller may say it."""
        subject = self.subject.admit(caller, directory)
        claims = Claims(
            access=self.subject.access,
            subject=subject,
            products=self._known_products(directory),
            origins=tuple(dict.fromkeys(self.origins)),
            expires=expires,
        )
        if len(claims.text) > LONGEST_CLAIMS:
            raise Invalid.parameter(
                "products", "the token is too long: name fewer, or fewer origins"
            )
        return claims

    def _known_products(self, directory: Directory) -> tuple[str, ...] | None:
        if self.products is None:
            return None
        known = directory.kinds
        faults = [
            Fault(f"products.{place}", "value", "expected the id of a product", each)
            for place, each in enumerate(self.products)
            if as_kept(each) not in known
        ]
        if faults:
            raise Invalid(*faults)
        return tuple(dict.fromkeys(map(as_kept, self.products)))


class TokenMade(Answer):
    """A token, which is kept nowhere."""

    token: str
    expires_at: Timestamp

    @classmethod
    def of(cls, tokens: TokenMaker, claims: Claims) -> "TokenMade":
        expires_at = format_seconds(instant_at(claims.expires))
        return cls(token=str(tokens.make(claims)), expires_at=expires_at)


def tell_of_tokens(trail: Trail, subject: NewSubject) -> None:
    """Let the trail tell once for each hour, key and kind of subject that tokens are made.

    A token is kept nowhere, and a hundred may be made in a second: the log has a line for each.
    """
    at, act = trail.actor.at, Act(Action.TOKENS_MADE, details={"for": subject.kind})
    trail.commit_once(act, f"{trail.actor.key_id}#{at:%Y%m%d%H}#{subject.kind}", at + 2 * HOUR)
