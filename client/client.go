// Package client embeds the JavaScript client and the reference page. Package httpapi serves them; a program needs
// this package only to serve the client from somewhere else:
//
//	mux.Handle("/presence/", http.StripPrefix("/presence/", http.FileServerFS(client.Files)))
package client

import "embed"

// Files has the modules at its root and the reference page below writer/.
//
//go:embed *.js writer/*
var Files embed.FS
