// Payments through JetStream, charged once however often they are submitted.

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

const (
	// The service refuses a longer user or subscription.
	maxFieldBytes = 256
	// An event is a core message and can be missed across a reconnect: ask at least this often.
	askEvery = time.Second
	// Where nobody answered, there is no event to wait for.
	askAgain = 100 * time.Millisecond
	// One answer that gets lost must not use up the whole wait.
	askTimeout = 2 * time.Second
	// How long WaitForStatus waits where its context has no deadline.
	waitTimeout = 30 * time.Second
)

// Payments submits to `services.payment.payment-process`, and asks `services.payment.status`.
type Payments struct{ nc *nats.Conn }

// NewPayment is a client on the connection.
func NewPayment(nc *nats.Conn) *Payments { return &Payments{nc} }

// Payment is what to pay.
type Payment struct {
	// ID is 1 to 64 of A-Z a-z 0-9 _ -.
	ID string
	// UserID and SubscriptionID may be left out.
	UserID, SubscriptionID string
	// Amount is decimal text, as "9.99"; it goes out as a JSON number with exactly these digits.
	Amount string
	// Currency is ISO 4217; left out means USD.
	Currency string
}

type submission struct {
	PaymentID      string      `json:"payment_id"`
	UserID         string      `json:"user_id,omitempty"`
	SubscriptionID string      `json:"subscription_id,omitempty"`
	Amount         json.Number `json:"amount"`
	Currency       string      `json:"currency,omitempty"`
}

// Status is what is known of a payment.
type Status struct {
	PaymentID string `json:"payment_id"`
	// Status is `pending`, `processing`, `completed` or `failed`; the last two never change.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	// Amount is exact, and comes with Currency once known.
	Amount   json.Number `json:"amount,omitempty"`
	Currency string      `json:"currency,omitempty"`
	// Content is the SHA-256, in hex, of what was submitted: it tells which of two submissions with
	// the same id counted.
	Content string `json:"content,omitempty"`
}

// IsFinal says that the status never changes any more.
func (s *Status) IsFinal() bool { return s.Status == "completed" || s.Status == "failed" }

// Submit hands a payment to JetStream; from the Ack on it is neither lost nor charged twice. After
// an error that is not Definite, submit the same again: it is charged once.
//
// Duplicate says that a message with this id came shortly before. Whose it was, nothing tells:
// anybody may put this id on another payment. So this one is then stored without the message id,
// which cannot charge it twice; Sequence is that of the other one.
func (p *Payments) Submit(ctx context.Context, payment Payment) (*Ack, error) {
	message, err := payment.message()
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	ack, err := Submit(ctx, p.nc, message)
	if err != nil || !ack.Duplicate {
		return ack, err
	}
	message.Header.Del(nats.MsgIdHdr)
	if _, err := Submit(ctx, p.nc, message); err != nil {
		return nil, err
	}
	return ack, nil
}

func (payment Payment) message() (*nats.Msg, error) {
	if err := checkPaymentID(payment.ID); err != nil {
		return nil, err
	}
	for _, field := range []string{payment.UserID, payment.SubscriptionID} {
		if len(field) > maxFieldBytes {
			return nil, badInput("user and subscription are at most %d bytes long", maxFieldBytes)
		}
		// encoding/json would put U+FFFD in its place.
		if !utf8.ValidString(field) {
			return nil, badInput("user and subscription must be valid Unicode")
		}
	}
	currency := payment.Currency
	if currency == "" {
		currency = DefaultCurrency
	}
	amount, err := AmountToken(payment.Amount, currency)
	if err != nil {
		return nil, err
	}
	payload, err := encode(submission{
		payment.ID, payment.UserID, payment.SubscriptionID, json.Number(amount), payment.Currency,
	})
	if err != nil {
		return nil, err
	}
	// What another stream stores no worker takes.
	return NewMsg(PaymentProcess, payload, map[string][]string{
		nats.ExpectedStreamHdr: {PaymentRequests},
		nats.MsgIdHdr:          {payment.ID},
	})
}

// Status is what is known now. An id that was never seen, or is not yet processed, is `pending`.
func (p *Payments) Status(ctx context.Context, paymentID string) (*Status, error) {
	if err := checkPaymentID(paymentID); err != nil {
		return nil, err
	}
	var status Status
	request := map[string]string{"payment_id": paymentID}
	if err := ask(ctx, p.nc, PaymentStatus, request, &status); err != nil {
		return nil, err
	}
	known := map[string]bool{"pending": true, "processing": true, "completed": true, "failed": true}
	if status.PaymentID != paymentID || !known[status.Status] {
		return nil, badReply("not a status of payment %s: %+v", paymentID, status)
	}
	// As text it is no larger than a number in JSON may be.
	if _, err := status.Amount.Float64(); status.Amount != "" && err != nil {
		return nil, badReply("the status of payment %s has an amount out of range", paymentID)
	}
	return &status, nil
}

// WaitForStatus is the final status, as soon as there is one. It outlasts a restart of the service
// or the broker.
func (p *Payments) WaitForStatus(ctx context.Context, paymentID string) (*Status, error) {
	if err := checkPaymentID(paymentID); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx, waitTimeout)
	defer cancel()
	changed := make(chan struct{}, 1)
	// First subscribe, then ask: a change between the two is not missed.
	subscription, err := Subscribe(ctx, p.nc, eventPrefix+"."+paymentID, "", func(*nats.Msg) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = subscription.Unsubscribe() }()
	last := "no answer yet"
	for ctx.Err() == nil {
		status, err := p.statusSoon(ctx, paymentID)
		pause := askEvery
		switch {
		case err == nil && status.IsFinal():
			return status, nil
		case err == nil:
			last = "the status is " + status.Status
		case passes(err) && !p.nc.IsClosed():
			last, pause = err.Error(), askAgain
		default:
			return nil, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	message := fmt.Sprintf("payment %s has no final status in time: %s", paymentID, last)
	return nil, &Error{Kind: Timeout, Message: message, cause: ctx.Err()}
}

func (p *Payments) statusSoon(ctx context.Context, paymentID string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return p.Status(ctx, paymentID)
}

// passes says whether a restart of a service or the broker explains it.
func passes(err error) bool {
	var known *Error
	if is(err, Service) {
		known = err.(*Error)
		return known.Code >= 500
	}
	return is(err, NoResponders) || is(err, Timeout) || is(err, Connection)
}
