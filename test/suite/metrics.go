package suite

import (
	"context"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metric reads a metric of a service: the sum over the series that have the
// labels, given as name, value pairs; of a histogram, the number of what was
// observed. Known is false where there is no such series.
func (s *Suite) Metric(ctx context.Context, service, name string, labels ...string) (value float64, known bool, err error) {
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", s.Services[service].MetricsPort)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, false, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false, fmt.Errorf("read the metrics of %s: %w", service, err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return 0, false, fmt.Errorf("read the metrics of %s: %w", service, err)
	}
	for _, m := range families[name].GetMetric() {
		if !labelled(m, labels) {
			continue
		}
		known = true
		value += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return value, known, nil
}

func labelled(m *dto.Metric, labels []string) bool {
	has := map[string]string{}
	for _, l := range m.GetLabel() {
		has[l.GetName()] = l.GetValue()
	}
	for i := 0; i+1 < len(labels); i += 2 {
		if has[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}
