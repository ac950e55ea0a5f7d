package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIsGUID(t *testing.T) {
	for s, want := range map[string]bool{
		"5de110f8-2e0f-4d45-891d-bcf2218e253d":          true,
		"5DE110F8-2E0F-4D45-891D-BCF2218E253D":          true,
		"":                                              false,
		"5de110f82e0f4d45891dbcf2218e253d":              false,
		"{5de110f8-2e0f-4d45-891d-bcf2218e253d}":        false,
		"urn:uuid:5de110f8-2e0f-4d45-891d-bcf2218e253d": false,
		"5de110f8-2e0f-4d45-891d-bcf2218e253g":          false,
		"5de110f8+2e0f-4d45-891d-bcf2218e253d":          false,
	} {
		assert.Equal(t, want, IsGUID(s), s)
	}
}
