"""Options of a command in groups: a dataclass for each group, of which every field is an option."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer can read it: one parameter for each field of its parameters that are dataclasses.

    `--help` lists the fields of a dataclass in a panel that its docstring names.
    """
    parameters = signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in parameters if is_dataclass(each.annotation)}

    @wraps(command)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        command(**values)

    flat = [option for each in parameters for option in (_options(each.annotation) if each.name in groups else [each])]
    by_name = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in flat]
    run.__signature__ = Signature(by_name)  # type: ignore[attr-defined]  # which inspect.signature looks for
    return run


def _options(group: Any) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        kind, shared = get_args(hints[field.name])
        option = copy(shared)
        option.rich_help_panel = group.__doc__.rstrip(".")
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[kind, option])
