// Arithmetic by request-reply.

package client

import (
	"context"
	"math"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// Math asks `services.math.calculate`.
type Math struct{ nc *nats.Conn }

// NewMath is a client on the connection.
func NewMath(nc *nats.Conn) *Math { return &Math{nc} }

// MathReply is what Calculate returns: Result or, for a domain error, Error; never both.
type MathReply struct {
	Operation string   `json:"operation"`
	Result    *float64 `json:"result,omitempty"`
	Error     string   `json:"error,omitempty"`
}

type mathRequest struct {
	Operation string   `json:"operation"`
	A         float64  `json:"a"`
	B         *float64 `json:"b,omitempty"`
}

// Calculate returns the reply as it is; a domain error is a reply too. The operation is one of add,
// subtract, multiply, divide, power, sqrt; b is for all but sqrt, and nil leaves it out.
func (m *Math) Calculate(ctx context.Context, operation string, a float64, b *float64) (*MathReply, error) {
	for _, value := range []*float64{&a, b} {
		if value != nil && (math.IsNaN(*value) || math.IsInf(*value, 0)) {
			return nil, badInput("a number must be finite, not %v", *value)
		}
	}
	if !utf8.ValidString(operation) {
		return nil, badInput("the operation is not valid Unicode")
	}
	var reply MathReply
	if err := ask(ctx, m.nc, MathCalculate, mathRequest{operation, a, b}, &reply); err != nil {
		return nil, err
	}
	if reply.Operation == "" {
		reply.Operation = operation
	}
	if err := reply.settle(); err != nil {
		return nil, err
	}
	return &reply, nil
}

// settle leaves a result or an error. The original server writes `"result": 0` beside its errors:
// the error wins.
func (r *MathReply) settle() error {
	switch {
	case r.Error != "":
		r.Result = nil
	case r.Result == nil:
		return badReply("neither a number nor an error")
	}
	return nil
}

// Add is a + b.
func (m *Math) Add(ctx context.Context, a, b float64) (float64, error) {
	return m.number(ctx, "add", a, &b)
}

// Subtract is a - b.
func (m *Math) Subtract(ctx context.Context, a, b float64) (float64, error) {
	return m.number(ctx, "subtract", a, &b)
}

// Multiply is a × b.
func (m *Math) Multiply(ctx context.Context, a, b float64) (float64, error) {
	return m.number(ctx, "multiply", a, &b)
}

// Power is a to the power of b.
func (m *Math) Power(ctx context.Context, a, b float64) (float64, error) {
	return m.number(ctx, "power", a, &b)
}

// Divide is a / b; nil where b is zero.
func (m *Math) Divide(ctx context.Context, a, b float64) (*float64, error) {
	return m.numberOrNil(ctx, "divide", a, &b, b == 0)
}

// Sqrt is the square root of a; nil where a is negative.
func (m *Math) Sqrt(ctx context.Context, a float64) (*float64, error) {
	return m.numberOrNil(ctx, "sqrt", a, nil, a < 0)
}

func (m *Math) number(ctx context.Context, operation string, a float64, b *float64) (float64, error) {
	result, err := m.numberOrNil(ctx, operation, a, b, false)
	if err != nil {
		return 0, err
	}
	return *result, nil
}

// hasNone says that the operation is known to have no result for these numbers.
func (m *Math) numberOrNil(
	ctx context.Context, operation string, a float64, b *float64, hasNone bool,
) (*float64, error) {
	reply, err := m.Calculate(ctx, operation, a, b)
	switch {
	case err != nil:
		return nil, err
	case reply.Result != nil:
		return reply.Result, nil
	case hasNone:
		return nil, nil
	default:
		return nil, &Error{Kind: Domain, Definite: true, Message: reply.Error}
	}
}
