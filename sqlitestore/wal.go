package sqlitestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
)

// isDamaged reports whether a -wal file has a bad header, or valid frames behind an invalid one.
// SQLite silently ignores everything from the first invalid frame on. A killed process leaves no
// valid frame behind an invalid one, so such a frame means damage or a power failure.
// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
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
		before = sum(wal[16:]) // checksums are chained
	}
	return false, nil
}

// walSum is the cumulative checksum of a -wal file.
type walSum [2]uint32

func (s walSum) add(order binary.ByteOrder, data []byte) walSum {
	for ; len(data) >= 8; data = data[8:] {
		s[0] += order.Uint32(data) + s[1]
		s[1] += order.Uint32(data[4:]) + s[0]
	}
	return s
}

// recordBoot stores the machine's boot id in the lock file, and reports whether it was there
// already: then no power failure came between, and a damaged -wal is a real fault.
func recordBoot(lock *os.File) (isSame bool) {
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
		_, _ = lock.WriteAt(boot, 0) // if this fails, the next start only warns about damage
	}
	return false
}
