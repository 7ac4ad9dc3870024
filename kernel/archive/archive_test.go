package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

var taken = time.UnixMilli(1_477_944_140_022)

// stateOf gives a state that has applied the commands, from log index 2 on.
func stateOf(t testing.TB, commands ...kernel.Command) *kernel.State {
	session := kernel.Session{Term: 7}
	s := kernel.New()
	_, err := s.Apply(1, kernel.AppendOpening(nil, session, 1e9))
	require.NoError(t, err)
	const each = 1000
	for at := 0; at < len(commands); at += each {
		var wire [][]byte
		for i := range commands[at:min(at+each, len(commands))] {
			w, err := kernel.AppendCommand(nil, &commands[at+i])
			require.NoError(t, err)
			wire = append(wire, w)
		}
		done, err := s.Apply(s.Applied()+1, kernel.AppendBatch(nil, session, 0, wire))
		require.NoError(t, err)
		for _, r := range done.Results {
			require.Nil(t, r.Err)
		}
	}
	return s
}

// someState has a member, two directories, three keys, one of which expires.
func someState(t testing.TB) *kernel.State {
	return stateOf(t,
		kernel.Command{Op: kernel.OpMemberAdd, Member: kernel.Member{ID: 1, Name: "one", PeerURLs: []string{"http://a:2380"}}},
		kernel.Command{Op: kernel.OpSet, Path: "/d/e", Dir: true},
		kernel.Command{Op: kernel.OpSet, Path: "/d/a", Value: "1"},
		kernel.Command{Op: kernel.OpSet, Path: "/d/b", Value: "2", HasTTL: true, TTLSeconds: 9},
		kernel.Command{Op: kernel.OpSet, Path: "/c", Value: strings.Repeat("v", 300)},
	)
}

func write(t testing.TB, s *kernel.State) []byte {
	var b bytes.Buffer
	sn := s.Snapshot()
	require.NoError(t, Write(&b, sn, About(sn, 7, 0xc1, taken), nil))
	return b.Bytes()
}

func stateBytes(t testing.TB, s *kernel.State) []byte {
	var b bytes.Buffer
	_, err := s.Snapshot().WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// What was written is read: the same state, byte for byte, and what was said
// about it.
func TestRoundTrip(t *testing.T) {
	s := someState(t)
	archive := write(t, s)
	var back *kernel.State
	about, err := Read(iotest.OneByteReader(bytes.NewReader(archive)), func(_ Meta, state io.Reader) (err error) {
		back, err = kernel.Restore(state)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, stateBytes(t, s), stateBytes(t, back))
	want := Meta{
		ID: fmt.Sprintf("7-%d-1477944140022", s.Applied()), Size: int64(len(stateBytes(t, s))), Index: s.Applied(),
		Term: 7, Version: 1, StoreIndex: s.Index(), ClusterID: "c1", Taken: taken.UTC(),
	}
	require.Equal(t, want, about)

	again, found, err := Verify(bytes.NewReader(archive))
	require.NoError(t, err)
	require.Equal(t, want, again)
	assert.EqualValues(t, 1, found.Members.Count)
	assert.EqualValues(t, 2, found.Dirs.Count)
	assert.EqualValues(t, 3, found.Keys.Count)
	assert.EqualValues(t, 1, found.WithTTL.Count)
	assert.EqualValues(t, 5, found.Events.Count)
}

// The same state at the same time gives the same bytes.
func TestSameBytes(t *testing.T) {
	s := someState(t)
	require.Equal(t, write(t, s), write(t, s))
}

// The system's own tools take it apart and find its sums right: what matters on
// the day when there is nothing else.
func TestSystemTools(t *testing.T) {
	s := someState(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "archive"), write(t, s), 0o600))
	for _, line := range []string{"tar -xzf archive", "sha256sum --check --quiet SHA256SUMS"} {
		words := strings.Fields(line)
		command := exec.Command(words[0], words[1:]...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
	}
	state, err := os.ReadFile(filepath.Join(dir, stateFile))
	require.NoError(t, err)
	require.Equal(t, stateBytes(t, s), state)
	described, err := os.ReadFile(filepath.Join(dir, metaFile))
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(described, &fields))
	require.EqualValues(t, len(state), fields["Size"])
}

// Cut at each length and flipped at each byte, an archive is refused, or is what
// it was: gzip's header has bytes that say nothing, and the same zeros can be
// repeated from another place.
func TestEveryDamageIsRefused(t *testing.T) {
	good := write(t, someState(t))
	same := 0
	for i := range good {
		_, _, err := Verify(bytes.NewReader(good[:i]))
		require.ErrorIs(t, err, ErrDamaged, "cut at %d of %d", i, len(good))
		for _, mask := range []byte{1, 0x10, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= mask
			err := verify(bad)
			if err == nil {
				require.Equal(t, parts(t, good), parts(t, bad), "byte %d of %d", i, len(good))
				same++
				continue
			}
			// A flip may make the state's form a newer one.
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, kernel.ErrNewerVersion), "byte %d of %d: %v", i, len(good), err)
		}
	}
	require.Less(t, same, 3*15)
	for _, tail := range [][]byte{{0}, good} {
		_, _, err := Verify(bytes.NewReader(append(bytes.Clone(good), tail...)))
		require.ErrorIs(t, err, ErrDamaged, "%d bytes behind it", len(tail))
	}
}

// part is a file of an archive that a test puts together.
type part struct {
	name    string
	content []byte
}

// parts are those of a whole archive.
func parts(t testing.TB, archive []byte) (list []part) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		list = append(list, part{h.Name, content})
	}
}

// pack makes an archive, whose gzip stream and tar are in order, of any files.
func pack(t testing.TB, list []part, behind ...byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	out := tar.NewWriter(z)
	for _, p := range list {
		require.NoError(t, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p.name, Size: int64(len(p.content)), Mode: 0o600}))
		_, err := out.Write(p.content)
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	_, err := z.Write(behind)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// summed puts the right sums at the end, whatever the files are.
func summed(list []part) []part {
	sums := appendSums(nil, sha256.Sum256(list[0].content), sha256.Sum256(list[1].content))
	return append(list[:2:2], part{sumsFile, sums})
}

// What no archive of ours can be is refused, with the file it is in, though gzip
// and tar find nothing wrong with it.
func TestReadTrustsNothing(t *testing.T) {
	whole := parts(t, write(t, someState(t)))
	other := parts(t, write(t, stateOf(t, kernel.Command{Op: kernel.OpSet, Path: "/x", Value: "y"})))
	with := func(at int, content string) []part {
		list := append([]part{}, whole...)
		list[at].content = []byte(content)
		return list
	}
	field := func(old, new string) []part {
		described := string(whole[0].content)
		require.Contains(t, described, old)
		return summed(with(0, strings.Replace(described, old, new, 1)))
	}
	sums := string(whole[2].content)
	planted := func(at int) string {
		b := []byte(sums)
		b[at] ^= 1
		return string(b)
	}
	require.NoError(t, verify(pack(t, whole)), "the means of this test change nothing")
	require.NoError(t, verify(pack(t, summed(whole))))
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"nothing", nil, "gzip"},
		{"no gzip", []byte("<html>not found</html>"), "gzip"},
		{"no files", pack(t, nil), "meta.json"},
		{"no tar", pack(t, nil)[:20], "meta.json"},
		{"one file", pack(t, whole[:1]), "state.bin"},
		{"two files", pack(t, whole[:2]), "SHA256SUMS"},
		{"another order", pack(t, []part{whole[1], whole[0], whole[2]}), `"state.bin" in its place`},
		{"a file too many", pack(t, append(whole[:3:3], part{"x", nil})), "behind SHA256SUMS"},
		{"bytes behind the tar", pack(t, whole, 0), "behind the last file"},
		{"a name with a path", pack(t, append([]part{{"../meta.json", whole[0].content}}, whole[1:]...)), "meta.json"},
		{"a long description", pack(t, with(0, strings.Repeat(" ", MaxMetaBytes+1))), "the limit is 65536"},
		{"long sums", pack(t, with(2, strings.Repeat(" ", MaxSumsBytes+1))), "the limit is 4096"},
		{"no JSON", pack(t, summed(with(0, "{"))), "meta.json"},
		{"no fields", pack(t, summed(with(0, "{}"))), "a field is missing"},
		{"another size", pack(t, field(`"Size":`, `"Size":1`)), "state.bin"},
		{"another index", pack(t, field(`"Index":`, `"Index":1`)), "meta.json"},
		{"another store index", pack(t, field(`"StoreIndex":`, `"StoreIndex":1`)), "store index"},
		{"an id that is none", pack(t, field(`"ID":"7-`, `"ID":"\u001b-`)), "meta.json"},
		{"a cluster that is none", pack(t, field(`"ClusterID":"c1"`, `"ClusterID":"\u001b"`)), "meta.json"},
		{"another state", pack(t, summed([]part{whole[0], other[1]})), "state.bin"},
		{"no state", pack(t, summed(with(1, ""))), "state.bin"},
		{"a state cut short", pack(t, summed(with(1, string(whole[1].content[:50])))), "state.bin"},
		{"a wrong sum of meta.json", pack(t, with(2, planted(3))), "meta.json: not an intact snapshot archive: its sum"},
		{"a wrong sum of state.bin", pack(t, with(2, planted(len(sums)-20))), "state.bin: not an intact snapshot archive: its sum"},
		{"a sum too few", pack(t, with(2, sums[:len(sums)/2])), "not of two files"},
	} {
		err := verify(c.bytes)
		if assert.ErrorIs(t, err, ErrDamaged, c.name) {
			assert.Contains(t, err.Error(), c.want, c.name)
		}
	}
	err := verify(pack(t, field(`"Version":1`, `"Version":2`)))
	require.ErrorIs(t, err, kernel.ErrNewerVersion)
	require.NotErrorIs(t, err, ErrDamaged)
}

func verify(archive []byte) error {
	_, _, err := Verify(bytes.NewReader(archive))
	return err
}

// Sums that are right for what was changed are found wrong when the change is
// not told to them: the guard of TestReadTrustsNothing.
func TestSumsAreChecked(t *testing.T) {
	whole := parts(t, write(t, someState(t)))
	whole[0].content = bytes.Replace(whole[0].content, []byte(`"c1"`), []byte(`"c2"`), 1)
	require.NoError(t, verify(pack(t, summed(whole))))
	require.ErrorIs(t, verify(pack(t, whole)), ErrDamaged)
}

// A disk or connection that fails is not a damaged archive, and what take says
// comes back.
func TestErrorsOfOthers(t *testing.T) {
	good := write(t, someState(t))
	broken := errors.New("broken")
	for _, at := range []int{0, 5, 100, len(good) - 1} {
		err := func() error {
			_, _, err := Verify(io.MultiReader(bytes.NewReader(good[:at]), iotest.ErrReader(broken)))
			return err
		}()
		require.ErrorIs(t, err, broken, "at %d", at)
		require.NotErrorIs(t, err, ErrDamaged)
	}
	_, err := Read(bytes.NewReader(good), func(Meta, io.Reader) error { return broken })
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, ErrDamaged)
	_, err = Read(bytes.NewReader(good), func(Meta, io.Reader) error { return nil })
	require.ErrorContains(t, err, "bytes left over", "a state that nobody read")
}

// A writer that fails ends the writing with its error, wherever it fails; and so
// does a word to stop, before anything is written or in the middle.
func TestWriteEnds(t *testing.T) {
	s := someState(t)
	sn := s.Snapshot()
	about := About(sn, 7, 1, taken)
	full := errors.New("full")
	for room := range len(write(t, s)) - 1 {
		err := Write(iotest.TruncateWriter(failAfter(room, full), 1<<40), sn, about, nil)
		require.ErrorIs(t, err, full, "room for %d bytes", room)
	}
	stop := make(chan struct{})
	close(stop)
	var b bytes.Buffer
	require.ErrorIs(t, Write(&b, sn, about, stop), ErrStopped)
	require.Zero(t, b.Len())

	large := stateOf(t, incompressible(2000)...)
	stop = make(chan struct{})
	pieces := 0
	err := Write(writerFunc(func(p []byte) (int, error) {
		if pieces++; pieces == 2 {
			close(stop)
		}
		return b.Write(p)
	}), large.Snapshot(), About(large.Snapshot(), 7, 1, taken), stop)
	require.ErrorIs(t, err, ErrStopped)
	require.ErrorIs(t, verify(b.Bytes()), ErrDamaged)
}

func failAfter(room int, err error) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		n := min(room, len(p))
		if room -= n; n < len(p) {
			return n, err
		}
		return n, nil
	})
}

// incompressible are keys whose values have no repetitions.
func incompressible(n int) []kernel.Command {
	random := rand.New(rand.NewPCG(1, 2))
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return keys(n, func(int) string {
		b := make([]byte, 256)
		for i := range b {
			b[i] = letters[random.IntN(len(letters))]
		}
		return string(b)
	})
}

// configuration are keys as they are in use.
func configuration(n int) []kernel.Command {
	return keys(n, func(i int) string {
		return fmt.Sprintf(`{"id":"node-%d","address":"10.0.%d.%d","port":%d,"tags":["primary","v%d"],"checks":[{"http":"http://10.0.%d.%d/health","interval":"10s"}],"meta":{"version":"1.%d.0","zone":"eu-west-%d"}}`,
			i, i/256%256, i%256, i%65536, i%7, i/256%256, i%256, i%13, i%3)
	})
}

func keys(n int, value func(int) string) []kernel.Command {
	list := make([]kernel.Command, n)
	for i := range list {
		list[i] = kernel.Command{Op: kernel.OpSet, Path: fmt.Sprintf("/k/%05d/%08d", i/1000, i), Value: value(i)}
	}
	return list
}

// What compresses well is compressed; what does not, is not tried.
func TestCompression(t *testing.T) {
	for name, c := range map[string]struct {
		commands    []kernel.Command
		least, most float64
	}{
		"configuration":  {configuration(5000), 0.02, 0.25},
		"incompressible": {incompressible(5000), 0.99, 1.01},
	} {
		s := stateOf(t, c.commands...)
		ratio := float64(len(write(t, s))) / float64(len(stateBytes(t, s)))
		assert.Greater(t, ratio, c.least, name)
		assert.Less(t, ratio, c.most, name)
	}
}

// Neither writing nor verifying holds more for a large store than for a small
// one.
func TestMemory(t *testing.T) {
	s := stateOf(t, incompressible(60_000)...)
	sn := s.Snapshot()
	var archive bytes.Buffer
	archive.Grow(20 << 20)
	base, most := heap(), uint64(0)
	look := func() { most = max(most, heap()) }
	pieces := 0
	err := Write(writerFunc(func(p []byte) (int, error) {
		if pieces++; pieces%20 == 0 {
			look()
		}
		return archive.Write(p)
	}), sn, About(sn, 7, 1, taken), nil)
	require.NoError(t, err)
	require.Greater(t, archive.Len(), 10<<20)
	require.Greater(t, pieces, 100)
	assert.Less(t, most, base+3<<20, "while it is written")

	most = 0
	pieces = 0
	_, _, err = Verify(readerFunc(func(p []byte) (int, error) {
		if pieces++; pieces%20 == 0 {
			look()
		}
		return archive.Read(p)
	}))
	require.NoError(t, err)
	require.Greater(t, pieces, 100)
	assert.Less(t, most, base+3<<20, "while it is verified")
	runtime.KeepAlive(s)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzVerify: no bytes panic it, whatever they unpack to, and an archive that
// passes can be restored or lacks a directory.
func FuzzVerify(f *testing.F) {
	good := write(f, someState(f))
	whole := parts(f, good)
	f.Add(good, false)
	f.Add(good[:len(good)-9], false)
	for _, p := range whole {
		f.Add(p.content, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, inside bool) {
		list := [][]byte{b}
		if inside {
			// As a part of an archive in which all else is right.
			list = nil
			for at := range whole {
				changed := append([]part{}, whole...)
				changed[at].content = b
				list = append(list, pack(t, changed))
				if at < 2 {
					list = append(list, pack(t, summed(changed)))
				}
			}
		}
		for _, archive := range list {
			about, found, err := Verify(bytes.NewReader(archive))
			if err != nil {
				require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, kernel.ErrNewerVersion), "%v", err)
				require.Nil(t, found)
				require.Zero(t, about)
				continue
			}
			require.Equal(t, about.Index, found.Applied)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for name, commands := range map[string][]kernel.Command{"incompressible": incompressible(100_000), "configuration": configuration(100_000)} {
		b.Run(name, func(b *testing.B) {
			s := stateOf(b, commands...)
			sn := s.Snapshot()
			about := About(sn, 7, 1, taken)
			b.SetBytes(int64(len(stateBytes(b, s))))
			b.ReportAllocs()
			var size counter
			for b.Loop() {
				size = 0
				require.NoError(b, Write(&size, sn, about, nil))
			}
			b.ReportMetric(float64(size)/1e6, "MB")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	s := stateOf(b, incompressible(100_000)...)
	archive := write(b, s)
	b.SetBytes(int64(len(stateBytes(b, s))))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, verify(archive))
	}
}
