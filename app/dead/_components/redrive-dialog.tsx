"use client";

import { useState } from "react";
import { useRedrive } from "@/_api/mutations";
import { visible } from "@/_components/text/visible";
import { Confirm } from "@/_components/ui/confirm";
import { Field, Select } from "@/_components/ui/field";
import type { Redrive } from "./redrives";

const SPREADS = [
  { seconds: 0, label: "At once" },
  { seconds: 60, label: "Spread over a minute" },
  { seconds: 600, label: "Spread over 10 minutes" },
  { seconds: 3600, label: "Spread over an hour" },
];

type RedriveDialogProps = { redrive: Redrive | undefined; onClose: () => void; onDone: () => void };

/** Says how many jobs are about to be retried, and when they start. */
export function RedriveDialog({ redrive, onClose, onDone }: RedriveDialogProps) {
  const [spread, setSpread] = useState(0);
  const { mutate } = useRedrive();
  return (
    <Confirm
      open={redrive !== undefined}
      onClose={onClose}
      title={redrive?.title ?? ""}
      description={
        <span className="break-words">
          {visible(redrive?.text ?? "")} Each gets all of its attempts again.
        </span>
      }
      action={redrive?.action ?? ""}
      onConfirm={() => {
        if (!redrive) return;
        const spreading = spread > 0 ? { spread_seconds: spread } : {};
        mutate({ request: { ...redrive.request, ...spreading }, most: redrive.most }, { onSuccess: onDone });
      }}
    >
      <Field label="Start" hint="Many jobs at once can overload what they failed on.">
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
