"""A server that starts in 20 ms: the handshake of 2025-06-18 by hand, one JSON object a line, a thread a call.

Run with `python -I -S light_server.py JOURNAL`: what it is told (calls, cancellations) is appended to JOURNAL.
"""

import base64
import json
import os
import signal
import sys
import threading
import time

JOURNAL = sys.argv[1] if len(sys.argv) > 1 else os.devnull
LOCK = threading.Lock()
CANCELLED = {}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = {
    "echo": (TEXT, {"readOnlyHint": True}),
    "pid": (NOTHING, {"readOnlyHint": True}),
    "sleep": ({"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]}, {}),
    "die": (NOTHING, {}),
    "die_once": (TEXT, {"idempotentHint": True}),
    "meta": (NOTHING, {}),
    "environment": (TEXT, {}),
    "grow": (NOTHING, {}),
    "fail": (TEXT, {}),
    "media": (NOTHING, {}),
    "stubborn": (NOTHING, {}),
    "garbage": (NOTHING, {}),
}


def journal(word):
    with LOCK, open(JOURNAL, "a") as file:
        file.write(word + "\n")


def send(message):
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def content(*blocks, **more):
    return {"content": list(blocks), **more}


def text(value):
    return {"type": "text", "text": value}


def call(name, given, params, number):
    if name == "echo":
        return content(text(given["text"]))
    if name == "pid":
        return content(text(str(os.getpid())))
    if name == "sleep":
        gone = CANCELLED.setdefault(number, threading.Event())
        return None if gone.wait(given["seconds"]) else content(text("slept"))
    if name == "die" or (name == "die_once" and not os.path.exists(given["text"])):
        if name == "die_once":
            with open(given["text"], "w"):
                os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "die_once":
        return content(text("alive"))
    if name == "meta":
        return content(text(json.dumps(params.get("_meta", {}))))
    if name == "environment":
        return content(text(os.environ.get(given["text"], "(not set)")))
    if name == "grow":
        TOOLS["grown"] = (NOTHING, {})
        send({"method": "notifications/tools/list_changed"})
        return content(text("grown"))
    if name == "fail":
        return content(text(given["text"]), isError=True)
    if name == "media":
        data = base64.b64encode(b"bytes").decode()
        return content(
            text("look"),
            {"type": "image", "data": data, "mimeType": "image/png"},
            {"type": "audio", "data": "!!", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "file:///a", "blob": data, "mimeType": "application/pdf"}},
            {"type": "resource_link", "uri": "file:///b", "name": "b"},
        )
    if name == "stubborn":  # it leaves only when it is killed, and has a child that is as stubborn
        child = os.fork()
        if child == 0:
            time.sleep(600)
        threading.Thread(target=time.sleep, args=(600,)).start()
        return content(text(json.dumps([os.getpid(), child])))
    if name == "garbage":
        sys.stdout.write("this is no message\n\n[]\n")
        return content(text("sorry"))
    return content(text(f"there is no tool {name}"), isError=True)


def answer(message):
    method, number, params = message["method"], message["id"], message.get("params", {})
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "light", "version": "1"},
        }
    if method == "tools/list":
        journal("list")
        return {
            "tools": [
                {"name": name, "description": f"It is {name}.", "inputSchema": schema, "annotations": notes}
                for name, (schema, notes) in TOOLS.items()
            ]
        }
    if method == "tools/call":
        journal(f"call {params['name']}")
        return call(params["name"], params.get("arguments") or {}, params, number)
    raise KeyError(method)


def work(message):
    try:
        result = answer(message)
    except KeyError as error:
        send({"id": message["id"], "error": {"code": -32601, "message": f"no method {error}"}})
    else:
        if result is not None:
            send({"id": message["id"], "result": result})


print("light server", os.getpid(), file=sys.stderr)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        if message.get("params", {}).get("name") == "sleep":
            CANCELLED[message["id"]] = threading.Event()
        threading.Thread(target=work, args=(message,), daemon=True).start()
    elif message["method"] == "notifications/cancelled":
        journal("cancelled")
        CANCELLED.setdefault(message["params"]["requestId"], threading.Event()).set()
