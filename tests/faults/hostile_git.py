"""Folders whose git configuration starts a program, or whose files of git lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

COMMIT, SECRET = "1f" * 20, "5e" * 20
"""What the folder is at, and what is written in files outside of it."""

CONFIGURATIONS = {
    "clean filter": '[filter "x"]\n\tclean = RUN\n\trequired = true',
    "smudge filter": '[filter "x"]\n\tsmudge = RUN',
    "filter process": '[filter "x"]\n\tprocess = RUN',
    "monitor": "[core]\n\tfsmonitor = RUN",
    "monitor, second version": "[core]\n\tfsmonitor = RUN\n\tfsmonitorHookVersion = 2",
    "hooks": "[core]\n\thooksPath = hooks",
    "ssh": '[core]\n\tsshCommand = RUN\n[remote "origin"]\n\turl = ssh://nowhere/x',
    "ssh variant": "[ssh]\n\tvariant = simple\n[core]\n\tsshCommand = RUN",
    "pager": "[core]\n\tpager = RUN",
    "pagers of commands": "[pager]\n\tstatus = RUN\n\trev-parse = RUN\n\tlog = RUN",
    "editor": "[core]\n\teditor = RUN\n[sequence]\n\teditor = RUN",
    "aliases": "[alias]\n\tstatus = !RUN\n\trev-parse = !RUN\n\tst = !RUN",
    "credentials": "[credential]\n\thelper = !RUN",
    "password": "[core]\n\taskPass = RUN",
    "text of a difference": '[diff "x"]\n\ttextconv = RUN',
    "command of a difference": '[diff "x"]\n\tcommand = RUN',
    "external difference": '[diff]\n\texternal = RUN\n\ttool = x\n[difftool "x"]\n\tcmd = RUN',
    "merge driver": '[merge "x"]\n\tdriver = RUN\n[mergetool "x"]\n\tcmd = RUN',
    "signatures": "[gpg]\n\tprogram = RUN\n[log]\n\tshowSignature = true\n[commit]\n\tgpgSign = true",
    "signatures by ssh": '[gpg]\n\tformat = ssh\n[gpg "ssh"]\n\tprogram = RUN\n\tdefaultKeyCommand = RUN',
    "proxy": "[core]\n\tgitProxy = RUN",
    "alternate refs": "[core]\n\talternateRefsCommand = RUN",
    "attributes elsewhere": '[core]\n\tattributesFile = evil.attributes\n[filter "x"]\n\tclean = RUN',
    "include": "[include]\n\tpath = evil.config",
    "include if": '[includeIf "gitdir:**"]\n\tpath = evil.config\n[includeIf "onbranch:**"]\n\tpath = evil.config',
    "include from outside": "[include]\n\tpath = OUTSIDE",
    "work tree elsewhere": "[core]\n\tworktree = /",
    "submodule": '[submodule "x"]\n\tupdate = !RUN\n\tpath = x\n\turl = ext::RUN',
    "transport": '[protocol "ext"]\n\tallow = always\n[remote "origin"]\n\turl = ext::RUN',
    "promised objects": '[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\turl = ext::RUN\n\tpromisor = true',
    "remote programs": '[remote "origin"]\n\turl = .\n\tuploadpack = RUN\n\treceivepack = RUN\n\tvcs = x',
    "packing": "[uploadpack]\n\tpackObjectsHook = RUN",
    "interactive": "[interactive]\n\tdiffFilter = RUN",
    "mail": "[sendemail]\n\tsmtpserver = RUN\n\ttoCmd = RUN",
    "browser": '[help]\n\tbrowser = x\n[browser "x"]\n\tcmd = RUN\n[man]\n\tviewer = x\n[man "x"]\n\tcmd = RUN',
    "trailers": '[trailer "x"]\n\tcommand = RUN\n\tcmd = RUN',
    "templates": "[init]\n\ttemplateDir = hooks",
    "tar": '[tar "x"]\n\tcommand = RUN',
    "maintenance": "[gc]\n\tauto = 1\n\trecentObjectsHook = RUN\n[maintenance]\n\tauto = true",
    "no configuration at all": "\x00\xff[[[",
}


def configured(folder: Path, name: str) -> Path:
    """A folder under git that would start ``RUN`` in every way that has a name here; returns a file outside of it."""
    outside = folder.parent / "outside.config"
    run = f"touch {folder / 'executed'} ;"
    outside.write_text(f"[core]\n\tfsmonitor = {run}\n")
    git = plain(folder)
    text = CONFIGURATIONS[name].replace("RUN", f'"{run}"').replace("OUTSIDE", str(outside))
    (git / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n{text}\n")
    (git / "evil.config").write_text(f'[core]\n\tfsmonitor = "{run}"\n')
    for attributes in (folder / ".gitattributes", git / "info" / "attributes", git / "evil.attributes"):
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text("* filter=x diff=x merge=x\n")
    (git / "hooks").mkdir()
    for hook in ("post-index-change", "reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        (git / "hooks" / hook).write_text(f"#!/bin/sh\n{run}\n")
        (git / "hooks" / hook).chmod(0o755)
    (folder / "file").write_text("changed\n")
    return outside


def plain(folder: Path, commit: str = COMMIT) -> Path:
    """A folder under git, at a commit of the branch ``main``; returns ``.git``."""
    git = folder / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "objects").mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text(f"{commit}\n")
    return git


def _head(text: str) -> Callable[[Path, Path], None]:
    return lambda folder, outside: _write(plain(folder) / "HEAD", text.replace("OUTSIDE", str(outside)))


def _replaced(name: str, make: Callable[[Path, Path], object]) -> Callable[[Path, Path], None]:
    """A file of git that is something else."""

    def change(folder: Path, outside: Path) -> None:
        path = plain(folder) / name
        path.unlink(missing_ok=True)
        make(path, outside)

    return change


def _pointing(text: str) -> Callable[[Path, Path], None]:
    return lambda folder, outside: _write(folder / ".git", text.replace("OUTSIDE", str(outside.parent)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _holes(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def _a_worktree(back: str, common: str) -> Callable[[Path, Path], None]:
    """A ``.git`` file that says it is a worktree's, of a folder that does not say so, or says too much."""

    def make(folder: Path, outside: Path) -> None:
        place = folder.parent / "other" / ".git" / "worktrees" / "x"
        for name, text in {"gitdir": back, "commondir": common, "HEAD": SECRET}.items():
            _write(place / name, text.replace("HERE", str(folder / ".git")).replace("OUTSIDE", str(outside.parent)))
        _write(folder / ".git", f"gitdir: {place}")

    return make


def _linked_folder(folder: Path, outside: Path) -> None:
    (folder.parent / "other").mkdir()
    (folder / ".git").symlink_to(plain(folder.parent / "other", SECRET))


def _linked_refs(folder: Path, outside: Path) -> None:
    git = plain(folder)
    (git / "refs" / "heads").rename(git / "gone")
    (git / "refs" / "heads").symlink_to(outside.parent)
    outside.with_name("main").write_text(SECRET)


PLACES: dict[str, Callable[[Path, Path], None]] = {
    "HEAD is a link out": _replaced("HEAD", _link),
    "HEAD is a device": _replaced("HEAD", lambda path, _: path.symlink_to("/dev/zero")),
    "HEAD is a pipe": _replaced("HEAD", lambda path, _: os.mkfifo(path)),
    "HEAD is a folder": _replaced("HEAD", lambda path, _: path.mkdir()),
    "HEAD is a link to itself": _replaced("HEAD", lambda path, _: path.symlink_to("HEAD")),
    "HEAD is of a terabyte": _replaced("HEAD", _holes),
    "HEAD names a file outside": _head("ref: OUTSIDE"),
    "HEAD climbs out": _head("ref: refs/../../../outside"),
    "HEAD climbs out, further in": _head("ref: refs/heads/../../../outside"),
    "HEAD has two lines": _head(f"{SECRET}\nref: refs/heads/main"),
    "HEAD goes in a circle": _head("ref: HEAD"),
    "HEAD has a null character": _head("ref: refs/heads/\0main"),
    "HEAD is nothing": _head(""),
    "a ref goes in a circle": _replaced("refs/heads/main", lambda path, _: _write(path, "ref: refs/heads/main")),
    "a ref is a link out": _replaced("refs/heads/main", _link),
    "a ref is a pipe": _replaced("refs/heads/main", lambda path, _: os.mkfifo(path)),
    "the refs are a link out": _linked_refs,
    "packed refs are a link out": _replaced(
        "refs/heads/main", lambda path, out: _link(path.parents[2] / "packed-refs", out)
    ),
    "packed refs are of a terabyte": _replaced(
        "refs/heads/main", lambda path, out: _holes(path.parents[2] / "packed-refs", out)
    ),
    ".git is a link out": _linked_folder,
    ".git is a pipe": lambda folder, _: os.mkfifo(folder / ".git"),
    ".git names a folder outside": _pointing("gitdir: OUTSIDE"),
    ".git climbs out": _pointing("gitdir: ../"),
    ".git names the devices": _pointing("gitdir: /dev"),
    ".git names nothing": _pointing("gitdir:"),
    ".git is a worktree of somebody else": _a_worktree("/somewhere/.git", "../.."),
    ".git is a worktree of another place": _a_worktree("HERE", "OUTSIDE"),
}
"""By name, how to make a folder whose files of git lead to a file outside, or nowhere; no commit can be told."""
