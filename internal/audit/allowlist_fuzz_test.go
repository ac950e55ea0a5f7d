package audit

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/hmad/hmad/internal/check/checktest"
)

func FuzzParseAllowList(f *testing.F) {
	for _, seed := range []string{"40.96.0.0/13\n", "10.0.0.1-10.0.0.9 # x", "::/0", "255.255.255.255\n::", "\ufeff", "1-2-3", "::ffff:10.0.0.0/104", "::ffff:1.2.3.4-1.2.3.5"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseAllowList(data)
		if err != nil {
			return
		}
		for i, s := range list.space {
			if s.last.Less(s.first) || s.first.BitLen() != s.last.BitLen() {
				t.Fatalf("the span %v ends before it begins", s)
			}
			if i > 0 && list.space[i-1].joins(s) {
				t.Fatalf("%v and %v are one", list.space[i-1], s)
			}
			if list.space.covers(netip.PrefixFrom(s.first, s.first.BitLen())) != covered {
				t.Fatalf("the first address of %v is not in it", s)
			}
		}
	})
}

func FuzzEndpoints(f *testing.F) {
	f.Add([]byte(`[{"id":1,"serviceArea":"Exchange","ips":["40.96.0.0/13"],"endpointSetId":1,"add":{"effectiveDate":"20260930","ips":["20.0.0.0/16"]}}]`))
	f.Add([]byte(`{"latest":"2026081400"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var sets []endpointSet
		if json.Unmarshal(data, &sets) == nil {
			if ranges, err := rangesOf(sets); err == nil && len(ranges) == 0 {
				t.Fatal("a list without ranges is none")
			}
		}
		var changes []endpointChange
		if json.Unmarshal(data, &changes) == nil {
			_, err := addedBy(changes)
			if err != nil {
				checktest.OneLine(t, err)
			}
		}
		var v versionAnswer
		if json.Unmarshal(data, &v) == nil {
			if version, err := v.version(); err == nil && len(version) != 10 {
				t.Fatalf("%q is no version", version)
			}
		}
	})
}
