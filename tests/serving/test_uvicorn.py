"""What of uvicorn is used that it does not promise, so that a new version of it is taken on purpose only."""

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
import uvicorn
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from credit_scoring.serving import connections, guarded, hot_route, ordered

TESTED = "0.54"
ADVICE = (
    f"Written for uvicorn {TESTED}, found {uvicorn.__version__}: read its httptools_impl.py and flow_control.py beside "
    "ordered.py, guarded.py, hot_route.py and connections.py, run tests/serving/test_hot_route.py, then change TESTED "
    "and the pin."
)

PROTOCOL = {
    *("client", "connections", "cycle", "expect_100_continue", "flow", "headers", "loop", "parser", "pipeline"),
    *("server_state", "timeout_keep_alive", "timeout_keep_alive_task", "transport", "url", "ws_protocol_class"),
    *("connection_lost", "connection_made", "data_received", "on_body", "on_headers_complete", "on_message_begin"),
    *("on_message_complete", "on_response_complete", "resume_writing", "send_400_response"),
    *("shutdown", "_unset_keepalive_if_required"),
}
CYCLE = {"body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete", "response_started"}
FLOW = {
    *("_transport", "read_paused", "write_paused"),
    *("pause_reading", "pause_writing", "resume_reading", "resume_writing"),
}
STATE = {"default_headers", "connections"}


def test_the_version_is_the_tested_one() -> None:
    assert uvicorn.__version__.startswith(f"{TESTED}."), ADVICE


def test_what_is_used_is_there() -> None:
    assert PROTOCOL - _of(HttpToolsProtocol) == set(), ADVICE
    assert CYCLE - _of(RequestResponseCycle) == set(), ADVICE
    assert FLOW - _of(FlowControl) == set(), ADVICE
    assert STATE - _of(ServerState) == set(), ADVICE
    assert "auto" in HTTP_PROTOCOLS, ADVICE


def _of(cls: type) -> set[str]:
    """The methods of a class and the attributes that it sets."""
    return _of_self(ast.parse(inspect.getsource(cls)))


@pytest.mark.parametrize("module", [ordered, guarded, hot_route, connections], ids=lambda module: module.__name__)
def test_every_attribute_of_uvicorn_that_is_used_is_named_here(module: ModuleType) -> None:
    assert set(_taken(module)) <= PROTOCOL | FLOW


def _taken(module: ModuleType) -> Iterator[str]:
    """What the classes that extend uvicorn's use of it."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            extended = {HttpToolsProtocol, FlowControl}.intersection(getattr(module, node.name).__mro__)
            yield from (name for theirs in extended for name in _of_self(node) & _of(theirs))


def _of_self(tree: ast.AST) -> set[str]:
    """The methods defined here, and the attributes of `self` and `super()`."""
    nodes = list(ast.walk(tree))
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    attributes = (node for node in nodes if isinstance(node, ast.Attribute))
    return methods - {"__init__"} | {node.attr for node in attributes if ast.unparse(node.value) in ("self", "super()")}
