package presence

import "hash/fnv"

// palette is from the original specification (docs/reference/rules.md). Black text on each colour passes WCAG AA.
var palette = [...]string{
	"#ef4444", "#f59e0b", "#10b981", "#3b82f6",
	"#6366f1", "#8b5cf6", "#ec4899", "#14b8a6",
}

// Color returns the user's colour, the same in every browser: one of eight, by id % 8. An id
// that is not a number is hashed first (FNV-1a, 32 bit).
func (u User) Color() string {
	n, ok := u.ID.Number()
	if !ok {
		h := fnv.New32a()
		h.Write([]byte(u.ID))
		n = uint64(h.Sum32())
	}
	return palette[n%uint64(len(palette))]
}
