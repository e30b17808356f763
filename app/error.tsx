"use client";

import { Card } from "./_components/ui/surface";
import { ErrorState } from "./_components/ui/view-states";

/** What is left when a view breaks: the frame stays, and the view can be drawn anew. */
export default function ViewError({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <Card>
      <ErrorState error={error} onRetry={reset} />
    </Card>
  );
}
