// Package client carries the JavaScript client and the reference page, as they are
// served and published.
package client

import "embed"

// Files are the modules, and below writer/ the reference page.
//
//go:embed *.js writer/*
var Files embed.FS
