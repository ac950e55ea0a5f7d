package metadata

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestLibraryAsksOnlyForWhatChanged(t *testing.T) {
	w := newWorld(t)
	l := newLibrary(w.fetch, func() time.Time { return w.now })
	get := func() Published {
		p, err := l.published(t.Context(), testURL)
		require.NoError(t, err)
		return p
	}
	first := get()
	w.now = w.now.Add(step)
	second := get()
	assert.Equal(t, first.Document, second.Document)
	require.Len(t, w.fetched, 2)
	assert.Empty(t, w.fetched[0].ETag)
	assert.NotEmpty(t, w.fetched[1].ETag)

	w.published = w.published[1:]
	assert.Len(t, get().Certificates, 2, "a new document replaces the copy")

	w.now = w.now.Add(fullEvery)
	get()
	assert.Empty(t, w.fetched[3].ETag, "now and then it asks for the whole document")

	w.now = w.now.Add(-2 * fullEvery)
	get()
	assert.Empty(t, w.fetched[4].ETag, "a clock set back makes the copy's age unknown")
}

func TestLibraryKeepsTheGoodCopyBehindABadOne(t *testing.T) {
	w := newWorld(t)
	l := newLibrary(w.fetch, func() time.Time { return w.now })
	good, err := l.published(t.Context(), testURL)
	require.NoError(t, err)
	w.documents[testURL] = "<html>"
	_, err = l.published(t.Context(), testURL)
	require.ErrorContains(t, err, testURL)
	assert.Equal(t, check.Metadata, check.ClassOf(err))
	delete(w.documents, testURL)
	again, err := l.published(t.Context(), testURL)
	require.NoError(t, err)
	assert.Equal(t, good, again)
	assert.NotEmpty(t, w.fetched[2].ETag)
}

func TestLibraryReadsEveryFormat(t *testing.T) {
	d := newDERs(t, 2)
	w := newWorld(t)
	w.documents = map[string]string{
		"https://login.example/t/.well-known/openid-configuration": `{"issuer":"i","jwks_uri":"https://login.example/keys"}`,
		"https://login.example/keys":                               fmt.Sprintf(`{"keys":[{"use":"sig","x5c":[%q]}]}`, b64(d[0])),
		"https://acs.example/t/metadata/json/1":                    fmt.Sprintf(`{"issuer":"a@b","keys":[{"usage":"signing","keyvalue":{"type":"x509Certificate","value":%q}}]}`, b64(d[1])),
		"https://plain.example/openid-configuration":               `{"issuer":"i","jwks_uri":"http://login.example/keys"}`,
		"https://gone.example/openid-configuration":                `{"issuer":"i","jwks_uri":"https://gone.example/keys?secret=1"}`,
	}
	l := newLibrary(w.fetch, func() time.Time { return w.now })
	for at, want := range map[string][]string{
		"https://login.example/t/.well-known/openid-configuration": thumbprintsOf(d[0]),
		"https://acs.example/t/metadata/json/1":                    thumbprintsOf(d[1]),
	} {
		p, err := l.published(t.Context(), at)
		require.NoError(t, err)
		assert.Equal(t, want, thumbprints(p.Certificates))
		assert.Equal(t, at, p.URL)
	}
	for at, want := range map[string]string{
		"https://plain.example/openid-configuration": "want an https URL",
		"https://gone.example/openid-configuration":  "connection refused",
		"http://login.example/fm.xml":                "want an https URL",
		"https://user:secret@login.example/fm.xml":   "want an https URL",
		"file:///etc/passwd":                         "want an https URL",
	} {
		before := len(w.fetched)
		_, err := l.published(t.Context(), at)
		require.ErrorContains(t, err, want)
		assert.Equal(t, check.Metadata, check.ClassOf(err))
		assert.NotContains(t, err.Error(), "user:secret")
		if want == "want an https URL" && at != "https://plain.example/openid-configuration" {
			assert.Len(t, w.fetched, before, "nothing is asked")
		}
	}
}

func TestUnchangedWithoutACopyIsAnError(t *testing.T) {
	l := newLibrary(func(context.Context, request) (answer, error) { return answer{Unchanged: true}, nil }, time.Now)
	_, err := l.published(t.Context(), testURL)
	assert.Equal(t, check.Metadata, check.ClassOf(err))
}
