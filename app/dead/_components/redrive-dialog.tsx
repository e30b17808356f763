"use client";

import { useState } from "react";
import { useRedrive } from "@/_api/mutations";
import type { RedriveRequest } from "@/_api/types";
import { count, formatNumber } from "@/_components/numbers";
import { Confirm } from "@/_components/ui/confirm";
import { Field, Select } from "@/_components/ui/field";

export type Redrive = {
  what: string;
  request: RedriveRequest;
  count: number;
  /** Otherwise there may be more than are loaded. */
  exact: boolean;
};

const SPREADS = [
  { seconds: 0, label: "At once" },
  { seconds: 60, label: "Spread over a minute" },
  { seconds: 600, label: "Spread over 10 minutes" },
  { seconds: 3600, label: "Spread over an hour" },
];

/** Says how many jobs are about to be sent back, and when they start. */
export function RedriveDialog({ redrive, onClose }: { redrive: Redrive | undefined; onClose: () => void }) {
  const [spread, setSpread] = useState(0);
  const { mutate } = useRedrive();
  const many = redrive?.exact === false;
  const said = redrive ? `${count(redrive.count, "job")}${many ? " or more" : ""}` : "";
  return (
    <Confirm
      open={redrive !== undefined}
      onClose={onClose}
      title={`Retry ${said}?`}
      description={
        <>
          This sends back <strong className="break-words">{redrive?.what}</strong>
          {many && redrive ? `, those beyond the ${formatNumber(redrive.count)} that are shown as well` : ""}.
          Each gets all of its attempts again.
        </>
      }
      action={`Retry ${said}`}
      onConfirm={() => {
        if (!redrive) return;
        const spreading = spread > 0 ? { spread_seconds: spread } : {};
        mutate({
          request: { ...redrive.request, ...spreading },
          most: many ? Number.POSITIVE_INFINITY : redrive.count,
        });
      }}
    >
      <Field label="Start" hint="Many at once may fall on what they failed of.">
        {(control) => (
          <Select {...control} value={spread} onChange={(event) => setSpread(Number(event.target.value))}>
            {SPREADS.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </Select>
        )}
      </Field>
    </Confirm>
  );
}
