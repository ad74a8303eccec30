package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/internal/webhook"
)

// reloader applies changed settings to a running server.
type reloader struct {
	started *settings
	// values are those in effect.
	values  values
	handler *httpapi.Handler
	api     *hostapi.Handler
	sender  *webhook.Sender // nil without --webhook-url
	made    *reused
	level   *slog.LevelVar
	log     *slog.Logger
}

// newReloader returns a reloader of the settings with which the server starts.
func newReloader(s *settings, handler *httpapi.Handler, api *hostapi.Handler, sender *webhook.Sender, made *reused, level *slog.LevelVar, log *slog.Logger) *reloader {
	return &reloader{s, s.values(), handler, api, sender, made, level, log}
}

// run reloads at each SIGHUP until ctx ends.
func (r *reloader) run(ctx context.Context) {
	for {
		select {
		case <-r.started.hangups:
			if err := r.reload(); err != nil {
				r.log.Error("the configuration cannot be used, so the server keeps the one that it has", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// reload reads all settings, keys and secrets again, and applies the new values of the flags that are marked [reloadable].
// If any of them cannot be used, it applies none.
func (r *reloader) reload() error {
	written, err := r.started.reread(nil)
	if err != nil {
		return err
	}
	s, err := r.started.reread(r.started.set)
	if err != nil { // the file is valid, and so fits a start
		return fmt.Errorf("it does not fit the settings that only a start applies, so restart the server: %w", err)
	}
	made := r.made.next()
	o, err := s.handlerOptions(made, r.log)
	if err != nil {
		return err
	}
	keys, err := s.apiKeys(r.log)
	if err != nil {
		return err
	}
	secrets, err := s.webhookSecrets(r.log)
	if err != nil {
		return err
	}
	if err := r.handler.Reload(o); err != nil {
		return err
	}
	if r.sender != nil {
		r.sender.SetSecrets(secrets)
	}
	r.api.SetKeys(keys)
	r.level.Set(s.level)
	values := s.values()
	changed, _ := differing(s.set, r.values, values)
	_, later := differing(written.set, values, written.values())
	r.log.Info("reloaded the configuration", "changed", changed, "changed_but_needs_a_restart", later)
	r.values, r.made = values, made
	return nil
}

// reread returns valid settings from the same command line and variables, and from the file of --config as it is now. The
// flags that are not marked [reloadable] keep the values that they have in keep, unless it is nil.
func (s *settings) reread(keep *pflag.FlagSet) (*settings, error) {
	next := &settings{env: s.env}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	next.flags(flags)
	addConfigFlag(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		if given := s.set.Lookup(f.Name); given.Changed && given.Annotations[sourceOfValue] == nil {
			copyValue(f, given)
		}
	})
	if err := readSettings(flags, flags, s.env); err != nil {
		return nil, err
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if keep != nil && f.Annotations[reloadable] == nil {
			copyValue(f, keep.Lookup(f.Name))
		}
	})
	return next, next.validate()
}

// copyValue gives a flag the value of another one of the same type.
func copyValue(to, from *pflag.Flag) {
	// The errors are about invalid texts, and these values have been set before.
	if list, ok := to.Value.(pflag.SliceValue); ok {
		_ = list.Replace(from.Value.(pflag.SliceValue).GetSlice())
	} else {
		_ = to.Value.Set(from.Value.String())
	}
	to.Changed = from.Changed
}

// values are the values of all flags, by name, for comparison. That of a file with [hasContent] has a digest of the content.
type values map[string]string

func (s *settings) values() values {
	all := values{}
	s.set.VisitAll(func(f *pflag.Flag) {
		text := f.Value.String()
		if f.Annotations[hasContent] != nil && text != "" {
			content, err := os.ReadFile(text)
			text = fmt.Sprintf("%s %x %t", text, sha256.Sum256(content), err == nil)
		}
		all[f.Name] = text
	})
	// The default of --visitors depends on other flags.
	all["visitors"] += fmt.Sprint(" ", s.visitorRule.none())
	return all
}

// of returns the values of some flags as one text.
func (v values) of(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s=%q\n", name, v[name])
	}
	return b.String()
}

// differing returns the names of the flags whose values differ: those that are marked [reloadable], and the others.
func differing(flags *pflag.FlagSet, before, after values) (reload, restart []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		switch {
		case before[f.Name] == after[f.Name]:
		case f.Annotations[reloadable] != nil:
			reload = append(reload, f.Name)
		default:
			restart = append(restart, f.Name)
		}
	})
	return reload, restart
}

// reused keeps what was made from settings, so that a reload makes again only what depends on changed ones, and caches and
// counters of the rest stay. The zero value is empty.
type reused struct{ before, now map[string]any }

// reuse returns what was made from the same values before, or makes it.
func reuse[T any](r *reused, values string, make func() (T, error)) (T, error) {
	made, ok := r.before[values].(T)
	if !ok {
		var err error
		if made, err = make(); err != nil {
			return made, err
		}
	}
	r.now[values] = made
	return made, nil
}

// next returns a reused for the next settings.
func (r *reused) next() *reused { return &reused{before: r.now, now: map[string]any{}} }
