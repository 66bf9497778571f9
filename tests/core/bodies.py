"""Requests to count, short to write."""

import base64
import struct

from otel_llmcost.core.tokens import count_input

PNG_512 = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 512, 512) + bytes(40)
PNG_512_BASE64 = base64.b64encode(PNG_512).decode()
PNG_512_URL = "data:image/png;base64," + PNG_512_BASE64
PDF = base64.b64encode(b"%PDF-1.7\n1 0 obj << /Linearized 1 /N 3 >>" + bytes(200)).decode()


def chat(*content, model="gpt-4o", **more):
    return count_input(
        {"model": model, "messages": [{"role": "user", "content": list(content)}], **more}, "openai.chat"
    )


def responses(*items, model="gpt-4o", **more):
    return count_input({"model": model, "input": list(items), **more}, "openai.responses")


def claude(*content, model="claude-haiku-4-5", **more):
    body = {"model": model, "messages": [{"role": "user", "content": list(content)}], **more}
    return count_input(body, "anthropic.messages")
