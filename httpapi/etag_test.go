package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzETagMatchesOnlyIfListed(f *testing.F) { // case 34
	for _, seed := range []string{`W/"1"`, `"1"`, `*`, ``, `"0", W/"1"`, `"1", "2"`, `W/`, `"`, `,`, ` , `, `W/W/"1"`, `"1`, `1`, `"11"`, `"a,"`, `"a, W/"1"`} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, line string, version uint64) {
		text, _ := json.Marshal(version)
		strong := `"` + string(text) + `"`
		tag := "W/" + strong
		got := matches([]string{line}, tag)
		if got && !bytes.Contains([]byte(line), []byte(strong)) && !bytes.Contains([]byte(line), []byte("*")) {
			t.Errorf("If-None-Match: %q matches %s, and does not have it", line, tag)
		}
		for _, lines := range [][]string{{line, tag}, {line, strong}, {line + "," + tag}, {tag + " , " + line}, {line + ", " + strong + ",x"}, {"*"}} {
			if !matches(lines, tag) {
				t.Errorf("If-None-Match: %q does not match %s", lines, tag)
			}
		}
		if matches(nil, tag) || matches([]string{""}, tag) {
			t.Errorf("no If-None-Match matches %s", tag)
		}
	})
}
