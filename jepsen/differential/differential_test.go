package differential_test

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/jepsen/differential"
	"holdfast/jepsen/process"
)

var (
	scripts = flag.Int("scripts", 200, "how many random scripts to compare")
	from    = flag.Uint64("from", 1, "seed of the first script")
)

func TestEtcdVsEtcd(t *testing.T) {
	a := process.TestCluster(t, process.TestEtcd(t), 1)
	b := process.TestCluster(t, process.TestEtcd(t), 1)
	p, err := differential.NewPair(a.Members[0].ClientURL, b.Members[0].ClientURL)
	require.NoError(t, err)
	defer p.Close()
	begin := time.Now()
	fl := 0
	for i := range *scripts {
		m, f, err := p.Run(t.Context(), differential.Generate(*from+uint64(i)))
		require.NoError(t, err)
		fl += f
		if m != nil {
			t.Errorf("%s", m)
		}
	}
	t.Log(*scripts, time.Since(begin), "fleeting", fl)
}
