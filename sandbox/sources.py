"""Sources of plugins, and digests by which a changed one is told."""

from __future__ import annotations

import hashlib
import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

MOST_FILES = 1000
"""Source files of a package, beyond which it is told by its version alone."""


class SourceLoader(SourceFileLoader):
    """A loader of one file that keeps the digest of the source that it compiled.

    It passes over a compiled file beside the source, which may be of another source of the same second.

    Attributes:
        digest: SHA-256, in hexadecimal digits.
    """

    digest = ""

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        self.digest = hashlib.sha256(content).hexdigest()
        return self.source_to_code(content, self.path)


def digest_of_module(module: ModuleType | None, top: ModuleType | None) -> str:
    """Digest the source of a module by SHA-256: what its loader compiled, or all files of its package as they are now.

    Args:
        top: the package that it is in, or the module itself.

    Returns:
        Hexadecimal digits; nothing for a module without a file, and for a package of too many.
    """
    loader = getattr(module, "__loader__", None)
    if isinstance(loader, SourceLoader):
        return loader.digest
    origin = getattr(top, "__file__", None)
    if origin is None or not os.path.isfile(origin):  # noqa: PTH113 (built-in modules have odd names)
        return ""
    path = Path(origin)
    if path.name != "__init__.py":
        return digest_of_file(path)
    files = sorted(p for p in path.parent.rglob("*.py") if p.is_file())
    if len(files) > MOST_FILES:
        return ""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(path.parent)} {digest_of_file(file)}\n".encode())
    return total.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a source file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
