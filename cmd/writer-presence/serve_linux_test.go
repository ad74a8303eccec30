package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

func TestBallastOfTheGarbageCollectorTakesNoMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	used := make([]byte, 8<<20)
	for i := range used {
		used[i] = 1
	}
	runtime.KeepAlive(used)
	runtime.GC() // which leaves its memory to what comes next
	ballast := tuneGC()
	size, inMemory := 0, 0
	for _, piece := range ballast {
		pages := make([]byte, len(piece)/os.Getpagesize())
		if _, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&piece[0])), uintptr(len(piece)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
			t.Fatal(errno)
		}
		size += len(piece)
		for _, page := range pages {
			inMemory += int(page&1) * os.Getpagesize()
		}
	}
	if size != 72<<20 || inMemory > 16<<20 {
		t.Errorf("%d MB of a ballast of %d MB are in memory; want at most the 8 MB that were in use before, and what is around them", inMemory>>20, size>>20)
	}
	runtime.KeepAlive(ballast)
}
