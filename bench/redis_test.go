package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// tiny is enough to see that each case does what it says; its numbers mean nothing.
var tiny = redisSizes{
	rooms: 40, people: 200, many: []int{10, 20}, large: []int{2, 20},
	rounds: 1, round: 20 * time.Millisecond, warm: 2 * time.Millisecond,
	lease: 200 * time.Millisecond, storeRounds: 1,
	idlers: 40, movers: 40, settle: 50 * time.Millisecond, idle: 100 * time.Millisecond,
	moving: 200 * time.Millisecond, rates: []int{100}, watching: []int{1, 2}, hearing: []int{0, 2},
}

func TestRedisIsMeasured(t *testing.T) {
	for _, needed := range []string{"redis-server", "taskset"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skip("there is no ", needed)
		}
	}
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("the kernel does not count the time of threads to the nanosecond")
	}
	t.Chdir("..")
	dir := t.TempDir()
	binary := filepath.Join(dir, "writer-presence")
	build := exec.Command("go", "build", "-o", binary, "./cmd/writer-presence")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	if err := runRedis("redis", binary, dir, tiny); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutRedisNothingFails(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := runRedis("", "", t.TempDir(), tiny); err != nil {
		t.Fatal(err)
	}
}
