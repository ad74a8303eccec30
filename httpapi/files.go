package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/writer-presence/writer-presence/client"
)

// pagePolicy allows the reference page its own modules and styles and requests to this server. It forbids
// inline code and other origins.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors "

const (
	pageFile  = "writer/index.html"
	entryFile = "writer-presence.js"
)

// contentTypes are those of the client's files. Package mime would read the types of the whole system and keep them:
// 440 KB in 12,000 objects, two thirds of all that the garbage collector has to mark while clients poll.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

const (
	revalidated = "no-cache"
	immutable   = "public, max-age=31536000, immutable"
	uncached    = "no-store"
)

// files returns the endpoints of the client and the reference page, by path. The page is served at /, with its
// placeholders replaced. The client's entry module is replaced by one that exports the bundle: a page loads two
// files, of which the browser keeps the large one until its content changes, and never mixes modules of two versions
// while servers are being updated.
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
		at, readers := h.o.Prefix+"/client/"+name, h.clientReaders
		policy := pagePolicy + "'none'"
		if name == pageFile && h.o.Embedding {
			policy = pagePolicy + "*"
		}
		if name == pageFile {
			at, readers, body = "/", func() string { return "same-origin" }, []byte(placeholders.Replace(string(body)))
		}
		pages[at] = endpoint{http.MethodGet, "page", file(name, body, readers, policy, revalidated)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	bundle, err := fs.ReadFile(client.Files, client.Bundle)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bundle)
	hash := hex.EncodeToString(sum[:bundleHash/2])
	own := func(name string, body []byte, caching string) endpoint {
		return endpoint{http.MethodGet, "page", file(name, body, h.clientReaders, pagePolicy+"'none'", caching)}
	}
	pages[h.o.Prefix+"/client/"+entryFile] = own(entryFile, []byte("export * from './"+bundleName(hash)+"';\n"), revalidated)
	pages[h.o.Prefix+"/client/"+bundleName(hash)] = own(entryFile, bundle, immutable)
	h.otherBundle = own(entryFile, bundle, uncached)
	return pages, nil
}

// clientReaders is the Cross-Origin-Resource-Policy of the client's files: pages of allowed origins load them.
func (h *Handler) clientReaders() string {
	if len(h.current.Load().origins) > 0 {
		return "cross-origin"
	}
	return "same-origin"
}

// bundleHash is the length of the hash of the bundle's content in its path, in hexadecimal digits.
const bundleHash = 16

func bundleName(hash string) string { return "writer-presence." + hash + ".js" }

// page returns the endpoint of a path that is in no project. The path of another version's bundle gets this version's,
// not to be kept: while servers are being updated, a page can get the entry from one server and the bundle from another.
func (h *Handler) page(path string) (e endpoint, ok bool) {
	if e, ok = h.pages[path]; ok {
		return e, true
	}
	name, inClient := strings.CutPrefix(path, h.o.Prefix+"/client/")
	if len(name) != len(bundleName(""))+bundleHash || !inClient {
		return endpoint{}, false
	}
	hash := strings.TrimSuffix(strings.TrimPrefix(name, "writer-presence."), ".js")
	_, err := hex.DecodeString(hash)
	return h.otherBundle, err == nil && name == bundleName(hash)
}

// file serves a file. readers returns its Cross-Origin-Resource-Policy, policy its Content-Security-Policy, caching its
// Cache-Control.
func file(name string, body []byte, readers func() string, policy, caching string) func(http.ResponseWriter, *http.Request, string) int {
	kind := contentTypes[path.Ext(name)]
	sum := sha256.Sum256(body)
	hash := base64.RawURLEncoding.EncodeToString(sum[:12])
	zipped := sync.OnceValue(func() []byte { // at the first request, because it takes 10 ms for the bundle
		var b bytes.Buffer
		zip, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
		_, _ = zip.Write(body)                                  // a buffer takes all
		_ = zip.Close()
		return b.Bytes()
	})
	return func(w http.ResponseWriter, r *http.Request, _ string) (status int) {
		h := w.Header()
		content, tag := body, `"`+hash+`"`
		if len(body) > compressAbove {
			addVary(h)
			if acceptsGzip(r.Header["Accept-Encoding"]) {
				h.Set("Content-Encoding", "gzip")
				content, tag = zipped(), `"`+hash+`-gzip"`
			}
		}
		h.Set("Content-Type", kind)
		h.Set("ETag", tag)
		h.Set("Cache-Control", caching)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", readers())
		h.Set("Content-Security-Policy", policy)
		if matches(r.Header["If-None-Match"], tag) { // http.ServeContent does not know tags that a proxy has rewritten
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		}
		known := &statusWriter{w, http.StatusOK}
		http.ServeContent(known, r, name, time.Time{}, bytes.NewReader(content))
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
