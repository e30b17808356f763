"use client";

import dynamic from "next/dynamic";
import { type ComponentProps, useState } from "react";
import type { Dialog } from "./dialog";

const Loaded = dynamic(() => import("./dialog").then((m) => m.Dialog), { ssr: false });

/** A Dialog whose code is fetched when it opens for the first time. */
export function LazyDialog(props: ComponentProps<typeof Dialog>) {
  const [used, setUsed] = useState(props.open);
  if (props.open && !used) setUsed(true);
  return used ? <Loaded {...props} /> : null;
}
