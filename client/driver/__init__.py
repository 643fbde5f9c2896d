"""The driver: `python -m client.driver` runs these clients for `mono-demo e2e`.

JSON lines, commands in on stdin, replies out on stdout, logs on stderr; `src/wire/driver.rs` is the
protocol. Commands run concurrently, and replies come in any order. End of input: what is in hand
ends, the connection drains, exit status 0. A line without an id to answer to: exit status 2.
"""
