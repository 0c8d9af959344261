"""What the OpenAPI document says beyond what types say: keys, errors, headers, how to use it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

INTRODUCTION = """\
The memory a team's people and coding agents share, over HTTP. Work is a stack of **frames**, each
with a timeline of **events**; **anchors** are what must not be forgotten.

- Show a key: `Authorization: Bearer sm_…`. It belongs to one workspace, and perhaps to one project
  in it; what lies elsewhere does not exist for it (404).
- Bodies are JSON in UTF-8, `Content-Encoding: gzip` welcome. Times carry their zone.
- A thing is named by our id or by the `source_id` it was made with. Making it again with the same
  `source_id` gives what there is (200 instead of 201).
- A write with an `Idempotency-Key` is done once, however often it is sent within a day.
- Lists come in pages: give `next` as `cursor` to go on.
"""
ERRORS = {
    "400": "The request is wrong; `field` says where, `message` how to mend it",
    "401": "No key, or none that opens anything",
    "402": "The workspace’s quota is used up; reading goes on",
    "403": "The key may not do this",
    "404": "There is no such thing here, or not for this key",
    "409": "It is not in a state in which this can be done; or a request with this"
    " Idempotency-Key is being carried out",
    "410": "What has this id was erased here, and is not taken again",
    "413": "The body is too large; send it in parts",
    "415": "The body is compressed by something other than gzip",
    "422": "This Idempotency-Key was used for another request",
    "429": "More requests than the key may make; wait Retry-After seconds",
    "503": "The database is busy; ask again",
}
OF_WRITES = ("402", "409", "410", "413", "415", "422")
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "A stable word, for programs."},
        "message": {"type": "string", "description": "What is wrong and how to mend it."},
        "field": {"type": "string", "description": "The part of the input that is wrong."},
        "choices": {"type": "array", "items": {}, "description": "What would be accepted."},
    },
}
ERROR = {
    "type": "object",
    "title": "Error",
    "required": ["error"],
    "properties": {"error": {"$ref": "#/components/schemas/Problem"}},
}
KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    "description": "Any word of yours, such as a UUID; a repetition gets the first answer again.",
}
WRITES = ("post", "put", "patch", "delete")


class Bearer:
    """Names the scheme in the document; the gate has looked at the key already."""

    openapi_security_schema = {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of the workspace, made on its Keys page.",
    }

    def __call__(self, request: HttpRequest) -> Any:
        return getattr(request, "actor", None)


def complete(schema: dict[str, Any], api: Any) -> None:
    """Add to every operation the errors it may answer with and the headers it takes."""
    schemas = schema["components"]["schemas"]
    schemas |= {"Problem": PROBLEM, "Error": ERROR}
    schema["components"]["responses"] = {code: _error(words) for code, words in ERRORS.items()}
    once = {op.operation_id or api.get_openapi_operation_id(op): op for op in operations(api)}
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            rules = once[operation["operationId"]].view_func.rules
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter.setdefault("description", _named(parameter["name"]))
            if method in WRITES and rules.once:
                operation["parameters"] = [*operation["parameters"], KEY_HEADER]
            answers = {str(code): said for code, said in operation["responses"].items()}
            operation["responses"] = answers | {
                code: {"$ref": f"#/components/responses/{code}"}
                for code in ERRORS
                if _may_happen(code, method, rules)
            }
            operation["x-permission"] = rules.permission
    _sort(schemas)
    _untitled(schema["paths"])
    for each in schemas.values():
        _untitled(each.get("properties", {}))


def operations(api: Any) -> list[Any]:
    return [
        operation
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    ]


def _may_happen(code: str, method: str, rules: Any) -> bool:
    if code == "402":
        return bool(rules.permission == "write")
    if code in OF_WRITES:
        return method in WRITES and (rules.once or code in ("413", "415"))
    return True


def _named(name: str) -> str:
    """What a part of an address names."""
    if name == "project":
        return "Slug or id."
    return "Its id." if name.endswith("_id") else "Our id, or the `source_id` it was made with."


def _error(words: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": words, "content": content}


def _sort(schemas: dict[str, Any]) -> None:
    for name in sorted(schemas):
        schemas[name] = schemas.pop(name)


def _untitled(value: Any) -> None:
    """Take out the titles that the library makes of names: they say nothing a name does not."""
    if isinstance(value, list):
        for item in value:
            _untitled(item)
    elif isinstance(value, dict):
        if isinstance(value.get("title"), str):
            del value["title"]
        for item in value.values():
            _untitled(item)
