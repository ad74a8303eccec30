package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"
)

// environ returns variables in the form of os.Environ.
func environ(env map[string]string) (all []string) {
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// runToEnd runs the program in this process. It must end by itself within 20 s.
func runToEnd(t *testing.T, env map[string]string, args ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out output
	err = run(ctx, args, environ(env), &out, io.Discard)
	if ctx.Err() != nil {
		t.Fatalf("%q did not end", args)
	}
	return out.String(), err
}

// startInProcess runs serve in this process until the test ends, and returns its address and its log.
func startInProcess(t *testing.T, args ...string) (addr string, log *output) {
	t.Helper()
	out, stdout := io.Pipe()
	log = &output{}
	data := t.TempDir() // before the cleanup below, so that it is removed after the server has ended
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data", data}, args...), []string{"GOGC=100"}, stdout, log)
		stdout.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve %q ended with %v", args, err)
		}
	})
	addr, err := readAddr(out)
	if err != nil {
		t.Fatalf("serve %q did not start: %v\n%s", args, err, log)
	}
	return addr, log
}

// readFile returns the content of a file.
func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
