"""Becomes another program that the kernel kills when the process that started it dies.

Run by path as ``die_with_parent.py PARENT_PID PROGRAM [ARGUMENT…]``. It sets
``PR_SET_PDEATHSIG`` (prctl(2)) on itself and then executes the program, which keeps the setting:
nothing runs between fork and exec in the parent, where threads make that unsafe. The signal is
SIGKILL, since nothing that such a program holds outlives its run directory.

This is the belt to the guardian's braces: it also covers a child that was started and not yet
told to the guardian. The kernel sends the signal when the *thread* that forked ends, so programs
are started from a thread that lives as long as the process: the main one.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_CANNOT_EXECUTE = 126


def wrap(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that starts ``command`` bound to the life of the calling process."""
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), *command)


def main(arguments: list[str]) -> int:
    """Bind this process's life to its parent's, then become the program."""
    parent, program = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        message = f"prctl: {os.strerror(ctypes.get_errno())}"
        print(message, file=sys.stderr)  # noqa: T201 - standard error is the program's log
        return _CANNOT_EXECUTE
    if os.getppid() != parent:
        return 0  # it died before the setting took hold, so no signal would ever come
    try:
        os.execv(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - as above
        return _CANNOT_EXECUTE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
