package exporter

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var files embed.FS

// assets are the files that the page refers to.
var assets = []string{"style.css", "icon-good.svg", "icon-bad.svg", "icon-unsure.svg"}

// handleAssets serves the assets from the binary, named by their content: a
// browser may keep them and still never sees those of another version.
func handleAssets(mux *http.ServeMux) {
	for _, name := range assets {
		content, err := files.ReadFile(path.Join("assets", name))
		if err != nil {
			panic(err) // they are part of the binary
		}
		tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("ETag", tag)
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		})
	}
}

// pageTemplate is parsed when the binary starts; a fault in it shows in every
// test.
var pageTemplate = template.Must(template.ParseFS(files, "assets/page.html", "assets/card.html", "assets/chain.html"))
