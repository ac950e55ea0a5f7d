package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// whatever is the condition that holds for every series, as in Prometheus.
const whatever = "is_number($A) || is_nan($A) || is_inf($A)"

// split takes the comparisons with a number at the end of an expression out of
// it and gives them as a condition of Grafana's on query A. So the query goes
// on giving the series when all is well again: one that vanished would be
// taken for resolved after two evaluations, and keep_firing_for not waited
// for. Of any other expression the whole is the query.
func split(expr string) (query, condition string, err error) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return "", "", err
	}
	var all []string
	for {
		b, ok := e.(*parser.BinaryExpr)
		if !ok || !b.Op.IsComparisonOperator() || b.ReturnBool {
			break
		}
		limit, ok := b.RHS.(*parser.NumberLiteral)
		if !ok {
			break
		}
		all = append([]string{fmt.Sprintf("$A %s %s", b.Op, limit)}, all...)
		e = b.LHS
	}
	if len(all) == 0 {
		return expr, whatever, nil
	}
	at := e.PositionRange()
	return expr[at.Start:at.End], strings.Join(all, " && "), nil
}
