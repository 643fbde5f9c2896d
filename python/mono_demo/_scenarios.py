"""Scenario files as tests of pytest."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from mono_demo._pipe import MonoDemoError, program


def scenarios(path: str | os.PathLike[str], *arguments: str) -> Callable[..., None]:
    """One test for each scenario of a suite, with the scenario's name as its id.

    In any file of tests::

        import mono_demo

        test_scenarios = mono_demo.scenarios("e2e/")

    ``path`` is a suite of `mono-demo e2e`, from the folder of this file; ``arguments`` are more of that
    command's, as ``"--tag", "fast"``.
    """
    import pytest

    caller = Path(inspect.stack()[1].filename).parent
    suite = caller / path
    names = _listed(suite, arguments)

    @pytest.mark.parametrize("scenario", names)
    def test_scenario(scenario: str) -> None:
        __tracebackhide__ = True
        problem = _run(suite, scenario, arguments)
        if problem is not None:
            pytest.fail(problem, pytrace=False)

    return test_scenario


def _listed(suite: Path, arguments: tuple[str, ...]) -> list[str]:
    command = [program(), "e2e", str(suite), "--list", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MonoDemoError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr}")
    return [scenario["name"] for scenario in json.loads(done.stdout)["scenarios"]]


def _run(suite: Path, scenario: str, arguments: tuple[str, ...]) -> str | None:
    """What went wrong, if something did."""
    command = [program(), "e2e", str(suite), scenario, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{done.stdout}{done.stderr}".rstrip()
