package metrics

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/httpd"
)

// docs/metrics.md has a row for each metric, with its type, and none for what is
// no metric.
func TestDocs(t *testing.T) {
	content, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	page := string(content)
	shown := newFixture(t, httpd.Limits{}).families()
	require.Empty(t, checkDocs(page, shown))

	row := "| `holdfast_kernel_keys` | gauge "
	require.Contains(t, page, row)
	assert.Equal(t, []string{"holdfast_kernel_keys: named, but has no row", "holdfast_kernel_keys: no row", "holdfast_kernel_nodes: a row, but no such metric"},
		checkDocs(strings.Replace(page, row, "| `holdfast_kernel_nodes` | gauge ", 1), shown))
	assert.Len(t, checkDocs(strings.Replace(page, row, "| `holdfast_kernel_keys` | counter ", 1), shown), 1)
	assert.Len(t, checkDocs(page+"\n"+row+"| a | b | c | d |\n", shown), 1, "twice")
	assert.Len(t, checkDocs(strings.Replace(page, "`holdfast_ready` is 0", "`holdfast_redy` is 0", 1), shown), 1, "in the text")
}

var (
	rowPattern  = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\|(?:[^|\n]*\\|){4}$")
	namePattern = regexp.MustCompile("`((?:holdfast|process|go)_[a-z0-9_]+)")
)

func checkDocs(page string, shown map[string]*dto.MetricFamily) (faults []string) {
	rows := map[string]bool{}
	for _, row := range rowPattern.FindAllStringSubmatch(page, -1) {
		name, kind := row[1], row[2]
		one, ok := shown[name]
		switch {
		case rows[name]:
			faults = append(faults, name+": two rows")
		case ok && kind != strings.ToLower(one.GetType().String()):
			faults = append(faults, fmt.Sprintf("%s: called a %s, is a %v", name, kind, one.GetType()))
		case !ok && (runtime.GOOS == "linux" || !strings.HasPrefix(name, "process_")):
			faults = append(faults, name+": a row, but no such metric")
		}
		rows[name] = true
	}
	for name := range shown {
		if !rows[name] {
			faults = append(faults, name+": no row")
		}
	}
	for _, named := range namePattern.FindAllStringSubmatch(page, -1) {
		if name := named[1]; !rows[name] {
			faults = append(faults, name+": named, but has no row")
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}
