package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const blockHeadBytes = 8 // length and checksum

// blockWriter cuts records into checksummed blocks. The first error sticks.
type blockWriter struct {
	w   io.Writer
	buf []byte // room for the head, then the records
	n   int64
	err error
}

func (bw *blockWriter) raw(b []byte) {
	if bw.err == nil {
		var n int
		n, bw.err = bw.w.Write(b)
		bw.n += int64(n)
	}
}

// record appends a record; one larger than a block gets a block of its own.
func (bw *blockWriter) record(b []byte) {
	if len(bw.buf) > blockHeadBytes && !fits(len(bw.buf)-blockHeadBytes, len(b)) {
		bw.flush()
	}
	if len(bw.buf) == 0 {
		bw.buf = append(bw.buf, make([]byte, blockHeadBytes)...)
	}
	bw.buf = append(binary.AppendUvarint(bw.buf, uint64(len(b))), b...)
}

// flush writes the block, head and all, in one piece.
func (bw *blockWriter) flush() {
	body := bw.buf[blockHeadBytes:]
	binary.BigEndian.PutUint32(bw.buf, uint32(len(body)))
	binary.BigEndian.PutUint32(bw.buf[4:], crc32.Checksum(body, castagnoli))
	bw.raw(bw.buf)
	bw.buf = bw.buf[:0]
}

// blockMeter counts what a blockWriter would write.
type blockMeter struct {
	n    int64
	body int // of the block that is being filled
}

func (bm *blockMeter) record(b []byte) { bm.add(len(b)) }

// add counts a record of so many bytes.
func (bm *blockMeter) add(size int) {
	if bm.body > 0 && !fits(bm.body, size) {
		bm.body = 0
	}
	if bm.body == 0 {
		bm.n += blockHeadBytes
	}
	size += uvarintBytes(uint64(size))
	bm.body += size
	bm.n += int64(size)
}

// fits tells whether a block whose records have so many bytes has room for one
// more.
func fits(body, size int) bool { return body+size+binary.MaxVarintLen32 <= snapshotBlockBytes }

// blockReader gives back the records of a blockWriter.
type blockReader struct {
	r     io.Reader
	start int64 // where the current block begins in the snapshot
	end   int64 // and where the next
	buf   []byte
	rest  []byte // of the current block's records
}

func (br *blockReader) header() error {
	b := make([]byte, len(snapshotMagic)+1)
	if _, err := io.ReadFull(br.r, b); err != nil {
		return fmt.Errorf("header: %w", orMalformed(err))
	}
	version := b[len(snapshotMagic)]
	if string(b[:len(snapshotMagic)]) != snapshotMagic || version == 0 {
		return fmt.Errorf("header: not a kernel snapshot: %w", ErrMalformed)
	}
	if version > snapshotVersion {
		return fmt.Errorf("version %d: %w", version, ErrNewerVersion)
	}
	br.end = int64(len(b))
	return nil
}

// orMalformed keeps the errors of a reader that failed apart from the end of
// one that was too short.
func orMalformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut short: %w", ErrMalformed)
	}
	return err
}

// next gives the next record; it is valid until the call after.
func (br *blockReader) next() ([]byte, error) {
	if len(br.rest) == 0 {
		if err := br.block(); err != nil {
			return nil, err
		}
	}
	n, size := binary.Uvarint(br.rest)
	if size <= 0 || n > uint64(len(br.rest)-size) {
		return nil, fmt.Errorf("bad record length: %w", ErrMalformed)
	}
	rec := br.rest[size : size+int(n)]
	br.rest = br.rest[size+int(n):]
	return rec, nil
}

func (br *blockReader) block() error {
	var head [blockHeadBytes]byte
	br.start = br.end
	if _, err := io.ReadFull(br.r, head[:]); err != nil {
		return fmt.Errorf("head: %w", orMalformed(err))
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxBlockBytes {
		return fmt.Errorf("bad length %d: %w", n, ErrMalformed)
	}
	if cap(br.buf) < int(n) {
		br.buf = make([]byte, n)
	}
	br.buf = br.buf[:n]
	if _, err := io.ReadFull(br.r, br.buf); err != nil {
		return fmt.Errorf("records: %w", orMalformed(err))
	}
	if crc32.Checksum(br.buf, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return fmt.Errorf("checksum differs: %w", ErrMalformed)
	}
	br.rest = br.buf
	br.end = br.start + int64(len(head)) + int64(n)
	return nil
}

func (br *blockReader) atEnd() error {
	var b [1]byte
	n, err := io.ReadFull(br.r, b[:])
	if n != 0 || len(br.rest) != 0 {
		return fmt.Errorf("bytes after the end: %w", ErrMalformed)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the end: %w", err)
	}
	return nil
}
