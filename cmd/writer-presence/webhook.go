package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/writer-presence/writer-presence/internal/announce"
	"github.com/writer-presence/writer-presence/internal/webhook"
)

// validateWebhook returns an error for flags of webhooks that cannot be used.
func (s *settings) validateWebhook() error {
	switch {
	case s.webhookURL == "" && s.webhookSecretFile == "":
		return nil
	case s.webhookURL == "":
		return errors.New("--webhook-secret-file: give --webhook-url too, the address to send to")
	case s.webhookSecretFile == "":
		return errors.New("--webhook-url: give --webhook-secret-file too, with the secret by which the receiver recognises this server")
	}
	if err := webhook.CheckAddress(s.webhookURL); err != nil {
		return fmt.Errorf("--webhook-url: %w", err)
	}
	return nil
}

// webhook returns the sender to --webhook-url, nil without that flag.
func (s *settings) webhook(log *slog.Logger) (*webhook.Sender, error) {
	secrets, err := s.webhookSecrets(log)
	if err != nil || s.webhookURL == "" {
		return nil, err
	}
	return webhook.New(s.webhookURL, secrets, log)
}

// webhookSecrets reads --webhook-secret-file. It returns none without that flag.
func (s *settings) webhookSecrets(log *slog.Logger) (webhook.Secrets, error) {
	if s.webhookSecretFile == "" {
		return webhook.Secrets{}, nil
	}
	secrets, err := webhook.ReadSecrets(s.webhookSecretFile)
	if err != nil {
		return webhook.Secrets{}, fmt.Errorf("--webhook-secret-file: %w", err)
	}
	if mode, shared := sharedMode(s.webhookSecretFile); shared {
		log.Warn("every user of this machine can access the secret of --webhook-secret-file and sign webhooks: run chmod 600 on it, unless it is mounted for this process alone", "file", s.webhookSecretFile, "mode", mode)
	}
	return secrets, nil
}

// webhookHost returns the host of --webhook-url. The rest may be a secret.
func (s *settings) webhookHost() string {
	if u, err := url.Parse(s.webhookURL); err == nil && u.Host != "" {
		return u.Host
	}
	return "none"
}

// logsEvents reports whether events are logged for listeners: only if the host API is on at the start, since a key that
// comes with a reload comes too late for that.
func (s *settings) logsEvents() bool { return s.apiKeyFile != "" }

// announce passes on the events of the store until ctx ends: to the receiver of webhooks, nil for none, and to the log that
// the host API reads. Without both it does nothing.
func (s *settings) announce(ctx context.Context, store store, sender *webhook.Sender, log *slog.Logger) {
	o := announce.Options{Store: store, LogEvents: s.logsEvents(), Log: log}
	if sender != nil {
		o.Send = sender.Send
	}
	if o.Send != nil || o.LogEvents {
		announce.New(o).Run(ctx)
	}
}
