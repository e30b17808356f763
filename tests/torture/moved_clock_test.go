package torture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clockReader is a program that prints the time and its running time in seconds for each line that it reads.
const clockReader = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	begun := time.Now()
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		fmt.Println(time.Now().Unix(), int(time.Since(begun).Seconds()))
	}
}
`

// The clock of a program that is built with the overlay can be moved forwards and backwards while the program runs.
// Durations that the program measures stay right.
func TestClocksOfProgramsMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	overlay, err := clockOverlay(dir)
	if errors.Is(err, ErrClocks) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	source, bin, clock := filepath.Join(dir, "main.go"), filepath.Join(dir, "clock-reader"), filepath.Join(dir, "clock")
	if err := os.WriteFile(source, []byte(clockReader), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", bin, source).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	program := exec.Command(bin)
	program.Env = append(os.Environ(), "TORTURE_CLOCK="+clock)
	ask, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	for _, off := range []int64{0, 3600, -7200, 0} {
		if err := put(clock, fmt.Sprint(off)); err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); ; {
			var now, ran int64
			if _, err := io.WriteString(ask, "\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fscanln(answers, &now, &ran); err != nil {
				t.Fatal(err)
			}
			if ran < 0 || ran > 600 {
				t.Fatalf("with its clock moved by %d s the program measures a running time of %d s", off, ran)
			}
			if is := now - time.Now().Unix() - off; is > -60 && is < 60 {
				break
			}
			if time.Since(begun) > 30*time.Second {
				t.Fatalf("the clock is %d s off, want %d s", now-time.Now().Unix(), off)
			}
		}
	}
	_ = ask.Close()
	if err := program.Wait(); err != nil {
		t.Error(err)
	}
}
