package main

import "fmt"

// didYouMean names the candidate that was probably meant by a mistyped word, or is empty when none is near. Each is
// printed between the marks before and after it.
func didYouMean(before, word, after string, candidates []string) string {
	best, least := "", len(word)/3+2 // a third of the letters and one more may be wrong
	for _, c := range candidates {
		if d := editDistance(word, c); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s%s%s?)", before, best, after)
}

// editDistance counts the bytes to insert, delete or replace between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: distance of what was read of a to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
