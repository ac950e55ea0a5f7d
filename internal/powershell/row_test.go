package powershell

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// property is a row whose property P is this JSON.
func property(raw string) Row { return Row{"P": json.RawMessage(raw)} }

func TestTimesOfARow(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		moment, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return moment
	}
	for name, c := range map[string]struct {
		raw  string
		want time.Time // zero: none
	}{
		"seven digits and an offset of nought": {`"2022-09-21T08:07:47.0000000+00:00"`, at("2022-09-21T08:07:47Z")},
		"seven digits and Z":                   {`"2026-07-15T16:40:06.1234567Z"`, at("2026-07-15T16:40:06.1234567Z")},
		"no digits":                            {`"2026-07-15T16:40:06Z"`, at("2026-07-15T16:40:06Z")},
		"another zone":                         {`"2026-07-15T18:40:06+02:00"`, at("2026-07-15T16:40:06Z")},
		"PowerShell 5.1's":                     {`"\/Date(1795338900000)\/"`, at("2026-11-22T09:15:00Z")},
		"null":                                 {`null`, time.Time{}},
		"empty":                                {`""`, time.Time{}},
		".NET's zero":                          {`"0001-01-01T00:00:00Z"`, time.Time{}},
		"no zone":                              {`"2026-07-15T16:40:06"`, time.Time{}},
		"American":                             {`"7/15/2026 4:40:06 PM"`, time.Time{}},
		"a number":                             {`1795338900`, time.Time{}},
		"an object":                            {`{}`, time.Time{}},
		"broken JSON":                          {`"2026`, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := property(c.raw).Time("P")
			assert.Equal(t, c.want, got)
			assert.Equal(t, !c.want.IsZero(), ok)
		})
	}
	_, ok := Row{}.Time("P")
	assert.False(t, ok, "absent")
}

func TestValuesOfARow(t *testing.T) {
	r := Row{
		"DeviceID": json.RawMessage(`"A"`), "Count": json.RawMessage(`7`), "Text": json.RawMessage(`"8"`), "Float": json.RawMessage(`7.5`),
		"Yes": json.RawMessage(`true`), "No": json.RawMessage(`"False"`), "Null": json.RawMessage(`null`),
		"List": json.RawMessage(`["1;a;Primary, 2;b;ComponentShared","3;c;MainArchive",null]`), "One": json.RawMessage(`"x"`),
		"Quota": json.RawMessage(`"99 GB (106,300,440,576 bytes)"`), "Free": json.RawMessage(`"Unlimited"`), "Bad": json.RawMessage(`"99 GB"`),
		"Lines": json.RawMessage(`"a\r\nb"`),
	}
	assert.Equal(t, "A", r.String("DeviceId"), "its spelling varies")
	assert.Equal(t, "a  b", r.String("Lines"))
	assert.Empty(t, r.String("Null"))
	assert.Empty(t, r.String("absent"))
	for name, want := range map[string]int64{"Count": 7, "Text": 8} {
		n, ok := r.Int(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, n, name)
	}
	for _, name := range []string{"Float", "Null", "List", "absent"} {
		_, ok := r.Int(name)
		assert.False(t, ok, name)
	}
	yes, ok := r.Bool("Yes")
	assert.True(t, yes && ok)
	no, ok := r.Bool("No")
	assert.True(t, !no && ok)
	_, ok = r.Bool("Null")
	assert.False(t, ok, "null is not false")
	assert.Equal(t, []string{"1;a;Primary", "2;b;ComponentShared", "3;c;MainArchive"}, r.Strings("List"))
	assert.Equal(t, []string{"x"}, r.Strings("One"))
	assert.Empty(t, r.Strings("Null"))
	quota, ok := r.Size("Quota")
	assert.True(t, ok)
	assert.Equal(t, Size{Bytes: 106300440576}, quota)
	free, ok := r.Size("Free")
	assert.True(t, ok && free.Unlimited)
	_, ok = r.Size("Bad")
	assert.False(t, ok, "99 GB is not exact")
}

func TestDurationsOfARow(t *testing.T) {
	for s, want := range map[string]time.Duration{"00:00:00": 0, "90.00:00:00": 90 * 24 * time.Hour, "-1.02:03:04": -(26*time.Hour + 3*time.Minute + 4*time.Second),
		"00:00:01.5000000": 1500 * time.Millisecond} {
		got, ok := property(`"` + s + `"`).Duration("P")
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "90", "25:00:00", "x.00:00:00", "999999.00:00:00", "Unlimited"} {
		_, ok := property(`"` + s + `"`).Duration("P")
		assert.False(t, ok, s)
	}
}

func TestTheSamePropertyInTwoSpellings(t *testing.T) {
	r := Row{"DEVICEID": json.RawMessage(`"A"`), "DeviceID": json.RawMessage(`"B"`)}
	for range 20 {
		assert.Equal(t, "A", r.String("deviceid"), "not by chance")
	}
	assert.Equal(t, "B", r.String("DeviceID"), "the exact one first")
}
