package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAGeneratedPartReplacesTheOneBefore(t *testing.T) {
	page := "# Title\n" + partBegins + "old\n" + partEnds + "more by hand\n"
	got, err := fill(page, "new\n")
	require.NoError(t, err)
	assert.Equal(t, "# Title\n"+partBegins+"new\n"+partEnds+"more by hand\n", got)
	two := partBegins + "a\n" + partEnds + "between\n" + partBegins + "b\n" + partEnds
	got, err = fill(two, "1\n", "2\n")
	require.NoError(t, err)
	assert.Equal(t, partBegins+"1\n"+partEnds+"between\n"+partBegins+"2\n"+partEnds, got)
	for name, page := range map[string]string{"no such part": "# Title\n", "one without an end": partBegins + "old\n", "the wrong way round": partEnds + partBegins} {
		_, err := fill(page, "new\n")
		assert.ErrorContains(t, err, "around the generated part are gone", name)
	}
}
