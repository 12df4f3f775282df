"""The client of the Model Context Protocol: a server's tools, resources and prompts."""

from yggdrasil.agent.mcp.server import Elicitation
from yggdrasil.agent.mcp.tool import ServerTool
from yggdrasil.agent.mcp.toolset import MCP, Prompt, Resource

__all__ = ["MCP", "Elicitation", "Prompt", "Resource", "ServerTool"]
