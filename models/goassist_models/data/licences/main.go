// Licences reads JSON lines {"id": ..., "text": ...} on standard input and answers each with the licences that
// google/licensecheck finds in the text: {"id", "percent", "found": [{"id", "start", "end"}]}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/licensecheck"
)

type question struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type match struct {
	ID    string `json:"id"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

type answer struct {
	ID      string  `json:"id"`
	Percent float64 `json:"percent"`
	Found   []match `json:"found"`
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	questions := json.NewDecoder(bufio.NewReader(os.Stdin))
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	for questions.More() {
		var q question
		if err := questions.Decode(&q); err != nil {
			return err
		}
		coverage := licensecheck.Scan([]byte(q.Text))
		found := []match{}
		for _, m := range coverage.Match {
			if !m.IsURL {
				found = append(found, match{m.ID, m.Start, m.End})
			}
		}
		if err := answers.Encode(answer{q.ID, coverage.Percent, found}); err != nil {
			return err
		}
	}
	return output.Flush()
}
