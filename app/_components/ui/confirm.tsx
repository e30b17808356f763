"use client";

import type { ReactNode } from "react";
import { Button } from "./button";
import { LazyDialog } from "./lazy-dialog";

type ConfirmProps = {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  description: ReactNode;
  action: string;
  danger?: boolean;
  children?: ReactNode;
};

/** Asks before something that concerns many, or that cannot be undone. */
export function Confirm({
  open,
  onClose,
  onConfirm,
  title,
  description,
  action,
  danger = false,
  children,
}: ConfirmProps) {
  return (
    <LazyDialog open={open} onClose={onClose} title={title} description={description}>
      {children}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Back</Button>
        <Button
          variant={danger ? "danger" : "primary"}
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {action}
        </Button>
      </div>
    </LazyDialog>
  );
}
