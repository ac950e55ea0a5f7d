package metadata

import (
	"context"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// maxDetail bounds in bytes a note and what an error quotes.
const maxDetail = 300

// judging looks once and fills the verdict of a run.
type judging func(context.Context, *check.Verdict)

// define completes a Def by the function that builds its check for a target; a
// nil judging means that the target has no such check. A run gets its verdict
// from here and does not name the Def: a variable whose value reaches a function
// that names the variable does not compile.
func define(d check.Def, build func(config.Target, check.Env) (judging, error)) *check.Def {
	d.New = func(t config.Target, env check.Env) (check.Parts, error) {
		judge, err := build(t, env)
		if judge == nil || err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: func(ctx context.Context) (check.Report, error) {
			v := d.Judge()
			judge(ctx, v)
			return v.Report()
		}}, nil
	}
	return &d
}
