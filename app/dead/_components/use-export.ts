"use client";

import { useMutation } from "@tanstack/react-query";
import { sentenceOf } from "@/_api/problem";
import { jobText } from "@/_api/queries";
import { count } from "@/_components/numbers";
import { toast } from "@/_components/ui/toaster";

const AT_ONCE = 6;

/** Saves jobs as NDJSON: one line each, whole and in the very text the API sends, so that numbers stay exact. */
export function useExport() {
  return useMutation({
    mutationFn: async (ids: string[]) => {
      const lines: string[] = new Array(ids.length);
      const rest = [...ids.entries()];
      const work = async () => {
        for (let entry = rest.shift(); entry; entry = rest.shift()) lines[entry[0]] = await jobText(entry[1]);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      save(`${lines.join("\n")}\n`, `windlass-dead-${new Date().toISOString().slice(0, 10)}.ndjson`);
      return lines.length;
    },
    onSuccess: (n) => toast.success(`${count(n, "job")} exported`),
    onError: (error) => toast.error("Nothing was exported", sentenceOf(error)),
  });
}

function save(text: string, name: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
