package sqlitestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
)

// isDamaged reports whether a -wal file has frames that SQLite will not read although they are
// valid, because one before them is not. SQLite reads up to the first frame whose checksum is
// wrong, and says nothing: that is where a process was killed while it wrote, or where the disk
// lost a write in a power failure. A process that is killed leaves nothing valid after it.
// The format is that of https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
func isDamaged(path string) (bool, error) {
	const headerSize, frameHeaderSize = 32, 24
	wal, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(wal) < headerSize {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if wal[3]&1 != 0 {
		order = binary.BigEndian
	}
	sum := func(bytes []byte) walSum {
		return walSum{binary.BigEndian.Uint32(bytes), binary.BigEndian.Uint32(bytes[4:])}
	}
	if (walSum{}).add(order, wal[:24]) != sum(wal[24:]) {
		return true, nil
	}
	pageSize := int(binary.BigEndian.Uint32(wal[8:]))
	salts, before, isBad := wal[16:24], sum(wal[24:]), false
	for wal = wal[headerSize:]; len(wal) >= frameHeaderSize+pageSize; wal = wal[frameHeaderSize+pageSize:] {
		isValid := bytes.Equal(wal[8:16], salts) &&
			before.add(order, wal[:8]).add(order, wal[frameHeaderSize:frameHeaderSize+pageSize]) == sum(wal[16:])
		if isValid && isBad {
			return true, nil
		}
		isBad = isBad || !isValid
		before = sum(wal[16:]) // each checksum goes on from the one before
	}
	return false, nil
}

// walSum is the checksum of a -wal.
type walSum [2]uint32

func (s walSum) add(order binary.ByteOrder, data []byte) walSum {
	for ; len(data) >= 8; data = data[8:] {
		s[0] += order.Uint32(data) + s[1]
		s[1] += order.Uint32(data[4:]) + s[0]
	}
	return s
}

// noteBoot writes into the lock file which start of the machine this is, and reports whether
// the process that had it before was of the same one: then nothing that it wrote is lost by
// a power failure.
func noteBoot(lock *os.File) (isSame bool) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(boot) == 0 {
		return false
	}
	before := make([]byte, len(boot))
	n, _ := lock.ReadAt(before, 0)
	if bytes.Equal(before[:n], boot) {
		return true
	}
	if lock.Truncate(0) == nil {
		lock.WriteAt(boot, 0) // without it the next start takes damage for a power failure, and warns
	}
	return false
}
