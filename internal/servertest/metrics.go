package servertest

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/writer-presence/writer-presence/identity"
)

// Metric returns the value of a metric, 0 if it does not exist, and the number of observations of a histogram. Labels are
// names and values in turn.
func (s *Server) Metric(name string, labels ...string) float64 {
	s.T.Helper()
	for key, value := range s.metrics(name) {
		if key == strings.Join(labels, " ") {
			return value
		}
	}
	return 0
}

// RequestCounts returns how many requests were counted by operation and status.
func (s *Server) RequestCounts() map[string]uint64 {
	all := map[string]uint64{}
	for labels, n := range s.metrics("requests_total") {
		field := strings.Fields(labels)
		all[field[1]+" "+field[3]] = uint64(n)
	}
	return all
}

// Rejections returns how many tokens were rejected for a reason, or for all reasons if it is empty.
func (s *Server) Rejections(reason identity.Reason) (n float64) {
	for labels, count := range s.metrics("token_rejections_total") {
		if reason == "" || labels == "reason "+string(reason) {
			n += count
		}
	}
	return n
}

// Histogram returns a histogram of an operation.
func (s *Server) Histogram(name, operation string) *dto.Histogram {
	s.T.Helper()
	for _, m := range s.gather(name) {
		if m.GetLabel()[0].GetValue() == operation {
			return m.GetHistogram()
		}
	}
	s.T.Fatalf("the histogram %s of %s does not exist", name, operation)
	return nil
}

// metrics returns the values of a metric by their labels in pairs.
func (s *Server) metrics(name string) map[string]float64 {
	s.T.Helper()
	all := map[string]float64{}
	for _, m := range s.gather(name) {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName(), l.GetValue())
		}
		all[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return all
}

// gather returns the series of a metric.
func (s *Server) gather(name string) []*dto.Metric {
	s.T.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.Handler.Metrics())
	families, err := registry.Gather()
	if err != nil {
		s.T.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "writer_presence_"+name {
			return family.GetMetric()
		}
	}
	return nil
}
