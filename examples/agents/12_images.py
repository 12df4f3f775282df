"""Pictures in a prompt, and pictures as the result of a tool: the model sees both.

For a real model: model = "openai:gpt-5", or any other that takes images.
Prints: prompt: 1 text, 1 picture
Prints: tool: a picture of 70 bytes
Prints: The second one shows the ford in snow.
"""

from __future__ import annotations

import base64

from yggdrasil import Agent, Blob, ScriptedModel, ToolCall, run_sync, tool
from yggdrasil.core.messages import Image, Text

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
photo = Blob(base64.b64decode(DOT), "image/png")  # or Blob(Path("ford.png").read_bytes(), "image/png")
model = ScriptedModel([ToolCall("1", "camera", {"place": "ford"}), "The second one shows the ford in snow."])


@tool
def camera(place: str) -> Blob:
    """Take a picture of a place."""
    return photo


if __name__ == "__main__":
    answer = run_sync(Agent(model, tools=[camera]), ["What has changed since this was taken?", photo]).output
    asked, after = model.requests[0].messages[-1].parts, model.requests[1].messages[-1].parts
    texts, pictures = (sum(isinstance(p, kind) for p in asked) for kind in (Text, Image))
    print("prompt:", texts, "text,", pictures, "picture")
    print("tool: a picture of", len(after[0].media[0].blob.data), "bytes")
    print(answer)
