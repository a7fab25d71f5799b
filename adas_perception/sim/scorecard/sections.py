"""YAML mappings that know their lines, and parameter sets read from them: a wrong field is named with its place."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from adas_perception.params import ParameterError, Params

P = TypeVar("P", bound=Params)


class Section(dict[str, Any]):
    """A mapping of a YAML file with the line of each key."""

    line: int = 0
    lines: dict[str, int]

    def line_of(self, key: str) -> int:
        """Return the line of a key, of the mapping itself when there is no such key."""
        return self.lines.get(key, self.line)


class _Loader(yaml.SafeLoader):
    """Safe YAML whose mappings are Sections."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a Section; raises a YAML error for a key that stands twice."""
        section = Section({str(k): v for k, v in super().construct_mapping(node, deep=True).items()})
        section.line = node.start_mark.line + 1
        section.lines = {}
        for key, _ in node.value:
            if key.value in section.lines:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' stands twice", problem_mark=key.start_mark)
            section.lines[key.value] = key.start_mark.line + 1
        return section  # type: ignore[return-value]


def _construct(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct)


def read_sections(path: Path) -> Section:
    """Read a file whose top is a mapping; raises ParameterError with file, line and remedy."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read ({error})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ParameterError(f"{path}:{line}: {error.problem or 'not YAML'}; correct the YAML") from None
    if not isinstance(content, Section):
        raise ParameterError(f"{path}:1: expected a mapping of names to values")
    return content


def demand(section: Section, place: str, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Check the keys of a section; ``place`` is the file. Raises ParameterError with the line."""
    required, known = tuple(required), (*required, *optional)
    for key in section:
        if key not in known:
            where = f"{place}:{section.line_of(key)}"
            raise ParameterError(f"{where}: there is no field '{key}'; known: {', '.join(known)}")
    for key in required:
        if key not in section:
            raise ParameterError(f"{place}:{section.line}: the field '{key}' is missing")


def as_section(value: Any, place: str, line: int, what: str) -> Section:
    """Return the value if it is a mapping; raises ParameterError with the line."""
    if not isinstance(value, Section):
        raise ParameterError(f"{place}:{line}: {what} must be a mapping, not {value!r}")
    return value


def build(kind: type[P], values: Section, place: str, *, skip: Iterable[str] = ()) -> P:
    """Return the parameter set of a section; raises ParameterError that names file, line and field."""
    chosen = {name: value for name, value in values.items() if name not in tuple(skip)}
    try:
        return kind.from_mapping(chosen, f"{place}:{values.line}")
    except ParameterError:
        # One field alone tells which line is wrong; if none does, they do not fit together.
        for name, value in chosen.items():
            kind.from_mapping({name: value}, f"{place}:{values.line_of(name)}")
        raise
