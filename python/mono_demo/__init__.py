"""Brokers, services and faults for tests: real `nats-server` processes, gone when the test is.

With pytest nothing needs to be imported: the fixtures are there once `mono-demo` is installed.
Elsewhere::

    from mono_demo import Session

    with Session() as session:
        broker = session.broker()
        broker.kill()
        broker.restart()
"""

from mono_demo._broker import Account, Broker, Cluster
from mono_demo._history import BrokenPromise, History, Operation, Verdict
from mono_demo._pipe import MonoDemoError
from mono_demo._proxy import Proxy
from mono_demo._scenarios import scenarios
from mono_demo._service import Service
from mono_demo._session import Session

__all__ = [
    "Account",
    "BrokenPromise",
    "Broker",
    "Cluster",
    "History",
    "MonoDemoError",
    "Operation",
    "Proxy",
    "Service",
    "Session",
    "Verdict",
    "scenarios",
]
