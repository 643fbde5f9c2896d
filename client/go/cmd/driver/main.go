// The driver: these clients, for `mono-demo e2e`.
//
// JSON lines, commands in on stdin, replies out on stdout, logs on stderr; `src/wire/driver.rs` is
// the protocol. Commands run side by side, and replies come in any order. End of input: what is in
// hand ends, the connection drains, exit status 0. A line without an id to answer to: status 2.
package main

import (
	"os"

	"mono-demo.example/client/internal/driver"
)

func main() {
	protocol := os.Stdout
	os.Stdout = os.Stderr // whatever prints does not reach the protocol
	os.Exit(driver.New(protocol).Run(os.Stdin))
}
