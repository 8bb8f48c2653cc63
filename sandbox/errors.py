"""The errors a user can meet.

Every message says what was given, where, what was expected, and the likely mend. The command prints the message
alone (no traceback) and exits with status 2.
"""


def printable(text: str) -> str:
    """Text in which characters that could steer a terminal are written out as escapes; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


WITHOUT_MEMORY = (
    "failed to map segment from shared object",  # the loader of programs, of a module that is imported
    "Cannot allocate memory",  # the system
    "Virtual memory allocation",  # Taichi, of its pool
    "std::bad_alloc",
    "can't start new thread",  # Python, of a thread's stack
)
"""What programs that have no error of their own for it say where memory ends."""


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory, or the part of it that the process may use, came to an end."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, ImportError | OSError | RuntimeError) and any(s in str(error) for s in WITHOUT_MEMORY)


class SandboxError(Exception):
    """Base of all errors that describe a mistake in what the sandbox was given, or a result it cannot vouch for."""


class NetworkError(SandboxError):
    """A network that cannot be built or relaxed: bad edges, disconnected parts, floppy modes, unknown groups."""


class LawError(SandboxError):
    """An energy expression that cannot be read, differentiated or compiled."""


class BoundaryError(SandboxError):
    """Clamps, loads or springs that do not fit the network they are applied to."""


class SceneError(SandboxError):
    """A scene file that is malformed or names things that do not exist."""


class PluginError(SandboxError):
    """A plugin that cannot be found, imported or registered, or that clashes with another."""


class PluginFault(PluginError):  # noqa: N818 (a fault of a program, not of what it was given)
    """A plugin that raised, in the middle of what it was asked to do, what is no error about its settings.

    The message names the plugin, its package and the line; the cause is what was raised.
    """


class RunError(SandboxError):
    """A run folder that cannot be written or read."""


class InUse(RunError):  # noqa: N818 (it says how the folder is)
    """A run folder that another process or thread holds."""


class Unconverged(SandboxError):  # noqa: N818 (it says how a run ended)
    """A run whose state is no minimum. What it computed is in its folder, with the status."""


class SweepError(SandboxError):
    """A sweep that cannot be planned, begun or gone on with."""
