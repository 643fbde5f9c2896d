// Dispatches parcels: takes each from the stream PARCELS, hands it to a carrier, and files what came
// of it.
//
// A parcel is {"id", "customer", "weight"} on parcels.new. One that a carrier takes is
// {"id", "status": "dispatched"} in the stream DISPATCHED; one that no carrier ever takes is a dead
// letter, {"id", "status": "refused"} in the stream DEAD. A carrier may be away for a while: then the
// parcel is tried again, half a second later.
//
// PLANT=nak tries again at once instead: all attempts are used up while the carrier is away.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Each death of a worker or of the broker costs one, too.
const attempts = 20

var errAway = errors.New("the carrier is away")

type parcel struct {
	ID       string  `json:"id"`
	Customer string  `json:"customer"`
	Weight   float64 `json:"weight"`
	// How long the carrier is away when it is asked first, milliseconds.
	AwayMs int `json:"away_ms"`
}

type outcome struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func main() {
	log.SetFlags(0)
	nc, err := nats.Connect(os.Getenv("NATS_URL"),
		nats.UserInfo(os.Getenv("NATS_USER"), os.Getenv("NATS_PASSWORD")),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	consumer, err := prepare(js)
	if err != nil {
		log.Fatal(err)
	}
	worker := &worker{js: js, again: func(m jetstream.Msg) error { return m.NakWithDelay(500 * time.Millisecond) }}
	if os.Getenv("PLANT") == "nak" {
		worker.again = jetstream.Msg.Nak
	}
	// What waits here for its turn must not wait longer than AckWait: it would be delivered again.
	consuming, err := consumer.Consume(worker.handle, jetstream.PullMaxMessages(5))
	if err != nil {
		log.Fatal(err)
	}
	log.Print("dispatch: ready")
	stop, done := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer done()
	<-stop.Done()
	consuming.Drain()
	<-consuming.Closed()
	nc.Close()
}

func prepare(js jetstream.JetStream) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for name, subject := range map[string]string{
		"PARCELS": "parcels.new", "DISPATCHED": "parcels.dispatched.*", "DEAD": "parcels.dead.*",
	} {
		config := jetstream.StreamConfig{Name: name, Subjects: []string{subject}}
		if _, err := js.CreateOrUpdateStream(ctx, config); err != nil {
			return nil, err
		}
	}
	return js.CreateOrUpdateConsumer(ctx, "PARCELS", jetstream.ConsumerConfig{
		Durable: "dispatch", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 2 * time.Second, MaxDeliver: attempts,
	})
}

type worker struct {
	js    jetstream.JetStream
	again func(jetstream.Msg) error
}

// Files what came of a parcel, and acknowledges it then. A parcel that comes again is filed once: the
// server takes one message a subject.
func (w *worker) handle(m jetstream.Msg) {
	var p parcel
	if err := json.Unmarshal(m.Data(), &p); err != nil {
		m.Term()
		return
	}
	metadata, err := m.Metadata()
	if err != nil {
		return
	}
	switch err := carry(p, metadata); {
	case err == nil:
		err = w.file("parcels.dispatched."+p.ID, outcome{p.ID, "dispatched"})
		w.settle(m, err)
	case errors.Is(err, errAway) && metadata.NumDelivered < attempts:
		w.again(m)
	case errors.Is(err, errAway):
		w.settle(m, w.file("parcels.dead."+p.ID, outcome{p.ID, "given up"}))
	default:
		w.settle(m, w.file("parcels.dead."+p.ID, outcome{p.ID, "refused"}))
	}
}

func (w *worker) settle(m jetstream.Msg, err error) {
	if err == nil {
		m.Ack()
	} // Else the broker is away, and the parcel is delivered again.
}

func (w *worker) file(subject string, what outcome) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = w.js.Publish(ctx, subject, body, jetstream.WithExpectLastSequencePerSubject(0))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return nil // It is filed already.
	}
	return err
}

// The carrier, who takes what is light enough, when he is there.
func carry(p parcel, m *jetstream.MsgMetadata) error {
	if time.Since(m.Timestamp) < time.Duration(p.AwayMs)*time.Millisecond {
		return errAway
	}
	if p.Weight > 30 {
		return errors.New("too heavy")
	}
	return nil
}
