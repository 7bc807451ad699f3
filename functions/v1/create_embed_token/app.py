"""POST /v1/embed-tokens: a token with which pages of some origins read the usage of one subject."""

from datetime import datetime

from odometer.access.policy import MAKE_EMBEDS, Caller
from odometer.access.tokens import TokenMaker
from odometer.api.v1.embed_tokens import NewToken, TokenMade, tell_of_tokens
from odometer.api.v1.family import v1
from odometer.directory.snapshot import Directory
from odometer.storage.trail import SeldomTrail


@v1("/embed-tokens", "POST", may=MAKE_EMBEDS, status=201)
def handler(
    body: NewToken,
    caller: Caller,
    directory: Directory,
    tokens: TokenMaker,
    trail: SeldomTrail,
    now: datetime,
) -> TokenMade:
    claims = body.claims(caller, directory, tokens.end(now, body.expires_in))
    tell_of_tokens(trail, body.subject)
    return TokenMade.of(tokens, claims)
