package sqlitestore

import (
	"encoding/binary"
	"hash/crc32"

	presence "github.com/writer-presence/writer-presence"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers all columns of a row and is never 0, which marks rows of older versions.
// SQLite has no page checksums, so it would read a row with a flipped bit as valid.
func checksum(project presence.Project, r presence.Record) uint32 {
	b := make([]byte, 0, 512)
	for _, text := range []string{string(project), string(r.User.ID), r.Session, r.User.Name, string(r.Section), string(r.Activity)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	for _, number := range []uint64{r.Seq, r.Touched, uint64(r.LastSeen.UnixMilli()), flag(r.User.Visitor), flag(r.Active)} {
		b = binary.BigEndian.AppendUint64(b, number)
	}
	if sum := crc32.Checksum(b, castagnoli); sum != 0 {
		return sum
	}
	return 1
}

func flag(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}
