package live

import (
	"testing"
	"unsafe"
)

func TestConnectionHasTheSizeOfAnAllocation(t *testing.T) {
	const limit = 512 // Go's next size is 576
	if size := unsafe.Sizeof(conn{}); size > limit {
		t.Errorf("a conn has %d bytes, want %d at most: each is there as often as there are connections", size, limit)
	}
}
