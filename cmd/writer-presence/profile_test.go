package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"reflect"
	"runtime"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/live"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// The compiler silently ignores functions of default.pgo that no longer exist.
func TestProfileNamesFunctionsOfEveryRequest(t *testing.T) {
	file, err := os.Open("default.pgo")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range []any{(*httpapi.Handler).ServeHTTP, (*presence.Service).Update, (*presence.Roster).Update, (*sqlitestore.Store).Update, (*live.Hub).Run} {
		if name := runtime.FuncForPC(reflect.ValueOf(function).Pointer()).Name(); !bytes.Contains(profile, []byte(name)) {
			t.Errorf("default.pgo does not have %s: record it again with make profile", name)
		}
	}
}
