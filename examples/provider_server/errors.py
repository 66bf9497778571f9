"""Errors as each provider writes them."""

from __future__ import annotations

from examples.provider_server.wire import Json, Provider

OVERLOADED = 529
_SERVER_FAULT = 500
_OPENAI_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "requests"}
_OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_AMAZON_TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def error_body(
    provider: Provider, status: int, message: str, *, code: str | None = None, param: str | None = None
) -> Json:
    """Write an error as the provider writes it."""
    is_theirs = status >= _SERVER_FAULT
    match provider:
        case "anthropic":
            fallback = "api_error" if is_theirs else "invalid_request_error"
            return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, fallback), "message": message}}
        case "gemini":
            named = _GOOGLE_STATUSES.get(status, "UNAVAILABLE" if is_theirs else "INVALID_ARGUMENT")
            return {"error": {"code": status, "message": message, "status": named}}
        case "mistral":
            kind = "service_unavailable" if is_theirs else "invalid_request_error"
            return {"object": "error", "message": message, "type": kind, "param": param, "code": code}
        case "cohere" | "bedrock":
            return {"message": message}
        case "ollama":
            return {"error": message}
        case _:
            fallback = "server_error" if is_theirs else "invalid_request_error"
            error = {
                "message": message,
                "type": _OPENAI_TYPES.get(status, fallback),
                "param": param,
                "code": code or _OPENAI_CODES.get(status),
            }
            return {"error": error}


def error_headers(provider: Provider, status: int) -> dict[str, str]:
    """Return the headers that go with it: Amazon names the kind of error nowhere else."""
    if provider != "bedrock":
        return {}
    fallback = "ServiceUnavailableException" if status >= _SERVER_FAULT else "ValidationException"
    return {"x-amzn-errortype": _AMAZON_TYPES.get(status, fallback)}
