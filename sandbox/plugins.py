"""Finding plugins, keeping broken ones from breaking the rest, and looking up what they registered."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy

from sandbox import hookspecs
from sandbox.errors import PluginError
from sandbox.importing import uncollected
from sandbox.parts import Controller, Graph, Part, SystemPart, TaskPart
from sandbox.sources import SourceLoader, digest_of_file, digest_of_module
from sandbox.suggestions import did_you_mean, listed

GROUP = "sandbox"
OWN = "matter-sandbox"
BLOCK = "SANDBOX_BLOCK"

KINDS: dict[str, type[Part]] = {
    "graph": Graph,
    "system": SystemPart,
    "task": TaskPart,
    "controller": Controller,
}
_HOOKS = {f"register_{kind}s": kind for kind in KINDS}


@dataclass
class Plugin:
    """A plugin that was found.

    Attributes:
        state: ``"loaded"``, ``"failed"`` (see ``error``) or ``"blocked"`` by the user.
        hooks: names of the hooks it implements.
        registered: ``kind name`` of what it registered.
        module: the module that implements them.
    """

    name: str
    package: str
    version: str
    state: Literal["loaded", "failed", "blocked"] = "loaded"
    error: str = ""
    hooks: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    module: str = ""

    @cached_property
    def source(self) -> str:
        """SHA-256 of its source; empty for what comes with the sandbox, whose version says as much."""
        if self.package == OWN:
            return ""
        return digest_of_module(sys.modules.get(self.module), sys.modules.get(self.module.partition(".")[0]))

    def __str__(self) -> str:
        origin = f" ({self.package} {self.version})" if self.version else f" ({self.package})"
        return f"plugin {self.name!r}{origin if self.package else ''}"


class Parts(Mapping[str, type[Part]]):
    """Registered parts of one kind by name; a missing name is an error that offers the nearest."""

    def __init__(self, kind: str, found: list[Plugin] | None = None) -> None:
        self.kind = kind
        self._found = [] if found is None else found
        self.origin: dict[str, str] = {}
        self._parts: dict[str, type[Part]] = {}

    def __getitem__(self, name: str) -> type[Part]:
        if name not in self._parts:
            hint, known = did_you_mean(name, self._parts), listed(sorted(self._parts))
            absent = [f"{p.name} {p.state}" for p in self._found if p.state != "loaded"]
            note = f"; plugins that are not in use: {', '.join(absent)} (see `sandbox plugins`)" if absent else ""
            raise PluginError(f"there is no {self.kind} {name!r}; {hint}known: {known}{note}")
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._parts))

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def add(self, name: str, part: Any, origin: str) -> None:
        """Register a part.

        Raises:
            PluginError: if it is not a part of this kind, or the name is taken.
        """
        base = KINDS[self.kind]
        if not (isinstance(part, type) and issubclass(part, base)):
            raise PluginError(f"{self.kind} {name!r} must be a subclass of sandbox.parts.{base.__name__}; got {part!r}")
        if not isinstance(name, str) or not name.isidentifier():
            raise PluginError(f"{self.kind} {name!r}: a name is a plain word of letters, digits and underscores")
        if name in self._parts:
            raise PluginError(f"the {self.kind} {name!r} is already registered by plugin {self.origin[name]!r}")
        self._parts[name], self.origin[name] = part, origin

    def remove(self, origin: str) -> None:
        """Forget what a plugin registered."""
        for name in [n for n, o in self.origin.items() if o == origin]:
            del self._parts[name], self.origin[name]


class Plugins:
    """All plugins of a process."""

    def __init__(self, blocked: Iterable[str] = ()) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.found: list[Plugin] = []
        self.parts = {kind: Parts(kind, self.found) for kind in KINDS}
        blocked = set(blocked)
        for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
            self._load(entry, blocked)

    def _load(self, entry: EntryPoint, blocked: set[str]) -> None:
        package = entry.dist.name if entry.dist else "?"
        plugin = Plugin(entry.name, package, entry.dist.version if entry.dist else "?")
        first = next((p for p in self.found if p.name == plugin.name), None)
        self.found.append(plugin)
        if first is not None:
            plugin.state, plugin.error = "failed", f"the name {entry.name!r} is taken by {first}"
            return
        if entry.name in blocked:
            plugin.state = "blocked"
            return
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises, the rest go on
            plugin.state, plugin.error = "failed", f"cannot be imported: {type(error).__name__}: {error}"
            return
        self._adopt(plugin, module)

    def _adopt(self, plugin: Plugin, module: Any) -> None:
        """Register a module's hooks, in isolation: if any of it fails, none of it stays."""
        plugin.module = getattr(module, "__name__", "")
        try:
            _check_version(getattr(module, hookspecs.DECLARATION, 1))
            self.manager.register(module, name=plugin.name)
            callers = self.manager.get_hookcallers(module) or []
            plugin.hooks = sorted(c.name for c in callers)
            unknown = [h for h in plugin.hooks if not hasattr(hookspecs, h)]
            if unknown:
                hint = did_you_mean(unknown[0], dir(hookspecs), "; did you mean {!r}?")
                raise PluginError(f"implements an unknown hook {unknown[0]!r}{hint}")
            for caller in callers:
                if caller.name in _HOOKS:
                    self._register(plugin, module, caller)
        except (Exception, SystemExit) as error:
            said = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            plugin.state, plugin.error = "failed", said
            plugin.registered.clear()
            for parts in self.parts.values():
                parts.remove(plugin.name)
            if self.manager.is_registered(module):
                self.manager.unregister(module)

    def _register(self, plugin: Plugin, module: Any, caller: pluggy.HookCaller) -> None:
        parts = self.parts[_HOOKS[caller.name]]

        def register(name: str, part: type[Part]) -> None:
            parts.add(name, part, plugin.name)
            plugin.registered.append(f"{parts.kind} {name}")

        for implementation in caller.get_hookimpls():
            if implementation.plugin is module:
                implementation.function(register)

    def use(self, source: str | Path | ModuleType) -> Plugin:
        """Load a plugin from a Python file, or from a module at hand.

        Raises:
            PluginError: naming the plugin and what went wrong.
        """
        if isinstance(source, ModuleType):
            module, plugin = source, Plugin(source.__name__, "module", "")
        else:
            try:
                path = Path(source).resolve()
            except (OSError, ValueError, RuntimeError) as error:  # a null character, links in a circle
                raise PluginError(f"there is no plugin file {str(source)!r}: {error}") from None
            plugin = Plugin(path.stem, str(source), "")
            if not os.path.isfile(path):  # noqa: PTH113 (a path that cannot be one is no file)
                raise PluginError(f"there is no plugin file {str(source)!r}")
            module = _import_file(path)
            if digest_of_module(module, module) != digest_of_file(path):
                raise PluginError(
                    f"the plugin file {str(source)!r} has changed since this process loaded it; start a new process (a "
                    "notebook's is its kernel)"
                )
        known = next((p for p in self.found if p.name == plugin.name and p.state == "loaded"), None)
        if known is not None:
            if self.manager.get_plugin(known.name) is module:
                return known
            raise PluginError(f"a plugin named {plugin.name!r} is already loaded, from {known.package}")
        self._adopt(plugin, module)
        if plugin.state == "failed":
            raise PluginError(f"plugin {plugin.name!r}: {plugin.error}")
        self.found.append(plugin)
        return plugin

    def of(self, part: Part) -> Plugin | None:
        """The plugin that registered the class of a part."""
        for parts in self.parts.values():
            for name, known in parts.items():
                if known is type(part):
                    return next((p for p in self.found if p.name == parts.origin[name]), None)
        return None

    def notify(self, hook: str, **arguments: Any) -> list[str]:
        """Call an observers' hook on every plugin; errors are contained and returned as text."""
        said = [call(**arguments) for _, call in self.calls(hook)]
        return [problem for problem in said if problem]

    def calls(self, hook: str) -> Iterator[tuple[str, Callable[..., str]]]:
        """Names of the plugins that implement a hook, each with the call; it returns what went wrong, or nothing."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():

            def call(implementation: pluggy.HookImpl = implementation, /, **arguments: Any) -> str:
                try:
                    implementation.function(**{name: arguments[name] for name in implementation.argnames})
                except Exception as error:
                    return f"plugin {implementation.plugin_name!r}, {hook}: {type(error).__name__}: {error}"
                return ""

            yield implementation.plugin_name, call


def _check_version(version: object) -> None:
    if version in hookspecs.VERSIONS:
        return
    known = " and ".join(str(v) for v in sorted(hookspecs.VERSIONS))
    raise PluginError(
        f"is written for version {version!r} of the hooks, and this sandbox knows version {known}: install a sandbox "
        "or a release of the plugin that goes with the other"
    )


def _import_file(path: Path) -> ModuleType:
    name = f"sandbox_file_{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    if path.suffix != ".py":
        raise PluginError(f"{str(path)!r} is not a Python file")
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PluginError(f"plugin {path.name!r} cannot be imported: {type(error).__name__}: {error}") from error
    return module


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    """The plugins of this process, discovered at the first call.

    The environment variable ``SANDBOX_BLOCK`` names plugins to leave out, with commas between them.
    """
    with uncollected():
        return Plugins(_blocked())


def _blocked() -> list[str]:
    return [name for name in os.environ.get(BLOCK, "").split(",") if name]


def block(names: Iterable[str]) -> None:
    """Leave plugins out of this process, and of those that it starts; plugins are discovered anew.

    Raises:
        PluginError: for a name that no plugin has.
    """
    added = list(names)
    known = {entry.name for entry in entry_points(group=GROUP)}
    for name in added:
        if name not in known:
            hint = did_you_mean(name, known)
            raise PluginError(f"there is no plugin {name!r} to block; {hint}plugins: {listed(sorted(known))}")
    os.environ[BLOCK] = ",".join(dict.fromkeys([*_blocked(), *added]))
    plugins.cache_clear()


def use(source: str | Path | ModuleType) -> Plugin:
    """Load a plugin from a Python file or a module, for this process."""
    return plugins().use(source)
