package report

import (
	"math"
	"strings"
	"testing"
)

func TestQuantile(t *testing.T) {
	tests := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0.99, 4.96},
		{[]float64{1, 2}, 1, 2},
	}
	for _, test := range tests {
		if got := Quantile(test.values, test.q); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("Quantile(%v, %v) = %v, want %v", test.values, test.q, got, test.want)
		}
	}
	if !math.IsNaN(Quantile(nil, 0.5)) {
		t.Error("the median of no values is a number, want NaN")
	}
	values := []float64{2, 1}
	Quantile(values, 0.5)
	if values[0] != 2 {
		t.Error("Quantile changed the order of its argument")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.014: "0.01", 1: "1.00", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100",
		1234567.8: "1,234,568", 999.6: "1,000", -12.34: "-12.3", math.NaN(): "–",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "–" {
		t.Errorf("number(NaN) = %q", got)
	}
}

func sample() *Table {
	t := &Table{Reference: "Windlass", Order: []string{"Windlass", "River"}}
	for i, n := range []float64{2000, 4000, 3000} {
		t.Add("River", "100 workers", Value{Row: "drain", Unit: "jobs/s", Number: n, CPU: float64(40 + i)})
		t.Add("Windlass", "5 slots", Value{Row: "drain", Unit: "jobs/s", Number: 2 * n, CPU: float64(20 + i)})
	}
	t.Add("River", "100 workers", Value{Row: "wait", Unit: "ms", Lower: true, Number: 4, CPU: NoCPU()})
	t.Add("Windlass", "5 slots", Value{Row: "wait", Unit: "ms", Lower: true, Number: 1, CPU: NoCPU()})
	return t
}

func TestTableShowsMediansRangesAndRatios(t *testing.T) {
	var b strings.Builder
	if err := sample().Write(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	want := []string{
		"drain Windlass 6,000 4,000–8,000 jobs/s 21.0",
		"River 3,000 2,000–4,000 jobs/s 41.0 2.00× 0.51×",
		"",
		"wait Windlass 1.00 1.00–1.00 ms ↓ –",
		"River 4.00 4.00–4.00 ms ↓ – 0.25×",
	}
	for i, w := range want {
		if got := strings.Join(strings.Fields(lines[i+2]), " "); got != w {
			t.Errorf("line %d is %q, want %q", i+2, got, w)
		}
	}
}

func TestTableShowsFailures(t *testing.T) {
	table := sample()
	if table.Failed() {
		t.Error("Failed is true for a table without failures")
	}
	table.Fail("asynq", "drain", "no server")
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	if !table.Failed() || !strings.Contains(b.String(), "drain, asynq: no server") {
		t.Errorf("the failure is missing:\n%s", b.String())
	}
}

func TestMarkdownIsACompletePage(t *testing.T) {
	var b strings.Builder
	if err := sample().Markdown(&b, "Figures", []Fact{{"Machine", "2 cores"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Figures\n", "- **Machine:** 2 cores\n", "| **drain** | Windlass | 6,000 | 4,000–8,000 | jobs/s | 21.0 |  |  |\n",
		"|  | River | 3,000 | 2,000–4,000 | jobs/s | 41.0 | 2.00× | 0.51× |\n", "| Windlass | 5 slots | drain; wait |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := strings.Count(line, "|"); n != 0 && n != 9 && n != 4 {
			t.Errorf("a line of a table has %d bars: %s", n, line)
		}
	}
}
