package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// subscribe listens to a channel until the context ends: again and again, since
// connections break. It tells when it begins to hear and when it no longer does.
func (s *Store) subscribe(ctx context.Context, channel string, shard int, hears func(bool), message func(string)) {
	confirmed := func(c rueidis.PubSubSubscription) { hears(begins(c)) }
	for ctx.Err() == nil {
		turn, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(s.probe.thisTurn(shard), cancel) // where it is deaf, it begins anew
		listening := rueidis.WithOnReceiveReturnHook(rueidis.WithOnSubscriptionHook(turn, confirmed), s.unsubscribe(channel))
		s.client.Receive(listening, s.subscription(channel), func(m rueidis.PubSubMessage) { message(m.Message) })
		stop()
		cancel()
		hears(false)
		select {
		case <-ctx.Done():
		case <-time.After(resubscribeAfter):
		}
	}
}

// begins tells whether a channel is listened to from now on, or no longer.
func begins(c rueidis.PubSubSubscription) bool {
	return c.Kind == "subscribe" || c.Kind == "ssubscribe"
}

func (s *Store) subscription(channel string) rueidis.Completed {
	if s.sharded {
		return s.client.B().Ssubscribe().Channel(channel).Build()
	}
	return s.client.B().Subscribe().Channel(channel).Build()
}

// unsubscribe has Redis send no more, which the end of a context alone does not.
func (s *Store) unsubscribe(channel string) func(error, rueidis.CommandClient) error {
	return func(err error, c rueidis.CommandClient) error {
		if c == nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		defer cancel()
		if s.sharded {
			c.Do(ctx, c.B().Sunsubscribe().Channel(channel).Build())
		} else {
			c.Do(ctx, c.B().Unsubscribe().Channel(channel).Build())
		}
		return err
	}
}

// publication sends a word to all who listen to a channel.
func (s *Store) publication(channel, text string) rueidis.Completed {
	if s.sharded {
		return s.client.B().Spublish().Channel(channel).Message(text).Build()
	}
	return s.client.B().Publish().Channel(channel).Message(text).Build()
}

// publishCommand is that command's name, for the scripts.
func (s *Store) publishCommand() string {
	if s.sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}
