"""Models behind the Messages API of Anthropic."""

from __future__ import annotations

from typing import Any, Unpack

from yggdrasil.core.profile import Profile
from yggdrasil.models.anthropic_stream import MESSAGES
from yggdrasil.models.remote import RemoteModel, RemoteOptions
from yggdrasil.models.wire import WireFormat

VARIABLE = "ANTHROPIC_API_KEY"
OWN_ENDPOINT = "https://api.anthropic.com"


def make_sdk(endpoint: str, secret: str) -> Any:
    """The SDK's client for one endpoint; importing the SDK takes a second."""
    from anthropic import AsyncAnthropic

    # its own spans are off: ours tell the same, for every provider alike
    sdk = AsyncAnthropic(api_key=secret or "none", base_url=endpoint, max_retries=0, open_telemetry=False)
    _ = sdk.messages.with_streaming_response  # loads what the first call would load in the event loop
    return sdk


class AnthropicModel(RemoteModel):
    """`model_id` at Anthropic or, with `endpoint_url`, at a compatible server.

    cache    marks the end of the tools, of the instructions and of the last message, so that the next request of a
             growing talk is read from the provider's cache (for five minutes, at a tenth of the price)
    options  as for every RemoteModel; the key is in ANTHROPIC_API_KEY
    `params` without `max_tokens` allow 8192 of output, since the API insists on a number.
    """

    provider = "anthropic"
    variable = VARIABLE
    endpoint_variable = "ANTHROPIC_BASE_URL"
    own_endpoint = OWN_ENDPOINT
    make_sdk = staticmethod(make_sdk)

    def __init__(self, model_id: str, *, cache: bool = True, **options: Unpack[RemoteOptions]) -> None:
        super().__init__(model_id, **options)
        self.cache = cache

    def wire(self, own: bool, profile: Profile) -> WireFormat:
        """Messages, everywhere."""
        return MESSAGES
