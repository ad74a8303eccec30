package servertest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Contract is docs/reference/openapi.yaml in a form that can check requests and responses.
type Contract struct {
	Document *openapi3.T
	paths    []contractPath
}

type contractPath struct {
	pattern *regexp.Regexp
	name    string
	item    *openapi3.PathItem
}

// LoadContract reads and validates docs/reference/openapi.yaml once.
var LoadContract = sync.OnceValues(func() (*Contract, error) {
	text, err := os.ReadFile(root() + "/docs/reference/openapi.yaml")
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(openapi3.NewLoader().Context); err != nil {
		return nil, err
	}
	c := &Contract{Document: document}
	for name, item := range document.Paths.Map() {
		pattern := regexp.MustCompile(`\\\{([a-z]+)\\\}`).ReplaceAllStringFunc(regexp.QuoteMeta(name), func(s string) string {
			if s == `\{path\}` { // a file's path has slashes
				return `(?P<path>.+)`
			}
			return `(?P<` + strings.Trim(s, `\{}`) + `>[^/]+)`
		})
		c.paths = append(c.paths, contractPath{regexp.MustCompile("^" + pattern + "$"), name, item})
	}
	return c, nil
})

// anywhere returns the operation with the responses that every address may have, documented or not.
func (c *Contract) anywhere() *openapi3.Operation {
	responses := c.Document.Components.Responses
	return &openapi3.Operation{Responses: openapi3.NewResponses(
		openapi3.WithStatus(204, responses["Preflight"]),
		openapi3.WithStatus(403, responses["CrossOrigin"]),
		openapi3.WithStatus(404, responses["NotFound"]),
		openapi3.WithStatus(405, responses["MethodNotAllowed"]),
	)}
}

// Operations returns all operations of the document, and the one for other addresses.
func (c *Contract) Operations() []*openapi3.Operation {
	all := []*openapi3.Operation{c.anywhere()}
	for _, p := range c.paths {
		for _, operation := range p.item.Operations() {
			all = append(all, operation)
		}
	}
	return all
}

// find returns the route of a request. known is false if the document does not have its address or method.
func (c *Contract) find(r *http.Request, prefix string) (route *routers.Route, params map[string]string, known bool) {
	route = &routers.Route{Spec: c.Document, Method: r.Method, Operation: c.anywhere(), PathItem: &openapi3.PathItem{}}
	below, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	if !ok {
		return route, nil, false
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, p := range c.paths {
		found := p.pattern.FindStringSubmatch(below)
		if found == nil || len(found) > 1 && (found[1] == "." || found[1] == "..") { // net/http redirects these paths
			continue
		}
		operation := p.item.GetOperation(method)
		if operation == nil {
			return route, nil, false
		}
		params = map[string]string{}
		for i, name := range p.pattern.SubexpNames()[1:] {
			params[name], _ = url.PathUnescape(found[i+1])
		}
		route.Path, route.PathItem, route.Operation = p.name, p.item, operation
		return route, params, true
	}
	return route, nil, false
}

// standardHeaders need no mention at each response: HTTP sets them, or the document describes them at its beginning.
var standardHeaders = []string{
	"Content-Type", "Content-Length", "Date", "Content-Encoding",
	"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	"X-Request-Id",
}

// Check returns an error if the document does not allow the response, or if the server accepted a request that the
// document calls invalid.
func (c *Contract) Check(prefix string, r *http.Request, sent []byte, status int, header http.Header, body []byte) error {
	route, params, known := c.find(r, prefix)
	if strings.HasPrefix(route.Path, "/client/") && status < 400 || r.URL.Path == "/" && status < 400 {
		return nil // static files
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	}
	request := r.Clone(r.Context())
	request.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route, Options: options}
	if known && status < 400 {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return fmt.Errorf("the server accepted a request that the document calls invalid: %w", err)
		}
	}
	documented := route.Operation.Responses.Status(status)
	if documented == nil {
		return fmt.Errorf("the document does not have status %d here", status)
	}
	for name, values := range header {
		if len(values) != 1 && name != "Set-Cookie" {
			return fmt.Errorf("got %d headers %s, want one", len(values), name)
		}
		if !slices.Contains(standardHeaders, name) && !slices.ContainsFunc(slices.Collect(maps.Keys(documented.Value.Headers)), func(known string) bool {
			return http.CanonicalHeaderKey(known) == name
		}) {
			return fmt.Errorf("the document does not have the header %s: %q", name, values)
		}
	}
	if status == http.StatusNotModified || status == http.StatusNoContent || r.Method == http.MethodHead {
		if r.Method != http.MethodHead && len(body) > 0 {
			return fmt.Errorf("got body %q, want none", body)
		}
		for name, want := range documented.Value.Headers {
			if want.Value.Required && header.Get(name) == "" {
				return fmt.Errorf("the header %s is missing", name)
			}
		}
		return nil
	}
	if header.Get("Content-Encoding") == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(r); err != nil {
			return err
		}
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("got Content-Type %q, want application/json", got)
	}
	if !json.Valid(body) {
		return fmt.Errorf("got body %q, want JSON", body)
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: status, Header: header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
}

// CheckContract returns a handler that passes requests to h and fails the test where Contract.Check returns an error.
func CheckContract(t testing.TB, h http.Handler, prefix string) http.Handler {
	c, err := LoadContract()
	if err != nil {
		t.Fatalf("cannot read docs/reference/openapi.yaml: %v", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		recorder := httptest.NewRecorder()
		inner := r.Clone(r.Context())
		if r.Body != nil {
			inner.Body = tee{io.TeeReader(r.Body, &sent), r.Body}
		}
		h.ServeHTTP(recorder, inner)
		answer, body := recorder.Result(), recorder.Body.Bytes()
		if err := c.Check(prefix, r, sent.Bytes(), answer.StatusCode, answer.Header, body); err != nil {
			t.Errorf("%s %s: got %d %s\nwhich docs/reference/openapi.yaml does not allow: %v", r.Method, r.URL, answer.StatusCode, body, err)
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		w.Write(body)
	})
}

type tee struct {
	io.Reader
	io.Closer
}
