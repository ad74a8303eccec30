package admin

import (
	"embed"
	"net/http"
)

// pageFiles is the page for operators. It has no data: it asks for a key of the host API, and reads that.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load its own files and ask this server, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// handlePage serves the page at / and its files beside it.
func handlePage(mux *http.ServeMux) {
	for path, file := range map[string]struct{ name, contentType string }{
		"/{$}": {"index.html", "text/html; charset=utf-8"}, "/page.css": {"page.css", "text/css; charset=utf-8"}, "/page.js": {"page.js", "text/javascript; charset=utf-8"},
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.contentType) // package mime would keep the types of the whole system in memory
			h.Set("Content-Security-Policy", pagePolicy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, pageFiles, "page/"+file.name)
		})
	}
}
