"use client";

import { useState } from "react";
import { type Answer, begin, follow, type Shown } from "./still";

type Reading = { reading: string; answer: Answer; start: Shown; shown: Shown };

/**
 * A list that stands still: start is the first answer of a reading, shown is what became of it. A later answer only
 * changes it in place. Undefined until there is one. An answer has to stay the same object while it says the same.
 */
export function useStill(answer: Answer | undefined, reading: string): Reading | undefined {
  const [state, setState] = useState<Reading>();
  let current = state;
  if (answer && (state?.reading !== reading || state.answer !== answer)) {
    const start = state?.reading === reading ? state.start : begin(answer);
    current = {
      reading,
      answer,
      start,
      shown: follow(state?.reading === reading ? state.shown : start, answer),
    };
    setState(current);
  }
  return current;
}
