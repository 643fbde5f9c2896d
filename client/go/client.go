// Package client has clients for the services of mono-demo, over a connection of nats.go.
//
//	nc, err := nats.Connect("nats://localhost:4222")
//	sum, err := client.NewMath(nc).Add(ctx, 10, 5) // 15
//	err = client.NewEmail(nc).Send(ctx, client.Email{To: "user@example.com", Subject: "Hello"})
//	payments := client.NewPayment(nc)
//	ack, err := payments.Submit(ctx, client.Payment{ID: "pay-001", UserID: "user-123", Amount: "9.99"})
//	status, err := payments.WaitForStatus(ctx, "pay-001")
//
// The deadline of the context bounds a call; without one it is DefaultTimeout. Every error is an
// *Error that says whether the operation certainly did not happen. One file a pattern: math.go
// (request-reply), email.go (queue group), payment.go (JetStream). cmd/driver speaks for them to
// `mono-demo e2e`.
package client

import (
	"context"
	"time"
)

// DefaultTimeout is how long a call may take where its context has no deadline.
const DefaultTimeout = 5 * time.Second

func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}
