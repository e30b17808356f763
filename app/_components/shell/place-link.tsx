"use client";

import Link from "next/link";
import { type ComponentProps, useState } from "react";

/**
 * A link to another page, whose code is fetched when a pointer or the focus comes to it. As links in sight they would
 * fetch the code of all pages at once, with the first one.
 */
export function PlaceLink(props: ComponentProps<typeof Link>) {
  const [meant, setMeant] = useState(false);
  const mean = () => setMeant(true);
  return (
    <Link {...props} prefetch={meant ? null : false} onMouseEnter={mean} onFocus={mean} onTouchStart={mean} />
  );
}
