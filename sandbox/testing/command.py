"""``sandbox check``: the conformance kit on everything that a plugin registers."""

from __future__ import annotations

import json

from sandbox.errors import PluginError, printable
from sandbox.plugins import Plugin, plugins, use
from sandbox.suggestions import did_you_mean, listed
from sandbox.testing import check_part
from sandbox.validation.check import Check, print_table


def check_plugin(name: str, as_json: bool = False) -> bool:
    """Check a plugin, print what was measured, and return whether all is well.

    Args:
        name: of a plugin that was found, or the path of a Python file.
        as_json: print JSON in place of a table.

    Raises:
        PluginError: if there is no such plugin, or it could not be loaded.
    """
    plugin = find(name)
    checks: list[Check] = []
    skipped: dict[str, str] = {}
    for kind, part_name in (text.split(" ", 1) for text in plugin.registered):
        part = plugins().parts[kind][part_name]
        if part.trial.skip:
            skipped[f"{kind} {part_name}"] = part.trial.skip
        else:
            checks += check_part(part, f"{kind} {part_name}")
    if as_json:
        print(json.dumps({"checks": [check.row() for check in checks], "not tried": skipped}, indent=2))
    else:
        print_table(str(plugin), checks)
        for what, why in skipped.items():
            print(printable(f"{what} was not tried: it {why}"))
        if not plugin.registered:
            print(f"it registers no parts; its hooks: {', '.join(plugin.hooks) or 'none'}")
    return all(check.ok for check in checks)


def find(name: str) -> Plugin:
    """A loaded plugin by name, or from a file.

    Raises:
        PluginError: naming the nearest, or why the plugin is not in use.
    """
    if name.endswith(".py"):
        return use(name)
    found = {plugin.name: plugin for plugin in plugins().found}
    if name not in found:
        hint = did_you_mean(name, found)
        raise PluginError(f"there is no plugin {name!r}; {hint}plugins: {listed(found)}; or give a .py file")
    plugin = found[name]
    if plugin.state != "loaded":
        raise PluginError(f"the plugin {name!r} is {plugin.state}{': ' * bool(plugin.error)}{plugin.error}")
    return plugin
