package main

import (
	"slices"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

// Even a project whose name looks like on or off.
func TestEveryProjectCanBeOpenedToVisitors(t *testing.T) {
	for value, want := range map[string]string{
		"project:of": "of", "project:on": "on", "project:off": "off", "blog, project:onn": "blog,onn", "blog": "blog", "offline,online": "offline,online", "42": "42", "project:blog": "blog",
	} {
		r, err := parseVisitors(value, true, true)
		var only []presence.Project
		for name := range strings.SplitSeq(want, ",") {
			only = append(only, presence.Project(name))
		}
		if err != nil || r.every || !slices.Equal(r.only, only) || r.allowed()("of") != (want == "of") {
			t.Errorf("--visitors %q opens %q, %v; want %q", value, r, err, want)
		}
		if again, err := parseVisitors(r.String(), true, true); err != nil || !slices.Equal(again.only, only) {
			t.Errorf("--visitors %q, written as %q, opens %q, %v; want the same", value, r, again.only, err)
		}
	}
	for _, value := range []string{"", "a b", "project:", "project:a b", "blog,", "Project:of", "project:project:of"} {
		if r, err := parseVisitors(value, true, true); err == nil {
			t.Errorf("--visitors %q opens %q; want an error", value, r)
		}
	}
}
