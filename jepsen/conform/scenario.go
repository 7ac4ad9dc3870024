package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Limits on a corpus.
const (
	// MaxFileBytes bounds one scenario file.
	MaxFileBytes = 4 << 20
	// MaxRepeat bounds how often one step is sent.
	MaxRepeat = 100_000
)

// ErrScenario is wrapped by errors about a scenario file.
var ErrScenario = errors.New("bad scenario")

// The tags that ask for a server of their own.
const (
	TagAuth        = "auth"
	TagDestructive = "destructive"
)

// Scenario is one recorded conversation.
type Scenario struct {
	Name  string   `json:"name"`
	Area  string   `json:"area"`
	Doc   string   `json:"doc"`
	Tags  []string `json:"tags"`
	Steps []Step   `json:"steps"`
	// Finally is sent at the end whatever happened; its answers are not looked at.
	Finally []Step `json:"finally"`
}

// HasTag tells whether the scenario carries one of the tags.
func (s *Scenario) HasTag(tags ...string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(s.Tags, t) })
}

// ID is area and name, which no other scenario has.
func (s *Scenario) ID() string { return s.Area + "/" + s.Name }

// Step is one thing to do: send a request, wait for one sent in the
// background, drop one, or take the base index anew.
type Step struct {
	Note       string            `json:"note"`
	Method     string            `json:"method"`
	Path       string            `json:"path"` // sent as it is, after expansion
	Form       fields            `json:"form"`
	Body       *string           `json:"body"`
	BodyBase64 []byte            `json:"body_base64"`
	Headers    map[string]string `json:"headers"`
	Auth       string            `json:"auth"` // user:password

	SleepMS    int    `json:"sleep_ms"` // before anything else
	Repeat     int    `json:"repeat"`   // how often to send; the last answer counts
	Background bool   `json:"background"`
	ID         string `json:"id"`    // of a background request
	Await      string `json:"await"` // id to wait for
	Close      string `json:"close"` // id to drop
	Stream     bool   `json:"stream"`
	QuietMS    int    `json:"quiet_ms"`
	TimeoutMS  int    `json:"timeout_ms"`
	Rebase     bool   `json:"rebase"`

	// Capture keeps a part of the answer: variable to JSON path, "" for the
	// whole body, "header:Name" for a header.
	Capture map[string]string `json:"capture"`
	Expect  *Expect           `json:"expect"`
	Rec     json.RawMessage   `json:"rec"` // the recorder's; not used
}

// Expect is the answer the real server gave.
type Expect struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	JSON     any               `json:"json"`
	Text     *string           `json:"text"`
	Raw      *string           `json:"raw"`
	Events   []any             `json:"events"`
	Pending  bool              `json:"pending"`
	Ordered  bool              `json:"ordered"`
	Transfer string            `json:"transfer"`
}

// fields is a form: pairs in order, or an object taken in the order of names.
type fields [][2]string

// UnmarshalJSON implements [json.Unmarshaler].
func (f *fields) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[][2]string)(f))
	}
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*f = fields{} // an empty form differs from none
	for _, k := range sortedKeys(m) {
		*f = append(*f, [2]string{k, m[k]})
	}
	return nil
}

// Load reads every scenario below dir, ordered by area and name.
func Load(dir string) ([]Scenario, error) {
	var all []Scenario
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(path) == filepath.Clean(dir) || !strings.HasSuffix(path, ".json") {
			return err
		}
		s, err := loadFile(path)
		if err != nil {
			return err
		}
		all = append(all, *s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load corpus %s: %w", dir, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("load corpus %s: %w: no scenario in it; give the folder that holds the areas", dir, ErrScenario)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID() < all[j].ID() })
	for i := 1; i < len(all); i++ {
		if all[i].ID() == all[i-1].ID() {
			return nil, fmt.Errorf("load corpus %s: %w: two are named %s; rename one", dir, ErrScenario, all[i].ID())
		}
	}
	return all, nil
}

func loadFile(path string) (*Scenario, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxFileBytes {
		return nil, fmt.Errorf("%w: %s: %d bytes; keep it below %d", ErrScenario, path, info.Size(), MaxFileBytes)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrScenario, path, err)
	}
	return s, nil
}

// parse decodes one file; unknown members are errors, for a misspelt
// expectation would otherwise check nothing.
func parse(b []byte) (*Scenario, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	s := &Scenario{}
	if err := dec.Decode(s); err != nil {
		return nil, err
	}
	if s.Name == "" || s.Area == "" || len(s.Steps) == 0 {
		return nil, errors.New("name, area or steps are missing")
	}
	for i := range s.Steps {
		if s.Steps[i].Repeat > MaxRepeat {
			return nil, fmt.Errorf("step %d: repeat %d; at most %d", i+1, s.Steps[i].Repeat, MaxRepeat)
		}
	}
	return s, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
