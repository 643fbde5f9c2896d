"""A driver that does one thing wrong: `bad_driver.py FAULT COMMAND…`.

Between the checker and a good driver, it changes what passes, so that the check of that name has
something to find.
"""

import base64
import json
import os
import queue
import subprocess
import sys
import threading

FAULT, COMMAND = sys.argv[1], sys.argv[2:]
good = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
asked = {}
said_hello = False
turn = threading.Semaphore(1)
waiting = queue.Queue()


def say(reply):
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def ok(command, result):
    say({"id": command["id"], "ok": result})


def forward(command):
    good.stdin.write(json.dumps(command).encode() + b"\n")
    good.stdin.flush()


def command_passes(command):
    """Forwards it, changed or not; or answers in the good driver's place."""
    global said_hello
    op = command["op"]
    asked[command["id"]] = command
    if op == "hello":
        said_hello = True
    if FAULT == "noise" and op == "hello":
        print("connected!", flush=True)
    if FAULT == "wrong-version" and op == "hello":
        command["protocol"] = 1
    if FAULT == "hello-first" and op == "request" and not said_hello:
        return ok(command, {"subject": "x", "payload_base64": ""})
    if FAULT == "subscribe-barrier" and op == "subscribe":
        return ok(command, {"subscription": 1})
    if FAULT in ("publish-barrier", "drain") and op == "publish":
        return ok(command, {})
    if FAULT == "unsubscribe" and op == "unsubscribe":
        return ok(command, {})
    if FAULT == "headers" and op == "publish":
        command["headers"] = {k: v[-1:] for k, v in command.get("headers", {}).items()}
    if FAULT == "queue-group" and op == "subscribe":
        command["queue_group"] = None
    if FAULT == "bytes" and op == "publish":
        text = base64.b64decode(command["payload_base64"]).decode(errors="replace")
        command["payload_base64"] = base64.b64encode(text.encode()).decode()
    if FAULT == "reconnect" and op == "publish":
        err = {"kind": "connection", "definite": True, "message": "gone for good"}
        return say({"id": command["id"], "err": err})
    forward(command)


ERRS = {
    "no-broker": {"definite": False},
    "no-responders": {"kind": "timeout"},
    "timeout": {"definite": True},
    "next-timeout": {"kind": "other"},
    "no-time": {"kind": "timeout"},
    "cut-off": {"definite": True},
    "no-stream": {"kind": "no_responders"},
    "max-payload": {"kind": "connection"},
    "bad-subject": {"kind": "other"},
    "credentials": {"kind": "connection"},
    "refused": {"kind": "timeout", "definite": False},
}


def reply_passes(reply):
    op = asked[reply["id"]]["op"]
    if "err" in reply:
        reply["err"].update(ERRS.get(FAULT, {}))
    if "skip" in reply and FAULT in ("unknown-op", "unknown-method"):
        reply["ok"] = reply.pop("skip")
    if FAULT == "ids":
        reply["id"] = reply["id"] % (1 << 32)
    if "ok" in reply:
        if FAULT == "hello" and op == "hello":
            del reply["ok"]["capabilities"]
        if FAULT == "order" and op == "next":
            reply["ok"]["payload_base64"] = "AA=="
        if FAULT == "request" and op == "request":
            reply["ok"]["headers"] = {}
        if FAULT == "submit" and op == "submit":
            reply["ok"]["duplicate"] = False
    say(reply)
    if FAULT == "side-by-side":
        turn.release()


def replies():
    for line in good.stdout:
        reply_passes(json.loads(line))


def one_at_a_time():
    """Passes a command on once the one before it is answered."""
    while True:
        command = waiting.get()
        turn.acquire()
        command_passes(command)


threading.Thread(target=one_at_a_time, daemon=True).start()
reader = threading.Thread(target=replies, daemon=True)
reader.start()
for line in sys.stdin:
    try:
        command = json.loads(line)
    except ValueError:
        if FAULT == "bad-line":
            os._exit(0)
        good.stdin.write(line.encode())
        continue
    # In the order of its input, beside which the end of input is seen.
    waiting.put(command) if FAULT == "side-by-side" else command_passes(command)
if FAULT == "end-of-input":
    os._exit(0)
good.stdin.close()
status = good.wait()
reader.join()
if FAULT == "no-input" and not asked:
    status = 3
sys.stdout.flush()
os._exit(status)
