package canonjson

import "bytes"

// Growth returns how many bytes longer than a document its canonical form may get, because numbers with an exponent are
// written out. It takes no memory and a fraction of the time of Canonical. The canonical form may be shorter than this
// says, never longer. Of a document that Canonical refuses it says nothing.
func Growth(raw []byte) (n int) {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfText(raw, i+1)
		case 'e', 'E': // of a number, or of true and false
			exponent, digits := 0, 0
			for k := i + 1; k < len(raw); k++ {
				switch b := raw[k]; {
				case '0' <= b && b <= '9':
					exponent, digits = min(exponent*10+int(b-'0'), MaxExponent), digits+1
					continue
				case k == i+1 && (b == '+' || b == '-'):
					continue
				}
				break
			}
			if digits > 0 {
				n += exponent // the e and a digit go, a point and a zero may come
			}
		}
	}
	return n
}

// endOfText returns where the quote is that ends a string.
func endOfText(raw []byte, i int) int {
	for {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		end := i + n
		escapes := 0
		for end-escapes > i && raw[end-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		i = end + 1
	}
}
