package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/kernel/replica"
)

// family is one metric: its name, what it means, and how it is had of a scrape.
type family struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	collect    func(s *scrape, emit emit)
	// histogram, if there is one, stands for kind, labels and collect; its
	// values times unit are what is shown.
	histogram func(s *scrape) replica.Histogram
	unit      float64
}

// emit takes a value, with the values of the family's labels.
type emit func(value float64, labels ...string)

func counter(name, help string, read func(s *scrape) uint64) family {
	return family{name: name, help: help, kind: prometheus.CounterValue, collect: func(s *scrape, emit emit) { emit(float64(read(s))) }}
}

func gauge(name, help string, read func(s *scrape) uint64) family {
	return family{name: name, help: help, kind: prometheus.GaugeValue, collect: func(s *scrape, emit emit) { emit(float64(read(s))) }}
}

func histogram(name, help string, unit float64, read func(s *scrape) replica.Histogram) family {
	return family{name: name, help: help, histogram: read, unit: unit}
}

// bounded are the families of a queue or table: how full it is and its limit.
// The unit, if there is one, ends both names.
func bounded(name, unit, help string, read func(s *scrape) replica.Gauge) []family {
	if unit != "" {
		unit = "_" + unit
	}
	return []family{
		gauge(name+unit, help, func(s *scrape) uint64 { return read(s).Now }),
		gauge(name+"_limit"+unit, "The limit of "+name+unit+".", func(s *scrape) uint64 { return read(s).Limit }),
	}
}

// refusing are the same and the count of what was refused.
func refusing(name, unit, help string, read func(s *scrape) replica.Gauge) []family {
	return append(bounded(name, unit, help, read),
		counter(name+"_refused_total", "What was refused because "+name+" had reached its limit.",
			func(s *scrape) uint64 { return read(s).Refused }))
}

// families are all metrics of the member's own.
func families() []family {
	return slices.Concat(infoFamilies, httpFamilies, replicaFamilies, raftFamilies, storeFamilies, peerFamilies)
}

// collector makes metrics of a scrape.
type collector struct {
	families []family
	descs    []*prometheus.Desc // of families
	read     func() scrape
}

func newCollector(read func() scrape) *collector {
	c := &collector{families: families(), read: read}
	for _, f := range c.families {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.read()
	for i, f := range c.families {
		if f.histogram != nil {
			out <- constHistogram(c.descs[i], f.histogram(&s), f.unit)
			continue
		}
		f.collect(&s, func(value float64, labels ...string) {
			out <- constMetric(c.descs[i], f.kind, value, labels)
		})
	}
}

// constMetric makes a metric. What is no UTF-8 in a label, which a name may
// bring, is replaced; the format escapes the rest.
func constMetric(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) prometheus.Metric {
	clean := make([]string, len(labels))
	for i, l := range labels {
		clean[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	m, err := prometheus.NewConstMetric(desc, kind, value, clean...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

func constHistogram(desc *prometheus.Desc, h replica.Histogram, unit float64) prometheus.Metric {
	buckets, count := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, n := range h.Counts {
		count += n
		if i < len(h.Bounds) {
			buckets[float64(h.Bounds[i])*unit] = count
		}
	}
	m, err := prometheus.NewConstHistogram(desc, count, float64(h.Sum)*unit, buckets)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// truth is 1 or 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
