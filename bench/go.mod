module github.com/writer-presence/writer-presence/bench

go 1.26.0

replace github.com/writer-presence/writer-presence => ../

require (
	github.com/lxzan/gws v1.8.9
	github.com/redis/rueidis v1.0.79
	github.com/writer-presence/writer-presence v0.0.0
)

require (
	github.com/dolthub/maphash v0.1.0 // indirect
	github.com/klauspost/compress v1.20.1 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
