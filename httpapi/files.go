package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/client"
)

// pagePolicy allows the reference page its own modules and styles and requests to this server. It forbids
// inline code and other origins.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors "

const pageFile = "writer/index.html"

// files returns the endpoints of the client and the reference page, by path. The page is served at /, with its
// placeholders replaced.
func (h *Handler) files() (map[string]endpoint, error) {
	pages := map[string]endpoint{}
	placeholders := strings.NewReplacer("{{prefix}}", h.o.Prefix, "{{dev}}", strconv.FormatBool(h.o.Dev != nil))
	err := fs.WalkDir(client.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(client.Files, name)
		if err != nil {
			return err
		}
		at, readers := h.o.Prefix+"/client/"+name, "same-origin"
		if len(h.origins) > 0 {
			readers = "cross-origin" // pages of allowed origins load the client from here
		}
		policy := pagePolicy + "'none'"
		if name == pageFile && h.o.Embedding {
			policy = pagePolicy + "*"
		}
		if name == pageFile {
			at, readers, body = "/", "same-origin", []byte(placeholders.Replace(string(body)))
		}
		pages[at] = endpoint{http.MethodGet, "page", file(name, body, readers, policy)}
		return nil
	})
	return pages, err
}

// file serves a file. readers is its Cross-Origin-Resource-Policy, policy its Content-Security-Policy.
func file(name string, body []byte, readers, policy string) func(http.ResponseWriter, *http.Request, string) int {
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		kind = "text/javascript; charset=utf-8"
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request, _ string) (status int) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", readers)
		h.Set("Content-Security-Policy", policy)
		if matches(r.Header["If-None-Match"], tag) { // http.ServeContent does not know tags that a proxy has rewritten
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		}
		known := &statusWriter{w, http.StatusOK}
		http.ServeContent(known, r, name, time.Time{}, bytes.NewReader(body))
		return known.status
	}
}

// statusWriter records the status that http.ServeContent sets.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
