package sqlitestore

import (
	"encoding/binary"
	"hash/crc32"

	presence "github.com/writer-presence/writer-presence"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers all columns of a session's row and is never 0, which marks rows of versions without
// checksums. SQLite has no page checksums, so it would read a row with a flipped bit as valid.
func checksum(project presence.Project, r presence.Record) uint32 {
	b := make([]byte, 0, 512)
	b = appendTexts(b, string(project), string(r.User.ID), r.Session, r.User.Name, string(r.Section), string(r.Activity))
	b = appendNumbers(b, r.Seq, r.Touched, uint64(r.LastSeen.UnixMilli()), flag(r.User.Visitor), flag(r.Active))
	// Columns that a later version added are covered once one of them is set, so that the checksums of
	// older rows stay valid.
	if r.Unsaved || r.WaitingFor != "" || r.User.AvatarURL != "" || r.User.Agent {
		b = appendTexts(b, string(r.WaitingFor), r.User.AvatarURL)
		b = appendNumbers(b, flag(r.Unsaved), flag(r.User.Agent))
	}
	return sum(b)
}

// logChecksum covers all columns of a row of the log.
func logChecksum(id int64, clock uint64, records []byte) uint32 {
	return crc32.Update(sum(appendNumbers(nil, uint64(id), clock)), castagnoli, records)
}

// saveChecksum covers all columns of a save's row.
func saveChecksum(project presence.Project, s presence.Save) uint32 {
	b := make([]byte, 0, 512)
	b = appendTexts(b, string(project), string(s.Section), s.Revision, string(s.User), s.Name)
	return sum(appendNumbers(b, uint64(s.At.UnixNano())))
}

// removalChecksum covers all columns of a removal's row.
func removalChecksum(project presence.Project, r presence.Removal) uint32 {
	b := appendTexts(make([]byte, 0, 512), string(project), string(r.User))
	return sum(appendNumbers(b, uint64(r.Until.UnixMilli()), r.Version))
}

// moveChecksum covers all columns of a move's row.
func moveChecksum(project presence.Project, m presence.Move) uint32 {
	b := make([]byte, 0, 512)
	b = appendTexts(b, string(project), string(m.From), string(m.To))
	return sum(appendNumbers(b, m.Version))
}

// announcementChecksum covers all columns of an announcement's row.
func announcementChecksum(project presence.Project, a presence.Announcement) uint32 {
	b := make([]byte, 0, len(project)+len(a.State)+24) // a state may have kilobytes
	b = appendTexts(b, string(project))
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(a.State))), a.State...)
	return sum(appendNumbers(b, a.Version, flag(a.Occupied)))
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return b
}

func appendNumbers(b []byte, numbers ...uint64) []byte {
	for _, number := range numbers {
		b = binary.BigEndian.AppendUint64(b, number)
	}
	return b
}

func sum(b []byte) uint32 {
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
