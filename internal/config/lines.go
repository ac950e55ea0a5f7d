package config
type lines map[string]int
