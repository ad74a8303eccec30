// Package client embeds the JavaScript client and the reference page. Package httpapi serves them; a program needs
// this package only to serve the client from somewhere else:
//
//	mux.Handle("/presence/", http.StripPrefix("/presence/", http.FileServerFS(client.Files)))
package client

import "embed"

// Bundle is the file in [Files] that has the whole client with its interface, minified.
const Bundle = "dist/writer-presence.min.js"

// Files has the modules at its root, the bundle in dist/ and the reference page below writer/.
//
//go:embed *.js dist/*.js writer/*
var Files embed.FS
