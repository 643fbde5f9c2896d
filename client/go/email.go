// Emails through a queue group, fire-and-forget.

package client

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// Emails publishes to `services.notification.email-send`; each email reaches one worker.
//
// Core NATS keeps nothing: with no worker running, an email is gone. SendConfirmed tells.
type Emails struct{ nc *nats.Conn }

// NewEmail is a client on the connection.
func NewEmail(nc *nats.Conn) *Emails { return &Emails{nc} }

// Email is one email; the body may be left out.
type Email struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Body    string `json:"body,omitempty"`
}

// Send queues one email; it returns once the broker has it.
func (e *Emails) Send(ctx context.Context, email Email) error {
	message, err := email.message()
	if err != nil {
		return err
	}
	return Publish(ctx, e.nc, message)
}

// SendConfirmed queues one email; it returns once a worker has it, or with NoResponders.
func (e *Emails) SendConfirmed(ctx context.Context, email Email) error {
	message, err := email.message()
	if err != nil {
		return err
	}
	_, err = Request(ctx, e.nc, message)
	return err
}

// SendBulk queues all of them; the broker has them then. All are checked before the first is
// published: an error of the kind BadInput, which says at which index, means that none was.
func (e *Emails) SendBulk(ctx context.Context, emails []Email) error {
	messages := make([]*nats.Msg, len(emails))
	for index, email := range emails {
		message, err := email.message()
		if err != nil {
			return badInput("emails[%d]: %v", index, err)
		}
		messages[index] = message
	}
	if len(messages) == 0 {
		return nil
	}
	return Publish(ctx, e.nc, messages...)
}

func (email Email) message() (*nats.Msg, error) {
	for _, field := range []struct{ name, text string }{{"to", email.To}, {"subject", email.Subject}} {
		if strings.TrimSpace(field.text) == "" {
			return nil, badInput("%s must not be empty", field.name)
		}
		if strings.ContainsFunc(field.text, unicode.IsControl) {
			return nil, badInput("%s must not have control characters or line breaks", field.name)
		}
	}
	if !utf8.ValidString(fmt.Sprint(email.To, email.Subject, email.Body)) {
		return nil, badInput("the email is not valid Unicode")
	}
	payload, err := encode(email)
	if err != nil {
		return nil, err
	}
	return NewMsg(EmailSend, payload, nil)
}
