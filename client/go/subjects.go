// The subjects of the contract, and the checks on what becomes part of one.

package client

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The subjects of the contract.
const (
	// MathCalculate is request-reply.
	MathCalculate = "services.math.calculate"
	// EmailSend is a queue group, fire-and-forget.
	EmailSend = "services.notification.email-send"
	// PaymentProcess is JetStream, stored by the stream PaymentRequests.
	PaymentProcess = "services.payment.payment-process"
	// PaymentRequests is the stream of what is submitted.
	PaymentRequests = "payment-requests"
	// PaymentStatus is request-reply.
	PaymentStatus = "services.payment.status"

	eventPrefix  = "payments.events"
	maxWordBytes = 1024
)

var paymentID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkPaymentID(id string) error {
	if !paymentID.MatchString(id) {
		return badInput("payment id %q is not 1 to 64 of A-Z a-z 0-9 _ -", excerpt(id))
	}
	return nil
}

// The broker itself stores messages under subjects with wildcards, and breaks the connection over
// one that is too long.
func checkPublishSubject(subject string) error {
	tokens, err := checkTokens(subject)
	if err != nil {
		return err
	}
	if slices.Contains(tokens, "*") || slices.Contains(tokens, ">") {
		return badInput("subject %q has a wildcard: one publishes to a literal one", excerpt(subject))
	}
	return nil
}

func checkSubscribeSubject(subject string) error {
	tokens, err := checkTokens(subject)
	if err != nil {
		return err
	}
	if slices.Contains(tokens[:len(tokens)-1], ">") {
		return badInput("subject %q has a > before its end", excerpt(subject))
	}
	return nil
}

// checkSubscription is of the subject and of the queue group, which may be empty: that is none.
func checkSubscription(subject, queueGroup string) error {
	if err := checkSubscribeSubject(subject); err != nil || queueGroup == "" {
		return err
	}
	return checkWord("queue group", queueGroup)
}

func checkTokens(subject string) ([]string, error) {
	if err := checkWord("subject", subject); err != nil {
		return nil, err
	}
	tokens := strings.Split(subject, ".")
	if slices.Contains(tokens, "") {
		return nil, badInput("subject %q has an empty token", excerpt(subject))
	}
	return tokens, nil
}

// checkWord is for what is one word of a protocol line: behind a blank, another would begin.
func checkWord(what, text string) error {
	switch {
	case text == "":
		return badInput("a %s must not be empty", what)
	case !utf8.ValidString(text):
		return badInput("%s %q is not valid Unicode", what, excerpt(text))
	case len(text) > maxWordBytes:
		return badInput("%s %q is longer than %d bytes", what, excerpt(text), maxWordBytes)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return badInput("%s %q has white space or a control character", what, excerpt(text))
	}
	return nil
}

// A bounded piece of what came in, for an error message.
func excerpt(text string) string {
	runes := []rune(text)
	if len(runes) <= 80 {
		return text
	}
	return string(runes[:77]) + "..."
}
