"""How long a call may take, over all of its steps."""

from __future__ import annotations

import asyncio
import sys

from .errors import BadInput
from .subjects import excerpt


class Deadline:
    """A point in time, for calls that have several steps within one timeout (seconds)."""

    def __init__(self, timeout: float) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise BadInput(f"timeout must be seconds, not a {type(timeout).__name__}")
        if not 0 < timeout <= sys.float_info.max:
            shown = excerpt(timeout)
            raise BadInput(f"timeout must be a number of seconds above zero, not {shown}")
        self.timeout = timeout
        self._at = asyncio.get_running_loop().time() + timeout

    def left(self) -> float:
        """Seconds that are left; 0 where it has passed."""
        return max(0.0, self._at - asyncio.get_running_loop().time())

    def __str__(self) -> str:
        return f"{self.timeout:g} s"
