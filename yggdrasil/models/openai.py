"""Models at OpenAI by its Responses API, and at every server that is compatible with its Chat Completions."""

from __future__ import annotations

from typing import Any, Unpack

from yggdrasil.core.profile import Profile
from yggdrasil.errors import ConfigError
from yggdrasil.models.openai_chat import CHAT
from yggdrasil.models.openai_responses_stream import RESPONSES
from yggdrasil.models.remote import RemoteModel, RemoteOptions
from yggdrasil.models.wire import WireFormat

VARIABLE = "OPENAI_API_KEY"
OWN_ENDPOINT = "https://api.openai.com/v1"

_APIS = {"responses": RESPONSES, "chat": CHAT}


def make_sdk(endpoint: str, secret: str) -> Any:
    """The SDK's client for one endpoint; importing the SDK takes a second."""
    from openai import AsyncOpenAI

    # a server that needs no key gets one that says so: the SDK insists on some
    sdk = AsyncOpenAI(api_key=secret or "none", base_url=endpoint, max_retries=0)
    for wire in _APIS.values():
        _ = wire.resource(sdk).with_streaming_response  # loads what the first call would load in the event loop
    return sdk


class OpenAIModel(RemoteModel):
    """`model_id` at OpenAI or, with `endpoint_url`, at any compatible server (Ollama, vLLM, TGI, OpenRouter, ...).

    api      "responses" or "chat"; by itself Responses at OpenAI and Chat Completions elsewhere
    options  as for every RemoteModel; the key is in OPENAI_API_KEY
    """

    provider = "openai"
    variable = VARIABLE
    endpoint_variable = "OPENAI_BASE_URL"
    own_endpoint = OWN_ENDPOINT
    make_sdk = staticmethod(make_sdk)

    def __init__(self, model_id: str, *, api: str | None = None, **options: Unpack[RemoteOptions]) -> None:
        super().__init__(model_id, **options)
        if api is not None and api not in _APIS:
            raise ConfigError(f"api of {self.name} is {api!r}; it is one of {', '.join(_APIS)}", hint='api: "chat"')
        self.api = api

    def wire(self, own: bool, profile: Profile) -> WireFormat:
        """The API asked for, else the model's own at OpenAI, else Chat Completions."""
        return _APIS[self.api or (profile.api if own else "chat")]
