package redisstore_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// A user may be allowed to subscribe to some channels only: the errors of the others are theirs alone.
func TestSubscriptionErrorsAreKeptPerChannel(t *testing.T) {
	t.Parallel()
	const refused, accepted = presence.Project("refused"), presence.Project("accepted")
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "some", "on", ">"+secret, "~*", "&*", "+@all")
	proxy := redistest.StartProxy(t, server.Addr)
	log := &lines{}
	url := "redis://some:" + secret + "@" + proxy.Addr
	s, err := redisstore.Open(t.Context(), url, redisstore.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	until(t, "wake-ups come", func() bool { return s.Ready(t.Context()) == nil })

	channels := []string{"ACL", "SETUSER", "some", "resetchannels", "&writer-presence:probe:*", "&" + redisstore.KeyOf(accepted)}
	server.Do(channels...)
	s.Watch(refused, func() {})
	until(t, "the error of the subscription is kept", func() bool { return s.SubscriptionError(refused) != nil })
	if err := s.SubscriptionError(refused); !strings.Contains(err.Error(), "NOPERM") || !strings.Contains(err.Error(), string(refused)) {
		t.Errorf("the error is %v; want one with NOPERM and the channel", err)
	}
	until(t, "the log has the error", func() bool { return log.count("Redis refuses a subscription") == 1 })
	s.Watch(accepted, func() {})
	until(t, "the other project is subscribed", func() bool { return s.Hears(accepted) })
	if s.SubscriptionError(refused) == nil {
		t.Error("the success of one subscription clears the error of another")
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("with an error of one project, the node is not ready: %v", err)
	}

	proxy.Starve() // the node notices that it hears nothing; the refused project is not why
	until(t, "the node is degraded", func() bool { err = s.Ready(t.Context()); return err != nil })
	if !strings.Contains(err.Error(), "wake-ups") || strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the node gives the reason %v; want no error of the refused project", err)
	}
	proxy.Pass()

	server.Do("ACL", "SETUSER", "some", "&*")
	until(t, "the refused project is subscribed", func() bool { return s.Hears(refused) && s.SubscriptionError(refused) == nil })
	until(t, "the log says that it is over", func() bool { return log.count("Redis accepts subscriptions again") == 1 })
}
