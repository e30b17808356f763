package canonjson

// Measure returns the length of the first value of a document in canonical form.
func Measure(canonical []byte) int {
	depth := 0
	for i := 0; i < len(canonical); i++ {
		switch canonical[i] {
		case '"':
			for i++; i < len(canonical) && canonical[i] != '"'; i++ {
				if canonical[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(canonical))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(canonical)
}
