package mutant

import "holdfast/sim/patch"

var disk = []Mutant{
	{
		ID:    "M29",
		Fault: "entries are answered for without an fsync of the log",
		Known: "etcd#14370, jepsen.etcd's --unsafe-no-fsync",
		Edits: []patch.Edit{{
			File: "wal/append.go",
			Old: `		if err := l.room.sync(); err != nil {
			return nil, fmt.Errorf("sync: %w", err)
		}
`,
			New: "",
		}},
	},
	{
		ID:    "M30",
		Fault: "a torn tail of the log is taken for entries: what is missing of the last record counts as zeros",
		Known: "tidwall/wal v1.2.1, which takes a zero tail for empty entries",
		Edits: []patch.Edit{
			{
				File: "wal/scan.go",
				Old: `	case int64(width+n) > left:
		bad = "record goes on beyond the end of the file"
`,
				New: `	case int64(width+n) > left:
		if left < int64(width+headerBytes) {
			bad = "record goes on beyond the end of the file"
			break
		}
		name := segmentPath(s.dir, s.first)
		s.fileSize = s.size + int64(width+n)
		if err := os.Truncate(name, s.fileSize); err != nil {
			return buf, err
		}
		return s.padded(name, int64(width), n, k)
`,
			},
			{
				File: "wal/scan.go",
				Old:  "// scanRecord reads the next record and either adds it or sets bad.\n",
				New: `func (s *scanned) padded(name string, width int64, n int, k frameKey) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, n)
	if _, err := f.ReadAt(buf, s.size+width); err != nil {
		return nil, err
	}
	h, bad := decodeFrame(buf, k, s.first, s.size+width, s.next())
	if bad != "" {
		s.bad = bad
		return buf, nil
	}
	s.last = h
	s.offs = append(s.offs, uint32(s.size))
	s.size += width + int64(n)
	return buf, nil
}

// scanRecord reads the next record and either adds it or sets bad.
`,
			},
			{
				File: "wal/scan.go",
				Old:  "	fileSize int64\n	bad ",
				New:  "	dir      string\n	fileSize int64\n	bad ",
			},
			{
				File: "wal/scan.go",
				Old:  "	s := scanned{segment: segment{first: first}}\n",
				New:  "	s := scanned{segment: segment{first: first}, dir: dir}\n",
			},
			{
				File: "wal/frame.go",
				Old: `	case k.body(frame[headerBytes:headerBytes+int(h.dataLen)], frame[headerBytes+int(h.dataLen):]) != h.bodySum:
		return header{}, "checksum of the record's data does not match"
`,
				New: "",
			},
		},
	},
	{
		ID:    "M31",
		Fault: "a flipped bit in the log is not noticed: no checksum of a record is looked at",
		Known: "jepsen.etcd's bitflip-wal; tidwall/wal v1.2.1, which has none",
		Edits: []patch.Edit{
			{
				File: "wal/frame.go",
				Old: `	if le.Uint32(b[4:]) != k.head(b, segment, pos) {
		return header{}, "checksum of the record's header does not match"
	}
`,
				New: "",
			},
			{
				File: "wal/frame.go",
				Old: `	case k.body(frame[headerBytes:headerBytes+int(h.dataLen)], frame[headerBytes+int(h.dataLen):]) != h.bodySum:
		return header{}, "checksum of the record's data does not match"
`,
				New: "",
			},
		},
	},
	{
		ID:    "M53",
		Fault: "the hint of how far the log is durable is written before the sync of what it speaks of",
		Known: "our own, against the hint's one condition",
		Edits: []patch.Edit{{
			File: "wal/append.go",
			Old: `		began := time.Now()
		if err := l.room.sync(); err != nil {
`,
			New: `		early := watermark{index: entries[len(entries)-1].Index, segment: first, offset: size}
		if err := l.hint.put(early, l.batch); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := l.room.sync(); err != nil {
`,
		}},
	},
	{
		ID:    "M54",
		Fault: "damage to the end of the log is taken for a torn write and cut off, though the watermarks say that it had been synced",
		Known: "our own; Protocol-Aware Recovery for Consensus-Based Storage (FAST 2018) found it in several stores",
		Edits: []patch.Edit{
			{
				File: "wal/repair.go",
				Old:  "	if im.hint.segment > s.first {\n",
				New:  "	im.hint, s.proof = watermark{}, 0\n	if im.hint.segment > s.first {\n",
			},
		},
	},
	{
		ID:    "M64",
		Fault: "a compaction removes one segment too many: the one in which the entries to be kept begin",
		Known: "our own, an off by one",
		Edits: []patch.Edit{{
			File: "wal/truncate.go",
			Old:  "	for len(l.segs) > 1 && l.segs[0].next()-1 <= hi {\n",
			New:  "	for len(l.segs) > 1 && l.segs[0].first <= hi {\n",
		}},
	},
}
