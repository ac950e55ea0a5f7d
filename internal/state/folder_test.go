package state_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/state"
)

func TestFolderReplacesFilesWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports", "contoso")
	f := state.Folder(dir)
	require.NoError(t, f.Make())
	assert.DirExists(t, dir)
	require.NoError(t, f.Put("ex01.json", []byte("first")))
	require.NoError(t, f.Put("ex01.json", []byte("second")))
	require.NoError(t, f.Put("../../ex02.json", []byte("stays inside")))
	got, err := os.ReadFile(filepath.Join(dir, "ex01.json"))
	require.NoError(t, err)
	assert.Equal(t, "second", string(got))
	left, err := filepath.Glob(filepath.Join(dir, "..", "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, left, "nothing lies beside the folder")
	assert.FileExists(t, filepath.Join(dir, "ex02.json"))
}

// What processes left half written that were killed does not add up.
func TestFolderForgetsWhatIsHalfWritten(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, ".incoming-1"), filepath.Join(dir, ".incoming-2")
	for _, name := range []string{old, young} {
		require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	require.NoError(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)))
	require.NoError(t, state.Folder(filepath.Join(dir, "contoso")).Make())
	assert.NoFileExists(t, old)
	assert.FileExists(t, young, "another target's may be under way")
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, state.Folder(filepath.Join(file, "below")).Put("ex01.json", nil))
}
