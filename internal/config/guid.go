package config

import "github.com/google/uuid"

// guidLength is the length of a GUID in its usual form. Package uuid also takes
// longer and shorter ones: with braces, with a prefix, without hyphens.
const guidLength = 36

// IsGUID reports whether s is a GUID in its usual form, such as
// 5de110f8-2e0f-4d45-891d-bcf2218e253d, in lower or upper case.
func IsGUID(s string) bool { return len(s) == guidLength && uuid.Validate(s) == nil }
