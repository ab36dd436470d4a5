package main

import (
	"strings"
	"testing"
)

func TestCountTellsHowTestsEnded(t *testing.T) {
	tests := []struct {
		name   string
		events string
		want   result
		says   string // must be in the report
	}{
		{
			name: "one each",
			events: `{"Action":"run","Test":"TestA"}
{"Action":"pass","Test":"TestA"}
{"Action":"run","Test":"TestB"}
{"Action":"output","Test":"TestB","Output":"b_test.go:1: no\n"}
{"Action":"fail","Test":"TestB"}
{"Action":"output","Test":"TestC","Output":"needs a tool\n"}
{"Action":"skip","Test":"TestC"}
{"Action":"fail"}`,
			want: result{passed: 1, failed: 1, skipped: 1},
			says: "b_test.go:1: no\nneeds a tool\n",
		},
		{
			name: "subtests are part of their test",
			events: `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA/x","Output":"x is wrong\n"}
{"Action":"fail","Test":"TestA/x"}
{"Action":"pass","Test":"TestA/y"}
{"Action":"fail","Test":"TestA"}`,
			want: result{failed: 1},
			says: "x is wrong\n",
		},
		{
			name: "a test without end failed",
			events: `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"fail"}`,
			want: result{failed: 1},
			says: "panic: test timed out\n--- never ended: TestA\n",
		},
		{
			name: "a package that fails outside its tests failed",
			events: `{"Action":"pass","Test":"TestA"}
{"Action":"output","Output":"found unexpected goroutines\n"}
{"Action":"fail"}`,
			want: result{passed: 1, failed: 1},
			says: "found unexpected goroutines\n",
		},
		{
			name:   "what is no event is passed on",
			events: "SIGQUIT: quit\n",
			says:   "SIGQUIT: quit\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var report strings.Builder
			got, err := count(strings.NewReader(tt.events), &report)
			if err != nil || got != tt.want {
				t.Errorf("count = %+v, %v; want %+v", got, err, tt.want)
			}
			if !strings.Contains(report.String(), tt.says) {
				t.Errorf("report %q lacks %q", report.String(), tt.says)
			}
		})
	}
}
