package web

import "strconv"

// Failures gives the table of failures as "status code" each.
func Failures() []string {
	var all []string
	for _, f := range failures {
		if f.status == 0 {
			continue // the contract of HTTP does not know it
		}
		all = append(all, strconv.Itoa(f.status)+" "+f.code)
	}
	return all
}
