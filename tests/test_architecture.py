"""The house rules: who imports whom, that no route is unguarded, that no setting is a secret."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask

import pbxweb
from pbxweb.security.guard import PUBLIC, access_of
from pbxweb.security.roles import PERMISSIONS, Role, Scope
from pbxweb.settings import CHECKOUT, ENVIRONMENT, Settings

# The kernel from the ground up: a room imports only what stands below it.
KERNEL = (
    {"settings", "room", "destinations"},
    {"storage"},
    {"security"},
    {"changes"},
    {"asterisk"},
    {"live"},
    {"jobs", "web", "api"},
    {"owner", "worker", "supervisor", "lean"},
    {"runtime"},
    {"webserver"},
    {"serve"},
)
FLOOR = {name: number for number, names in enumerate(KERNEL) for name in names}
# A feature may use those before it: system -> calls -> extensions -> users.
FEATURES = pbxweb.ROOMS
ROOF = {"cli"}
PRIVATE = re.compile(r"(\w+_)?(views|forms|api|schemas)")
ONLY_IMPORTER = {
    "asterisk": "pbxweb.asterisk.ami",
    "apscheduler": "pbxweb.jobs.scheduler",
    "pyudev": "pbxweb.hardware.monitor",
    "bcrypt": "pbxweb.security.passwords",
    "jwt": "pbxweb.security.tokens",
    "flask_limiter": "pbxweb.security.limits",
}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((CHECKOUT / "pbxweb").rglob("*.py")):
        name = ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(file.read_text(encoding="utf-8"))


def _only_for_types(tree: ast.Module) -> set[int]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    return {id(inner) for block in blocks for statement in block.body for inner in ast.walk(statement)}


def _imports(tree: ast.Module, *, types: bool) -> Iterator[str]:
    """The modules that ``tree`` imports, ``from a import b`` as ``a.b``; those only for types, too, if asked for."""
    skipped = set() if types else _only_for_types(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


TREES = dict(_modules())


def test_the_kernel_imports_downwards_and_never_a_feature() -> None:
    wrong = []
    for module, tree in TREES.items():
        here = _room(module)
        if here not in FLOOR:
            continue
        for name in _imports(tree, types=False):
            there = _room(name) if name.startswith("pbxweb.") else ""
            if there in FEATURES or there in ROOF or (there in FLOOR and there != here and FLOOR[there] >= FLOOR[here]):
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_a_feature_imports_only_the_models_and_verbs_of_those_before_it() -> None:
    wrong = []
    for module, tree in TREES.items():
        here = _room(module)
        if here not in FEATURES:
            continue
        for name in _imports(tree, types=True):
            there = _room(name) if name.startswith("pbxweb.") else ""
            if there not in FEATURES or there == here:
                continue
            inner = name.split(".")[2]
            if FEATURES.index(there) > FEATURES.index(here) or PRIVATE.fullmatch(inner):
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_floor() -> None:
    rooms = {_room(module) for module in TREES} - {""}
    assert rooms - set(FLOOR) - set(FEATURES) - ROOF == set()


def test_no_module_imports_itself_by_a_detour() -> None:
    known = set(TREES)
    edges = {
        module: {n if n in known else n.rpartition(".")[0] for n in _imports(tree, types=False)} & known - {module}
        for module, tree in TREES.items()
        if module != "pbxweb"
    }
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for other in sorted(edges.get(module, ())):
            visit(other, [*path, module])
        done.add(module)

    for module in edges:
        visit(module, [])


def test_views_and_api_never_call_each_other() -> None:
    wrong = []
    for module, tree in TREES.items():
        mine = module.rsplit(".", 1)[-1]
        if not re.fullmatch(r"(\w+_)?(views|api)", mine) or _room(module) in ("web", "api"):
            continue
        other = "api" if mine.endswith("views") else "views"
        imported = [n for n in _imports(tree, types=True) if n.startswith(f"pbxweb.{_room(module)}.")]
        wrong += [f"{module} imports {n}" for n in imported if re.search(rf"\.(\w+_)?{other}(\.|$)", n)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("feature", FEATURES)
def test_what_renders_configuration_is_pure(feature: str) -> None:
    tree = TREES.get(f"pbxweb.{feature}.conf")
    if tree is None:
        return
    for name in _imports(tree, types=False):
        assert not re.match(r"flask|sqlalchemy|pbxweb\.storage|os\b|socket|subprocess", name), name


@pytest.mark.parametrize(("library", "importer"), ONLY_IMPORTER.items())
def test_a_library_with_sharp_edges_has_one_importer(library: str, importer: str) -> None:
    found = {m for m, tree in TREES.items() for n in _imports(tree, types=True) if n.split(".")[0] == library}
    allowed = re.compile(rf"{re.escape(importer)}(_\w+)?")
    assert all(allowed.fullmatch(module) for module in found), found


def test_every_route_names_its_permission(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            access = access_of(app.view_functions[rule.endpoint], method)
            assert access == PUBLIC or access in PERMISSIONS, f"{method} {rule.rule}"


def test_every_permission_is_used_and_the_administrator_holds_it(app: Flask) -> None:
    used = {
        access_of(app.view_functions[rule.endpoint], method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(PERMISSIONS) - used == set()
    assert all(scopes.get(Role.ADMIN) is Scope.ALL for scopes in PERMISSIONS.values())


def test_every_setting_is_in_the_handbook_with_its_default() -> None:
    handbook = (CHECKOUT / "docs" / "handbook" / "settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(PBXWEB_\w+)`", handbook)) - {"PBXWEB_CONFIG"}
    assert named == set(ENVIRONMENT.values())
    for field in fields(Settings):
        (line,) = [line for line in handbook.splitlines() if line.startswith(f"| `{ENVIRONMENT[field.name]}`")]
        if not isinstance(field.default, Path):
            shown = (
                {True: "yes", False: "no"}.get(field.default, field.default)
                if isinstance(field.default, bool)
                else field.default
            )
            assert f"`{shown}`" in line or shown == "", line


def test_no_file_grows_beyond_what_one_can_read() -> None:
    long = {
        str(file.relative_to(CHECKOUT)): lines
        for file in (CHECKOUT / "pbxweb").rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
