// `call`: from a method's name and arguments to the typed clients.

package driver

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

// longest is what a clock can hold, and more than anybody waits.
const longest = (1 << 30) * time.Second

// method has parameters, those with a ? may be left out, and options beside `timeout`.
type method struct {
	parameters []string
	options    []string
	run        func(context.Context, *nats.Conn, *arguments) (any, error)
}

var methods = map[string]method{
	"math.add":       binary((*client.Math).Add),
	"math.subtract":  binary((*client.Math).Subtract),
	"math.multiply":  binary((*client.Math).Multiply),
	"math.power":     binary((*client.Math).Power),
	"math.divide":    binary((*client.Math).Divide),
	"math.sqrt":      {parameters: []string{"a"}, run: sqrt},
	"math.calculate": {parameters: []string{"operation", "a", "b?"}, run: calculate},
	"email.send_email": {
		parameters: []string{"to", "subject", "body?"},
		options:    []string{"confirm"},
		run:        sendEmail,
	},
	"email.send_bulk_emails": {parameters: []string{"emails"}, run: sendBulkEmails},
	"payment.submit_payment": {
		parameters: []string{"payment_id", "user_id?", "subscription_id?", "amount", "currency?"},
		run:        submitPayment,
	},
	"payment.get_status": {
		parameters: []string{"payment_id"},
		run: func(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
			return ofID(args, func(id string) (*client.Status, error) { return client.NewPayment(nc).Status(ctx, id) })
		},
	},
	"payment.wait_for_status": {
		parameters: []string{"payment_id"},
		run: func(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
			return ofID(args, func(id string) (*client.Status, error) {
				return client.NewPayment(nc).WaitForStatus(ctx, id)
			})
		},
	},
}

func call(ctx context.Context, _ *Driver, nc *nats.Conn, fields fields) (any, error) {
	name, err := fields.text("method")
	if err != nil {
		return nil, err
	}
	timeout, err := fields.timeout()
	if err != nil {
		return nil, err
	}
	method, known := methods[name]
	if !known {
		return nil, skip("this client library has no method " + name)
	}
	args, err := bind(name, method, fields)
	if err != nil {
		return nil, err
	}
	if seconds := args.optionalNumber("timeout"); seconds != nil {
		if timeout, err = duration(*seconds); err != nil {
			return nil, err
		}
	}
	if args.err != nil {
		return nil, args.err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, err := method.run(ctx, nc, args)
	if err == nil {
		err = args.err
	}
	return result, err
}

// duration is so many seconds, above zero; what a Duration cannot hold is more than anybody waits.
func duration(seconds float64) (time.Duration, error) {
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		return 0, badInput("timeout must be a number of seconds above zero, not %v", seconds)
	}
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second)), nil
}

func binary[T any](run func(*client.Math, context.Context, float64, float64) (T, error)) method {
	return method{
		parameters: []string{"a", "b"},
		run: func(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
			a, b := args.number("a"), args.number("b")
			if args.err != nil {
				return nil, args.err
			}
			return run(client.NewMath(nc), ctx, a, b)
		},
	}
}

func sqrt(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
	a := args.number("a")
	if args.err != nil {
		return nil, args.err
	}
	return client.NewMath(nc).Sqrt(ctx, a)
}

func calculate(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
	operation, a, b := args.text("operation"), args.number("a"), args.optionalNumber("b")
	if args.err != nil {
		return nil, args.err
	}
	return client.NewMath(nc).Calculate(ctx, operation, a, b)
}

func sendEmail(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
	email := client.Email{
		To: args.text("to"), Subject: args.text("subject"), Body: args.optionalText("body"),
	}
	confirm := args.flag("confirm")
	if args.err != nil {
		return nil, args.err
	}
	if confirm {
		return nil, client.NewEmail(nc).SendConfirmed(ctx, email)
	}
	return nil, client.NewEmail(nc).Send(ctx, email)
}

func sendBulkEmails(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
	var items []json.RawMessage
	args.read("emails", "a list", &items)
	emails := make([]client.Email, len(items))
	for n, item := range items {
		// As an object, or as [to, subject, body].
		var list []string
		if json.Unmarshal(item, &list) == nil && (len(list) == 2 || len(list) == 3) {
			emails[n] = client.Email{To: list[0], Subject: list[1]}
			if len(list) == 3 {
				emails[n].Body = list[2]
			}
		} else if json.Unmarshal(item, &emails[n]) != nil {
			return nil, badInput("emails[%d] is no email: %.80s", n, item)
		}
	}
	if args.err != nil {
		return nil, args.err
	}
	return len(emails), client.NewEmail(nc).SendBulk(ctx, emails)
}

func submitPayment(ctx context.Context, nc *nats.Conn, args *arguments) (any, error) {
	payment := client.Payment{
		ID:             args.text("payment_id"),
		UserID:         args.optionalText("user_id"),
		SubscriptionID: args.optionalText("subscription_id"),
		Amount:         args.amount("amount"),
		Currency:       args.optionalText("currency"),
	}
	if args.err != nil {
		return nil, args.err
	}
	return client.NewPayment(nc).Submit(ctx, payment)
}

func ofID(args *arguments, ask func(string) (*client.Status, error)) (any, error) {
	id := args.text("payment_id")
	if args.err != nil {
		return nil, args.err
	}
	return ask(id)
}
